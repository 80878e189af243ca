// What the fuzz targets share: the bytes as a file in a folder that goes away.

#ifndef IAT_TESTS_FUZZ_FUZZ_H_
#define IAT_TESTS_FUZZ_FUZZ_H_

#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace iat {

class FuzzFolder {
 public:
  FuzzFolder() {
    std::string name =
        (std::filesystem::temp_directory_path() / "iat-fuzz-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~FuzzFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return (path_ / name).string();
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// One folder a process: a file is overwritten from input to input.
inline const FuzzFolder& Scratch() {
  static const FuzzFolder folder;
  return folder;
}

}  // namespace iat

#endif  // IAT_TESTS_FUZZ_FUZZ_H_
