// Named arrays of numbers in one file: an HDF5 or netCDF-4 file, or a .npy file, which
// is one array without a name.

#ifndef IAT_NEURAL_ARRAY_STORE_H_
#define IAT_NEURAL_ARRAY_STORE_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "neural/hdf5_file.h"

namespace iat {

struct NumberArray {
  std::vector<int64_t> shape;
  std::vector<double> values;  // C order
};

// A dataset that fits a pattern, and what the pattern's {names} stand for in it. What *
// stands for is captured as "*".
struct FoundArray {
  std::string path;  // "" for a .npy file
  std::map<std::string, std::string> captured;
};

class ArrayStore {
 public:
  static absl::StatusOr<ArrayStore> Open(const std::filesystem::path& path);

  // Datasets whose path fits `pattern`, sorted; the array itself for a .npy file.
  // NotFound showing the pattern and the names there are where it stops to fit.
  absl::StatusOr<std::vector<FoundArray>> Find(const std::string& pattern) const;
  absl::StatusOr<NumberArray> Read(const std::string& dataset) const;
  // Text entries of a one-dimensional dataset; numbers are given as text of digits.
  absl::StatusOr<std::vector<std::string>> ReadLabels(const std::string& dataset) const;
  absl::StatusOr<std::string> TextAttribute(const std::string& dataset,
                                            const std::string& name) const;

 private:
  explicit ArrayStore(std::filesystem::path path) : path_(std::move(path)) {}
  absl::Status FindBelow(const std::string& group, const std::vector<std::string>& parts,
                         size_t depth, const std::map<std::string, std::string>& captured,
                         std::vector<FoundArray>& found) const;

  std::filesystem::path path_;
  std::optional<Hdf5File> file_;  // none: a .npy file
};

// Whether `name` fits `pattern`, in which {x} and * stand for one or more characters
// (the fewest that fit); fills `captured`. A name that is captured already must be the
// same text again.
bool MatchesPattern(absl::string_view pattern, absl::string_view name,
                    std::map<std::string, std::string>& captured);

// `path` with {x} replaced by what was captured.
std::string FillPattern(std::string path,
                        const std::map<std::string, std::string>& captured);

}  // namespace iat

#endif  // IAT_NEURAL_ARRAY_STORE_H_
