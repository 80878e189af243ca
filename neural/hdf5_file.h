// Reading of HDF5 files that other programs have written, nothing of which is taken for
// granted: every error names the file, the dataset, what was found and what was expected.
//
// A dataset is read in whole or by rows of its first dimension. Numbers of any width are
// converted; enumerations (h5py's booleans) count as integers. Refused before anything
// is allocated: more than `max_bytes` at once, chunks above 1 GiB, sizes that the stored
// bytes cannot make up, and data kept in other files (external or virtual datasets,
// external links), which a file from elsewhere has no business opening.
//
// netCDF uses the same library, which is not safe for several threads: every call goes
// through NetcdfMutex() (base/netcdf.h). A netCDF-4 file is an HDF5 file.
//
// HDF5 1.10 itself can crash on damaged files: what comes from elsewhere is imported in a
// process of its own (neural/contained.h).
//
// Example:
//   IAT_ASSIGN_OR_RETURN(const Hdf5File file, Hdf5File::Open(path));
//   IAT_ASSIGN_OR_RETURN(const auto starts,
//                        file.ReadNumbers("/intervals/x/start_time", {-1}));

#ifndef IAT_NEURAL_HDF5_FILE_H_
#define IAT_NEURAL_HDF5_FILE_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace iat {

struct Hdf5Dataset {
  enum class Kind { kInteger, kFloat, kString, kOther };
  Kind kind = Kind::kOther;
  std::string type;            // in words: "int64", "float32", "text", "compound"
  std::vector<int64_t> shape;  // empty: a single value

  int64_t num_values() const;  // at most 2^62
};

class Hdf5File {
 public:
  struct Limits {
    int64_t max_bytes = int64_t{4} << 30;  // of one call's result
  };

  // NotFound; DataLoss when it is no HDF5 file or its superblock is damaged (a netCDF
  // file of the classic format is told apart).
  static absl::StatusOr<Hdf5File> Open(const std::filesystem::path& path);
  static absl::StatusOr<Hdf5File> Open(const std::filesystem::path& path, Limits limits);

  const std::filesystem::path& path() const;

  // Whether there is an object of that path; false too where a link on the way leads
  // nowhere or out of the file.
  bool Has(absl::string_view object) const;
  bool IsDataset(absl::string_view object) const;
  // The first of `paths` that is there. NotFound naming all of them.
  absl::StatusOr<std::string> FirstOf(const std::vector<std::string>& paths) const;
  // Names inside a group, sorted.
  absl::StatusOr<std::vector<std::string>> Children(absl::string_view group) const;
  absl::StatusOr<Hdf5Dataset> Describe(absl::string_view dataset) const;

  // All values in C order. `shape` gives the expected sides, -1 for any; InvalidArgument
  // when rank or sides differ or the values are no numbers.
  absl::StatusOr<std::vector<double>> ReadNumbers(
      absl::string_view dataset, const std::vector<int64_t>& shape) const;
  // The same, of whole numbers; floats are accepted where they are whole (Allen's frames
  // are), else the error names the first that is not.
  absl::StatusOr<std::vector<int64_t>> ReadIntegers(
      absl::string_view dataset, const std::vector<int64_t>& shape) const;
  // Text of fixed or variable length, one entry a value. Padding is removed.
  absl::StatusOr<std::vector<std::string>> ReadStrings(absl::string_view dataset) const;
  // A single text, of a scalar or of a dataset with one value.
  absl::StatusOr<std::string> ReadText(absl::string_view dataset) const;
  // Rows [first, first + count) of the first dimension, all columns, in C order.
  absl::StatusOr<std::vector<double>> ReadRows(absl::string_view dataset, int64_t first,
                                               int64_t count) const;

  // NotFound naming object and attribute.
  absl::StatusOr<std::string> TextAttribute(absl::string_view object,
                                            absl::string_view name) const;

  Hdf5File(Hdf5File&&) noexcept;
  Hdf5File& operator=(Hdf5File&&) noexcept;
  ~Hdf5File();

 private:
  struct State;
  explicit Hdf5File(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace iat

#endif  // IAT_NEURAL_HDF5_FILE_H_
