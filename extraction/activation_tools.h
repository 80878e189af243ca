// Activation files taken apart, put together and handed to other programs. All work in
// bounded memory, a block of stimuli at a time.

#ifndef IAT_EXTRACTION_ACTIVATION_TOOLS_H_
#define IAT_EXTRACTION_ACTIVATION_TOOLS_H_

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/activation_file.h"

namespace iat {

// One file with the stimuli of all inputs, one input after the other. They have to be
// of the same animal and weights, with the same taps, units, preprocessing and
// precision, and no stimulus twice. Summaries over stimuli are left out: they were each
// input's own. The stimulus set's and the job's digests are made from the inputs'.
// InvalidArgument naming the two files and what differs.
absl::Status MergeActivations(const std::vector<std::filesystem::path>& inputs,
                              const std::filesystem::path& output);

// What is kept; an empty list keeps all.
struct ActivationSelection {
  std::vector<std::string> layers;
  std::vector<Stage> stages;
  std::vector<std::string> stimulus_ids;  // in this order
};

// With a choice of stimuli, summaries over stimuli are left out.
// NotFound naming a layer, stage or stimulus that the file does not hold.
absl::Status SelectActivations(const std::filesystem::path& input,
                               const ActivationSelection& selection,
                               const std::filesystem::path& output);

// Into `folder`, per tap and layer:
//   conv1_pre_relu.npy   float32, stimuli x units, C order
//   conv1_units.csv      channel, row, column and everything else known by unit
//   stimuli.csv          row, stimulus_id
absl::Status ExportNpy(const std::filesystem::path& input,
                       const std::filesystem::path& folder);

// conv1_pre_relu.csv: stimulus_id, then a column a unit, named channel-row-column
// ("12-7-7"; "12" without a position), numbers with 9 digits, which give a float32 back
// exactly; and the units and stimuli as above.
absl::Status ExportCsv(const std::filesystem::path& input,
                       const std::filesystem::path& folder);

// Brain-Score's assembly convention: one netCDF variable data(presentation, neuroid)
// with coordinates stimulus_id; neuroid_id, model, layer, stage, channel, row, column.
// All taps side by side.
absl::Status ExportBrainScore(const std::filesystem::path& input,
                              const std::filesystem::path& output);

}  // namespace iat

#endif  // IAT_EXTRACTION_ACTIVATION_TOOLS_H_
