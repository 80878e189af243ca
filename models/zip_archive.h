// ZIP archives as torch.save writes them: entries stored without compression, their
// contents at multiples of 64 bytes, so that they can be used where they lie.
//
// The reader takes sizes and places from the central directory, ZIP64 included, and
// trusts none of them; contents are checked against their CRC-32 when asked for.
//
// Source   PKWARE APPNOTE 6.3.10; PyTorch's caffe2/serialize/inline_container.cc.
//
// Example:
//   IAT_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open("a.pt"));
//   IAT_ASSIGN_OR_RETURN(const ZipReader zip, ZipReader::Open(file.view(), "a.pt"));
//   IAT_ASSIGN_OR_RETURN(absl::string_view pickle, zip.Read("a/data.pkl"));

#ifndef IAT_MODELS_ZIP_ARCHIVE_H_
#define IAT_MODELS_ZIP_ARCHIVE_H_

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace iat {

class ZipReader {
 public:
  struct Entry {
    std::string name;
    uint64_t size = 0;
    uint32_t crc32 = 0;  // 0: the writer did not compute it
    absl::string_view contents;
  };

  // `bytes` is the whole file and outlives the reader; `name` is what errors call it.
  // DataLoss: not an archive, truncated, or its directory contradicts itself.
  // Unimplemented: compressed or encrypted entries.
  static absl::StatusOr<ZipReader> Open(absl::string_view bytes, absl::string_view name);

  const std::vector<Entry>& entries() const { return entries_; }
  const Entry* Find(absl::string_view entry) const;
  // NotFound; DataLoss naming the entry when its contents fail their checksum.
  absl::StatusOr<absl::string_view> Read(absl::string_view entry) const;

 private:
  std::string name_;
  std::vector<Entry> entries_;
};

// Gathers an archive as pieces, which point into the contents given. Equal contents
// give equal bytes: entries are dated 1980-01-01.
class ZipWriter {
 public:
  // `contents` outlives the writer. OutOfRange beyond 4 GB, where ZIP ends.
  absl::Status Add(absl::string_view name, absl::string_view contents);
  // The whole file, once; valid while the writer and the contents live.
  absl::StatusOr<std::vector<absl::string_view>> Finish();

 private:
  std::deque<std::string> headers_;  // a deque keeps them where they are
  std::vector<absl::string_view> pieces_;
  std::string directory_;
  uint64_t size_ = 0;
  uint64_t num_entries_ = 0;
};

}  // namespace iat

#endif  // IAT_MODELS_ZIP_ARCHIVE_H_
