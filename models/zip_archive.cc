#include "models/zip_archive.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <set>

#include "absl/strings/str_cat.h"
#include "base/crc.h"
#include "base/status.h"

namespace iat {
namespace {

constexpr uint32_t kLocalHeader = 0x04034b50;
constexpr uint32_t kDirectoryHeader = 0x02014b50;
constexpr uint32_t kEnd = 0x06054b50;
constexpr uint32_t kEnd64 = 0x06064b50;
constexpr uint32_t kEnd64Locator = 0x07064b50;

constexpr size_t kLocalHeaderSize = 30;
constexpr size_t kDirectoryHeaderSize = 46;
constexpr size_t kEndSize = 22;
constexpr size_t kEnd64Size = 56;
constexpr size_t kEnd64LocatorSize = 20;
constexpr size_t kLongestComment = 65535;

constexpr uint16_t kZip64Extra = 0x0001;
constexpr uint16_t kPaddingExtra = 0x4246;  // "FB", as PyTorch pads
constexpr uint64_t kAlignment = 64;
constexpr uint32_t k32Full = std::numeric_limits<uint32_t>::max();
constexpr uint16_t k16Full = std::numeric_limits<uint16_t>::max();

template <typename T>
T Get(absl::string_view bytes, size_t at) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    value |= static_cast<T>(static_cast<T>(static_cast<unsigned char>(bytes[at + i]))
                            << 8 * i);
  }
  return value;
}

template <typename T>
void Put(std::string& bytes, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) {
    bytes.push_back(static_cast<char>(value >> 8 * i & 0xff));
  }
}

struct Directory {
  uint64_t begin = 0, size = 0, num_entries = 0;
};

absl::Status Damaged(absl::string_view name, absl::string_view what) {
  return absl::DataLossError(absl::StrCat(name, ": ", what));
}

absl::StatusOr<Directory> FindDirectory(absl::string_view bytes, absl::string_view name) {
  if (bytes.size() < kEndSize) {
    return Damaged(name, absl::StrCat(bytes.size(), " bytes are no ZIP archive"));
  }
  // Its end is at the end, before a comment that says how long it is.
  const size_t last = bytes.size() - kEndSize;
  const size_t first = last - std::min(last, kLongestComment);
  size_t end = last + 1;
  while (end > first) {
    --end;
    if (Get<uint32_t>(bytes, end) == kEnd &&
        end + kEndSize + Get<uint16_t>(bytes, end + 20) == bytes.size()) {
      break;
    }
    if (end == first) {
      return Damaged(name, "the ZIP archive has no end; the file is truncated");
    }
  }
  Directory directory{.begin = Get<uint32_t>(bytes, end + 16),
                      .size = Get<uint32_t>(bytes, end + 12),
                      .num_entries = Get<uint16_t>(bytes, end + 10)};
  if (directory.begin == k32Full || directory.size == k32Full ||
      directory.num_entries == k16Full) {
    if (end < kEnd64LocatorSize ||
        Get<uint32_t>(bytes, end - kEnd64LocatorSize) != kEnd64Locator) {
      return Damaged(name, "the ZIP archive lacks its ZIP64 locator");
    }
    const uint64_t end64 = Get<uint64_t>(bytes, end - kEnd64LocatorSize + 8);
    if (bytes.size() < kEnd64Size || end64 > bytes.size() - kEnd64Size ||
        Get<uint32_t>(bytes, end64) != kEnd64) {
      return Damaged(name, "the ZIP archive lacks its ZIP64 end");
    }
    directory = {.begin = Get<uint64_t>(bytes, end64 + 48),
                 .size = Get<uint64_t>(bytes, end64 + 40),
                 .num_entries = Get<uint64_t>(bytes, end64 + 32)};
  }
  if (directory.begin > end || directory.size > end - directory.begin) {
    return Damaged(name, "the ZIP archive's directory lies outside the file");
  }
  return directory;
}

// ZIP64 sizes and places stand in an extra field, only those that did not fit.
bool ReadZip64(absl::string_view extra, uint64_t& size, uint64_t& stored_size,
               uint64_t& local) {
  if (size != k32Full && stored_size != k32Full && local != k32Full) return true;
  while (extra.size() >= 4) {
    const auto id = Get<uint16_t>(extra, 0);
    const size_t length = Get<uint16_t>(extra, 2);
    if (length > extra.size() - 4) return false;
    absl::string_view field = extra.substr(4, length);
    extra.remove_prefix(4 + length);
    if (id != kZip64Extra) continue;
    for (uint64_t* value : {&size, &stored_size, &local}) {
      if (*value != k32Full) continue;
      if (field.size() < 8) return false;
      *value = Get<uint64_t>(field, 0);
      field.remove_prefix(8);
    }
    return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<ZipReader> ZipReader::Open(absl::string_view bytes,
                                          absl::string_view name) {
  IAT_ASSIGN_OR_RETURN(const Directory directory, FindDirectory(bytes, name));
  ZipReader reader;
  reader.name_ = std::string(name);
  absl::string_view rest = bytes.substr(directory.begin, directory.size);
  std::set<std::string> names;
  for (uint64_t i = 0; i < directory.num_entries; ++i) {
    const auto bad = [&](absl::string_view what) {
      return Damaged(name, absl::StrCat("entry ", i, " of the ZIP archive ", what));
    };
    if (rest.size() < kDirectoryHeaderSize || Get<uint32_t>(rest, 0) != kDirectoryHeader)
      return bad("is not in its directory");
    const size_t name_size = Get<uint16_t>(rest, 28);
    const size_t extra_size = Get<uint16_t>(rest, 30);
    const size_t comment_size = Get<uint16_t>(rest, 32);
    if (name_size + extra_size + comment_size > rest.size() - kDirectoryHeaderSize)
      return bad("overruns its directory");
    Entry entry{.name = std::string(rest.substr(kDirectoryHeaderSize, name_size)),
                .size = Get<uint32_t>(rest, 24),
                .crc32 = Get<uint32_t>(rest, 16),
                .contents = {}};
    uint64_t stored_size = Get<uint32_t>(rest, 20);
    uint64_t local = Get<uint32_t>(rest, 42);
    if (!ReadZip64(rest.substr(kDirectoryHeaderSize + name_size, extra_size), entry.size,
                   stored_size, local)) {
      return bad("lacks its ZIP64 sizes");
    }
    const auto flags = Get<uint16_t>(rest, 8);
    const auto method = Get<uint16_t>(rest, 10);
    rest.remove_prefix(kDirectoryHeaderSize + name_size + extra_size + comment_size);
    if ((flags & 1) != 0 || method != 0) {
      return absl::UnimplementedError(
          absl::StrCat(name, ": \"", entry.name, "\" is ",
                       (flags & 1) != 0 ? "encrypted" : "compressed",
                       "; torch.save stores its entries as they are. Was the file "
                       "packed again?"));
    }
    if (stored_size != entry.size) return bad("has two sizes");
    if (!names.insert(entry.name).second) {
      return bad(absl::StrCat("is \"", entry.name, "\" for the second time"));
    }
    if (local > bytes.size() || bytes.size() - local < kLocalHeaderSize ||
        Get<uint32_t>(bytes, local) != kLocalHeader) {
      return bad("is not where its directory says");
    }
    const uint64_t begin = local + kLocalHeaderSize + Get<uint16_t>(bytes, local + 26) +
                           Get<uint16_t>(bytes, local + 28);
    if (begin > directory.begin || entry.size > directory.begin - begin) {
      return bad(absl::StrCat("(\"", entry.name, "\") is cut off"));
    }
    entry.contents = bytes.substr(begin, entry.size);
    reader.entries_.push_back(std::move(entry));
  }
  return reader;
}

const ZipReader::Entry* ZipReader::Find(absl::string_view entry) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& e) { return e.name == entry; });
  return found == entries_.end() ? nullptr : &*found;
}

absl::StatusOr<absl::string_view> ZipReader::Read(absl::string_view entry) const {
  const Entry* found = Find(entry);
  if (found == nullptr) {
    return absl::NotFoundError(
        absl::StrCat(name_, ": the ZIP archive has no \"", entry, "\""));
  }
  if (found->crc32 != 0 && Crc32(found->contents) != found->crc32) {
    return Damaged(name_, absl::StrCat("\"", entry,
                                       "\" does not match its checksum; the file is "
                                       "damaged"));
  }
  return found->contents;
}

absl::Status ZipWriter::Add(absl::string_view name, absl::string_view contents) {
  const uint64_t unpadded = size_ + kLocalHeaderSize + name.size() + 4;
  const uint64_t padding = (kAlignment - unpadded % kAlignment) % kAlignment;
  const uint64_t end = unpadded + padding + contents.size();
  if (end >= k32Full || num_entries_ + 1 >= k16Full) {
    return absl::OutOfRangeError(
        absl::StrCat("the tensors need more than the 4 GB or 65,534 entries of a ZIP "
                     "archive"));
  }
  // The fields that local header and directory share, from "version needed" on.
  std::string common;
  Put<uint16_t>(common, 20);      // version needed
  Put<uint16_t>(common, 0x0800);  // names are UTF-8
  Put<uint16_t>(common, 0);       // stored
  Put<uint16_t>(common, 0);       // time 00:00
  Put<uint16_t>(common, 0x0021);  // 1980-01-01
  Put<uint32_t>(common, Crc32(contents));
  Put<uint32_t>(common, static_cast<uint32_t>(contents.size()));
  Put<uint32_t>(common, static_cast<uint32_t>(contents.size()));
  Put<uint16_t>(common, static_cast<uint16_t>(name.size()));

  std::string header;
  Put<uint32_t>(header, kLocalHeader);
  header += common;
  Put<uint16_t>(header, static_cast<uint16_t>(4 + padding));
  absl::StrAppend(&header, name);
  Put<uint16_t>(header, kPaddingExtra);
  Put<uint16_t>(header, static_cast<uint16_t>(padding));
  header.append(padding, 'Z');

  Put<uint32_t>(directory_, kDirectoryHeader);
  Put<uint16_t>(directory_, 20);  // made by
  directory_ += common;
  Put<uint16_t>(directory_, 0);  // extra
  Put<uint16_t>(directory_, 0);  // comment
  Put<uint16_t>(directory_, 0);  // disk
  Put<uint16_t>(directory_, 0);  // internal attributes
  Put<uint32_t>(directory_, 0);  // external attributes
  Put<uint32_t>(directory_, static_cast<uint32_t>(size_));
  absl::StrAppend(&directory_, name);

  pieces_.push_back(headers_.emplace_back(std::move(header)));
  pieces_.push_back(contents);
  size_ = end;
  ++num_entries_;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<absl::string_view>> ZipWriter::Finish() {
  if (size_ + directory_.size() >= k32Full) {
    return absl::OutOfRangeError("the directory does not fit a ZIP archive of 4 GB");
  }
  std::string end;
  Put<uint32_t>(end, kEnd);
  Put<uint16_t>(end, 0);
  Put<uint16_t>(end, 0);
  Put<uint16_t>(end, static_cast<uint16_t>(num_entries_));
  Put<uint16_t>(end, static_cast<uint16_t>(num_entries_));
  Put<uint32_t>(end, static_cast<uint32_t>(directory_.size()));
  Put<uint32_t>(end, static_cast<uint32_t>(size_));
  Put<uint16_t>(end, 0);
  pieces_.push_back(directory_);
  pieces_.push_back(headers_.emplace_back(std::move(end)));
  return pieces_;
}

}  // namespace iat
