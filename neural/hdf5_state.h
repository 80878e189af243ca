// Inside of Hdf5File: handles, open datasets, and the checks before values are read. For
// neural/hdf5_file.cc and neural/hdf5_state.cc alone; everything here is used under
// NetcdfMutex().

#ifndef IAT_NEURAL_HDF5_STATE_H_
#define IAT_NEURAL_HDF5_STATE_H_

#include <hdf5.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "neural/hdf5_file.h"

namespace iat {

// Closes an HDF5 handle of any kind.
class Hdf5Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Hdf5Handle() = default;
  Hdf5Handle(hid_t id, Close close) : id_(id), close_(close) {}
  Hdf5Handle(Hdf5Handle&& other) noexcept
      : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Hdf5Handle& operator=(Hdf5Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  Hdf5Handle(const Hdf5Handle&) = delete;
  Hdf5Handle& operator=(const Hdf5Handle&) = delete;
  ~Hdf5Handle() {
    if (id_ >= 0) close_(id_);
  }
  hid_t get() const { return id_; }
  explicit operator bool() const { return id_ >= 0; }

 private:
  hid_t id_ = -1;
  Close close_ = nullptr;
};

// HDF5's innermost words on the call that has just failed.
std::string Hdf5Words();

// "3 x any"; "a single value".
std::string ShapeText(const std::vector<int64_t>& shape);

// Without padding.
std::string TrimText(const char* text, size_t size);

// An open dataset with what is known of it.
struct OpenDataset {
  Hdf5Handle dataset, type;
  Hdf5Dataset about;
  size_t value_bytes = 0;  // in the file, or of a pointer for text of variable length
  bool variable_text = false;
};

struct Hdf5File::State {
  std::filesystem::path path;
  Limits limits;
  Hdf5Handle file;
  Hdf5Handle access;  // of links: follows none out of the file

  // "PATH: OBJECT: message".
  absl::Status Error(absl::StatusCode code, absl::string_view object,
                     absl::string_view message) const {
    return absl::Status(code, absl::StrCat(path.string(), ": ", object, ": ", message));
  }

  // Every link on the way exists and stays inside the file.
  absl::Status CheckLinks(absl::string_view object) const;
  absl::StatusOr<OpenDataset> OpenOne(absl::string_view name) const;
  // Before `num_values` of `bytes_each` are asked for: what may not be read, and sizes
  // that cannot be.
  absl::Status CheckStorage(const OpenDataset& open, absl::string_view name,
                            int64_t num_values, size_t bytes_each) const;
  absl::Status CheckShape(const OpenDataset& open, absl::string_view name,
                          const std::vector<int64_t>& expected) const;
  absl::Status CheckNumber(const OpenDataset& open, absl::string_view name) const;

  // `from` of the dataset to `memory`, both HDF5 data spaces or H5S_ALL.
  absl::Status Transfer(const OpenDataset& open, absl::string_view name,
                        hid_t memory_type, hid_t memory, hid_t from, void* values) const;
  // HDF5 has no conversion from an enumeration to other numbers: its integers are read
  // as they are and widened here.
  absl::Status TransferEnumeration(const OpenDataset& open, absl::string_view name,
                                   hid_t memory, hid_t from, int64_t count,
                                   std::vector<int64_t>* values) const;
  absl::StatusOr<std::vector<double>> ReadDoubles(const OpenDataset& open,
                                                  absl::string_view name, hid_t memory,
                                                  hid_t from, int64_t count) const;
};

// To be given to H5Pset_elink_cb: no link leads out of the file.
herr_t RefuseToLeave(const char*, const char*, const char*, const char*, unsigned*, hid_t,
                     void*);

}  // namespace iat

#endif  // IAT_NEURAL_HDF5_STATE_H_
