// TensorBoard's event file: scalars by step, appended as they come, that
// `tensorboard --logdir runs/NAME/models` shows while a family trains.
//
// Format   TFRecords, each
//            length of the data     uint64, little-endian
//            masked CRC of that     uint32
//            data                   a protobuf message Event
//            masked CRC of that     uint32
//          with mask(c) = (c >> 15 | c << 17) + 0xa282ead8 and c the CRC-32C;
//            Event   { double wall_time = 1; int64 step = 2;
//                      string file_version = 3; Summary summary = 5; }
//            Summary { repeated Value value = 1; }
//            Value   { string tag = 1; float simple_value = 2; }
//          The first event holds the version, "brain.Event:2".
//
// Resuming keeps the events up to the step gone on from and cuts the rest off, what a
// killed writer left half done included, so that no step comes twice.
//
// Source   TensorFlow's core/lib/io/record_writer.cc, core/util/event.proto,
//          core/framework/summary.proto.
//
// Example:
//   IAT_ASSIGN_OR_RETURN(EventFile events, EventFile::Resume(path, /*last_step=*/200));
//   IAT_RETURN_IF_ERROR(events.Add(220, UnixTime(), {{"loss", 4.2}}));

#ifndef IAT_TRAINING_EVENT_FILE_H_
#define IAT_TRAINING_EVENT_FILE_H_

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace iat {

using Scalars = std::vector<std::pair<std::string, double>>;

class EventFile {
 public:
  // Opens `path` to append after the last event whose step is at most `last_step`
  // (-1: after none), creating it and its folder where they are missing.
  static absl::StatusOr<EventFile> Resume(const std::filesystem::path& path,
                                          int64_t last_step);

  // One event; values that are NaN are left out. Readers see it at once.
  absl::Status Add(int64_t step, double wall_time, const Scalars& scalars);

 private:
  EventFile(std::filesystem::path path, std::ofstream file)
      : path_(std::move(path)), file_(std::move(file)) {}

  std::filesystem::path path_;
  std::ofstream file_;
};

// Seconds since 1970.
double UnixTime();

struct Event {
  int64_t step = 0;
  double wall_time = 0.0;
  std::string file_version;
  std::vector<std::pair<std::string, float>> scalars;
};
// The events of a file up to the first that is cut off or damaged, and how many bytes
// they take.
std::vector<Event> ParseEvents(absl::string_view bytes, size_t* num_bytes = nullptr);

}  // namespace iat

#endif  // IAT_TRAINING_EVENT_FILE_H_
