// Activations of one network to a stimulus set, before and after its ReLUs, in
// evaluation mode (running batch-norm statistics, no dropout).
//
// Scope   hypercolumn  all channels of a layer at the map's central position,
//                      row = column = side / 2 rounded down: (7,7), (3,3), (1,1),
//                      (1,1), (1,1) for conv1 to conv5 at 64 x 64
//         layer        every channel, row and column (channel-major)
//
// Every batch proves that post = max(pre, 0) bit for bit, so that a file in which
// "before the ReLU" is not what it says can't come into being. Nothing beyond the
// deepest tap is computed. Batches have a fixed size, part of the config: products
// of other shapes round differently.

#ifndef IAT_EXTRACTION_EXTRACT_H_
#define IAT_EXTRACTION_EXTRACT_H_

#include <atomic>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/activation_file.h"
#include "base/options.h"
#include "images/packed_set.h"
#include "models/vision_model.h"

namespace iat {

// Config table [extraction].
struct ExtractionOptions {
  std::vector<std::string> layers = {"conv1", "conv2", "conv3", "conv4", "conv5"};
  std::vector<std::string> stages = {"pre_relu", "post_relu"};
  std::string scope = "hypercolumn";
  int64_t batch_size = 100;

  void Describe(OptionVisitor& visitor);
};

struct ExtractionJob {
  std::string animal;  // "seed-003"
  int64_t init_seed = -1, data_seed = -1;
  ModelOptions model;
  std::filesystem::path weights;  // a safetensors file
  const PackedSet* stimuli = nullptr;
  ExtractionOptions options;
  std::filesystem::path output;
  std::string device = "cpu";
  std::function<void(int64_t done, int64_t total)> progress;
  const std::atomic<bool>* stop = nullptr;
};

// Of weights, stimuli and options; the errors of reading the weights' metadata.
absl::StatusOr<std::string> ExtractionFingerprint(const ExtractionJob& job);

// True when job.output was made from exactly this job.
bool IsExtracted(const ExtractionJob& job);

// OK once job.output is in place. Cancelled after a stop. InvalidArgument: weights
// that do not fit the model; DataLoss: a damaged weight file.
absl::Status Extract(const ExtractionJob& job);

}  // namespace iat

#endif  // IAT_EXTRACTION_EXTRACT_H_
