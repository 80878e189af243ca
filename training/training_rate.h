// How fast one network would train here, measured on the spot.

#ifndef IAT_TRAINING_TRAINING_RATE_H_
#define IAT_TRAINING_TRAINING_RATE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "models/model_options.h"
#include "training/trainer.h"

namespace iat {

struct TrainingRate {
  double images_per_second = 0.0;  // of one network, all views of an image included
  int batch = 0;                   // images in the batch that was timed
};
// Takes about a second. The errors of CreateModel and CreateObjective.
absl::StatusOr<TrainingRate> MeasureTrainingRate(const ModelOptions& model,
                                                 const TrainingOptions& options,
                                                 int64_t num_training_images,
                                                 const std::string& device);

}  // namespace iat

#endif  // IAT_TRAINING_TRAINING_RATE_H_
