// What --dry-run says of time and disk: sizes that follow from the config exactly, and
// times from a rate that is measured on the spot, each with what it is based on.
//
// Disk   images       count x size x size x 3 bytes
//        weights      4 bytes a parameter or buffer (models/vision_model.h)
//        checkpoints  keep_last of them: weights and the optimiser's state, the head's
//                     not counted
//        activations  stimuli x units x stages x 4 bytes, before compression
// Time   training     views seen / rate, in as many turns as `jobs` networks at once
//                     need; the rate is that of loss and gradient of a small batch

#ifndef IAT_APP_ESTIMATE_H_
#define IAT_APP_ESTIMATE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "extraction/extraction_options.h"
#include "models/model_options.h"
#include "training/trainer.h"

namespace iat {

// "12.3 MB"; powers of ten, as disks are sold and df -H counts.
std::string FormatBytes(double bytes);

// NotFound naming the architectures there are.
absl::StatusOr<int64_t> WeightBytes(const ModelOptions& model);

// Weights once, and the checkpoints that stay, of one network that is trained.
absl::StatusOr<int64_t> TrainedBytes(const ModelOptions& model,
                                     const TrainingOptions& options);

int64_t ActivationBytes(int64_t num_stimuli, int64_t num_units,
                        const ExtractionOptions& options);

// Images that one network sees in all its epochs, whole batches, before views are made.
int64_t ImagesSeen(const TrainingOptions& options, int64_t num_training_images);

// Networks are trained `jobs` at a time.
double TrainingSeconds(int64_t num_networks, int jobs, int64_t images_seen,
                       double images_per_second);

}  // namespace iat

#endif  // IAT_APP_ESTIMATE_H_
