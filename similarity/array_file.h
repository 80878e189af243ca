// Reads a matrix that someone else's program saved: stimuli x units.
//
//   a.npy                 numpy.save of a 2-d array: floats of 2, 4 or 8 bytes, integers,
//                         booleans; C or Fortran order; either byte order
//   a.csv                 a row a stimulus, numbers; names of the units in the first row
//                         and of the stimuli in the first column where it is headed ""
//                         (pandas' index) or stimulus_id
//   FILE:VARIABLE         a variable of a netCDF or HDF5 file (.nc, .h5, .nwb, MATLAB
//                         7.3), groups as FILE:group/variable. FILE alone, where it holds
//                         a single matrix
//
// What a file is, is read from its first bytes, not from its name. A variable's
// scale_factor, add_offset and _FillValue are obeyed; missing values are an error.
//
// Names    Where the variable's first dimension has a coordinate stimulus_id (as our
//          activation files have), or a CSV names its stimuli, rows can be matched by
//          name (MatchStimuli); else row i of one file is row i of the other.
// Errors   All name the file and what is wrong with it: not 2 dimensions, a header that
//          promises more than there is, a value that is not finite (with its place,
//          counted from 0 as NumPy does), objects or text in place of numbers.
//
// Example:
//   auto a = ReadArray("a.npy"), b = ReadArray("seed-000.nc:conv1_post_relu");
//   IAT_RETURN_IF_ERROR(MatchStimuli(*a, *b));

#ifndef IAT_SIMILARITY_ARRAY_FILE_H_
#define IAT_SIMILARITY_ARRAY_FILE_H_

#include <Eigen/Core>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace iat {

struct ResponseArray {
  std::string name;                       // as it was asked for
  Eigen::MatrixXd values;                 // stimuli x units, finite
  std::vector<std::string> stimulus_ids;  // empty, or one a row, none twice
};

// NotFound: no such file or variable (naming those there are). InvalidArgument: not a
// matrix of finite numbers. DataLoss: cut short.
absl::StatusOr<ResponseArray> ReadArray(const std::string& place);

// Puts target's rows into source's order where both name their stimuli. InvalidArgument
// when they have different stimuli (naming the first that one lacks) or, without names,
// different numbers of rows.
absl::Status MatchStimuli(const ResponseArray& source, ResponseArray& target);

}  // namespace iat

#endif  // IAT_SIMILARITY_ARRAY_FILE_H_
