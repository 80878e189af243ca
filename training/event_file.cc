#include "training/event_file.h"

#include <chrono>
#include <cmath>
#include <cstring>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/crc.h"
#include "base/file.h"
#include "base/status.h"

namespace iat {
namespace {

constexpr char kFileVersion[] = "brain.Event:2";
constexpr size_t kHeadSize = 12;  // length and its CRC
constexpr size_t kTailSize = 4;

// Wire types of protobuf.
enum WireType { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

template <typename T>
void PutFixed(std::string& out, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));  // this program knows little-endian only
  out.append(bytes, sizeof(T));
}

template <typename T>
T GetFixed(absl::string_view bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

void PutVarint(std::string& out, uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

void PutKey(std::string& out, int field, WireType type) {
  PutVarint(out, static_cast<uint64_t>(field << 3 | type));
}

void PutBytes(std::string& out, int field, absl::string_view bytes) {
  PutKey(out, field, kBytes);
  PutVarint(out, bytes.size());
  absl::StrAppend(&out, bytes);
}

uint32_t Masked(uint32_t crc) { return (crc >> 15 | crc << 17) + 0xa282ead8u; }

std::string Record(absl::string_view data) {
  std::string record;
  PutFixed<uint64_t>(record, data.size());
  PutFixed<uint32_t>(record, Masked(Crc32c(record)));
  absl::StrAppend(&record, data);
  PutFixed<uint32_t>(record, Masked(Crc32c(data)));
  return record;
}

// One field of a message: its number, and its value as bytes or as a number.
struct Field {
  uint64_t number = 0;
  uint64_t varint = 0;
  absl::string_view bytes;  // also the 4 or 8 bytes of a fixed one
};

class MessageReader {
 public:
  explicit MessageReader(absl::string_view rest) : rest_(rest) {}

  // nullopt at the end, and where the bytes are no message.
  std::optional<Field> Next() {
    const auto key = Varint();
    if (!key) return std::nullopt;
    Field field{.number = *key >> 3, .varint = 0, .bytes = {}};
    std::optional<uint64_t> size;
    switch (*key & 7) {
      case kVarint: {
        const auto value = Varint();
        if (!value) return std::nullopt;
        field.varint = *value;
        return field;
      }
      case kFixed64:
        size = 8;
        break;
      case kFixed32:
        size = 4;
        break;
      case kBytes:
        size = Varint();
        break;
      default:
        return std::nullopt;
    }
    if (!size || *size > rest_.size()) return std::nullopt;
    field.bytes = rest_.substr(0, *size);
    rest_.remove_prefix(*size);
    return field;
  }

 private:
  std::optional<uint64_t> Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return value;
    }
    return std::nullopt;
  }

  absl::string_view rest_;
};

Event ParseEvent(absl::string_view data) {
  Event event;
  MessageReader reader(data);
  while (const auto field = reader.Next()) {
    if (field->number == 1 && field->bytes.size() == 8) {
      event.wall_time = GetFixed<double>(field->bytes, 0);
    } else if (field->number == 2) {
      event.step = static_cast<int64_t>(field->varint);
    } else if (field->number == 3) {
      event.file_version = std::string(field->bytes);
    } else if (field->number == 5) {
      MessageReader summary(field->bytes);
      while (const auto value_field = summary.Next()) {
        if (value_field->number != 1) continue;
        std::pair<std::string, float> scalar;
        MessageReader value(value_field->bytes);
        while (const auto part = value.Next()) {
          if (part->number == 1) scalar.first = std::string(part->bytes);
          if (part->number == 2 && part->bytes.size() == 4) {
            scalar.second = GetFixed<float>(part->bytes, 0);
          }
        }
        event.scalars.push_back(std::move(scalar));
      }
    }
  }
  return event;
}

// The next whole and undamaged record's data.
std::optional<absl::string_view> NextRecord(absl::string_view& rest) {
  if (rest.size() < kHeadSize) return std::nullopt;
  const auto length = GetFixed<uint64_t>(rest, 0);
  if (GetFixed<uint32_t>(rest, 8) != Masked(Crc32c(rest.substr(0, 8))) ||
      length > rest.size() - kHeadSize || rest.size() - kHeadSize - length < kTailSize) {
    return std::nullopt;
  }
  const absl::string_view data = rest.substr(kHeadSize, length);
  if (GetFixed<uint32_t>(rest, kHeadSize + length) != Masked(Crc32c(data))) {
    return std::nullopt;
  }
  rest.remove_prefix(kHeadSize + length + kTailSize);
  return data;
}

std::string VersionRecord() {
  std::string event;
  PutKey(event, 1, kFixed64);
  PutFixed<double>(event, UnixTime());
  PutBytes(event, 3, kFileVersion);
  return Record(event);
}

}  // namespace

double UnixTime() {
  return std::chrono::duration<double>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::vector<Event> ParseEvents(absl::string_view bytes, size_t* num_bytes) {
  std::vector<Event> events;
  absl::string_view rest = bytes;
  while (const auto data = NextRecord(rest)) events.push_back(ParseEvent(*data));
  if (num_bytes != nullptr) *num_bytes = bytes.size() - rest.size();
  return events;
}

absl::StatusOr<EventFile> EventFile::Resume(const std::filesystem::path& path,
                                            int64_t last_step) {
  IAT_RETURN_IF_ERROR(MakeFolder(path.parent_path()));
  size_t keep = 0;
  if (std::filesystem::exists(path)) {
    IAT_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
    absl::string_view rest = bytes;
    while (const auto data = NextRecord(rest)) {
      const Event event = ParseEvent(*data);
      if (event.file_version.empty() && event.step > last_step) break;
      keep = bytes.size() - rest.size();
    }
    std::error_code error;
    std::filesystem::resize_file(path, keep, error);
    if (error)
      return ErrnoStatus(error.value(), absl::StrCat("cannot cut ", path.string()));
  }
  std::ofstream file(path, std::ios::binary | std::ios::app);
  if (keep == 0) file << VersionRecord();
  if (!file.flush()) {
    return absl::UnavailableError(absl::StrCat("cannot write ", path.string()));
  }
  return EventFile(path, std::move(file));
}

absl::Status EventFile::Add(int64_t step, double wall_time, const Scalars& scalars) {
  std::string summary;
  for (const auto& [tag, number] : scalars) {
    if (std::isnan(number)) continue;
    std::string value;
    PutBytes(value, 1, tag);
    PutKey(value, 2, kFixed32);
    PutFixed<float>(value, static_cast<float>(number));
    PutBytes(summary, 1, value);
  }
  std::string event;
  PutKey(event, 1, kFixed64);
  PutFixed<double>(event, wall_time);
  PutKey(event, 2, kVarint);
  PutVarint(event, static_cast<uint64_t>(step));
  PutBytes(event, 5, summary);
  file_ << Record(event);
  if (!file_.flush()) {
    return absl::UnavailableError(absl::StrCat("cannot write ", path_.string()));
  }
  return absl::OkStatus();
}

}  // namespace iat
