// A matrix from anyone's netCDF or HDF5 file. similarity/array_file.h says how it is
// named and what is obeyed.

#ifndef IAT_SIMILARITY_NETCDF_MATRIX_H_
#define IAT_SIMILARITY_NETCDF_MATRIX_H_

#include <Eigen/Core>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace iat {

struct NetcdfMatrix {
  Eigen::MatrixXd values;                 // NaN where a value is missing
  std::vector<std::string> stimulus_ids;  // of the first dimension, or none
};

// `variable` may be within groups, "a/b/c"; empty: the file's only matrix of numbers.
absl::StatusOr<NetcdfMatrix> ReadNetcdfMatrix(const std::string& path,
                                              const std::string& variable);

}  // namespace iat

#endif  // IAT_SIMILARITY_NETCDF_MATRIX_H_
