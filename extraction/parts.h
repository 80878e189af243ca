// The pieces an activation file is made of while it is being made.
//
//   seed-000.part-0007.nc   stimuli [7 * chunk, 8 * chunk) of seed-000.nc, an
//                           activation file of its own
//
// Parts are cut at boundaries that depend on the config alone and put in place by
// rename, so that any process may make any part, and a killed one loses no more than
// the part it was at. Whoever finds all of them puts the file together and removes
// them: no final file is ever appended to.

#ifndef IAT_EXTRACTION_PARTS_H_
#define IAT_EXTRACTION_PARTS_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/activation_file.h"
#include "extraction/extraction_options.h"
#include "extraction/unit_selection.h"
#include "extraction/unit_summary.h"
#include "images/packed_set.h"

namespace iat {

// One animal's file and its parts.
struct PartedFile {
  std::filesystem::path output;
  const std::vector<std::string>* stimulus_ids = nullptr;
  // Of the whole file; parts carry a fingerprint derived from its.
  ActivationMetadata metadata;
  ExtractionOptions options;

  int64_t num_stimuli() const { return static_cast<int64_t>(stimulus_ids->size()); }
  int64_t num_parts() const {
    return (num_stimuli() + options.ChunkSize() - 1) / options.ChunkSize();
  }
  int64_t begin(int64_t part) const { return part * options.ChunkSize(); }
  int64_t end(int64_t part) const {
    return std::min(num_stimuli(), begin(part) + options.ChunkSize());
  }
  std::filesystem::path PartPath(int64_t part) const;
  ActivationMetadata PartMetadata(int64_t part) const;
};

// Whether the part is there and made from the same.
bool HasPart(const PartedFile& file, int64_t part);

// Removes the parts of a file that is complete: one may have been killed in between.
absl::Status RemoveParts(const std::filesystem::path& output);

// The state of a layer's summary as variables of a part, and back.
absl::Status WriteSummaryState(const Tap& tap, const UnitSummary& summary,
                               ActivationWriter& writer);
absl::StatusOr<UnitSummary> ReadSummaryState(const ActivationFile& part, const Tap& tap);

// Puts the file in place from its parts, in bounded memory, then removes them and any
// others of its name. DataLoss naming the part, its tap and stimuli that can't be read.
absl::Status Assemble(const PartedFile& file);

// The columns of a finished summary with their meanings, as files have them
// ("pre_relu_mean", ...).
std::vector<FieldVariable> SummaryVariables(Stage stage, const UnitSummary& summary);

}  // namespace iat

#endif  // IAT_EXTRACTION_PARTS_H_
