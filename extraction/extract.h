// Activations of networks to a stimulus set, before and after their ReLUs, in
// evaluation mode (running batch-norm statistics, no dropout).
//
// Pass    One pass over the stimuli serves all animals: decoding and preprocessing are
//         shared. Only the units asked for and what they depend on are computed
//         (models/inference.h); nothing beyond the deepest layer.
// Parts   The stimuli are cut into chunks of batch_size * batches_per_chunk. Each
//         chunk of each animal becomes a part file (parts.h), put in place by rename;
//         the files are assembled at the end. A run that was killed goes on with the
//         parts that are missing, and ranks share them (shares.h). The content is the
//         same whatever happened on the way.
// Memory  One chunk's rows of HDF5 buffers, one batch of maps, the ids: independent of
//         the number of stimuli but for some 70 bytes an id.
// Check   Every batch proves that post = max(pre, 0) bit for bit, so that a file in
//         which "before the ReLU" is not what it says can't come into being.
//
// Batches have a fixed size, part of the config: products of other shapes round
// differently.

#ifndef IAT_EXTRACTION_EXTRACT_H_
#define IAT_EXTRACTION_EXTRACT_H_

#include <atomic>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/activation_file.h"
#include "extraction/extraction_options.h"
#include "extraction/shares.h"
#include "images/packed_set.h"
#include "models/model_options.h"

namespace iat {

struct ExtractionAnimal {
  std::string name;  // "seed-003"
  int64_t init_seed = -1, data_seed = -1;
  ModelOptions model;
  std::filesystem::path weights;  // a safetensors file
  std::filesystem::path output;
};

struct ExtractionJob {
  std::vector<ExtractionAnimal> animals;
  const PackedSet* stimuli = nullptr;
  ExtractionOptions options;
  std::string device = "cpu";
  Rank rank;
  // Stimuli times animals, of this rank's share.
  std::function<void(int64_t done, int64_t total)> progress;
  // Sizes up front.
  std::function<void(absl::string_view)> message;
  const std::atomic<bool>* stop = nullptr;
};

// Of weights, stimuli and options; the errors of reading the weights' metadata.
absl::StatusOr<std::string> ExtractionFingerprint(const ExtractionJob& job,
                                                  const ExtractionAnimal& animal);

// True when animal.output was made from exactly this job.
bool IsExtracted(const ExtractionJob& job, const ExtractionAnimal& animal);

// OK once this rank's share is done; every output whose parts were all there then is
// in place. An animal that fails does not stop the others: the first failure is
// returned at the end. Cancelled after a stop. InvalidArgument: weights that do not fit
// the model, layers or positions that it does not have, responses that are not finite;
// DataLoss: a damaged weight file or part; ResourceExhausted: the disk can't hold it.
absl::Status Extract(const ExtractionJob& job);

}  // namespace iat

#endif  // IAT_EXTRACTION_EXTRACT_H_
