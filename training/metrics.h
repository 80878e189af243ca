// What a training run tells about itself: metrics.csv, and the same numbers for
// TensorBoard. Both are taken back to the checkpoint when a run goes on.

#ifndef IAT_TRAINING_METRICS_H_
#define IAT_TRAINING_METRICS_H_

#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "training/event_file.h"

namespace iat {

struct TrainingProgress {
  int64_t step = 0, num_steps = 0;
  int64_t epoch = 0;  // begun, from 1
  double loss = 0.0;  // mean since the last report
  double learning_rate = 0.0;
  double images_per_second = 0.0;  // images, not views
  // NaN when not measured at this step: the nearest neighbour's label, and the votes
  // of the nearest training.knn_k.
  double knn_top1 = std::numeric_limits<double>::quiet_NaN();
  double knn_weighted_top1 = std::numeric_limits<double>::quiet_NaN();
  double embedding_deviation = 0.0, effective_rank = 0.0;
  bool collapsed = false;
  std::string collapse_advice = {};  // what to try then
};

class TrainingMetrics {
 public:
  explicit TrainingMetrics(std::filesystem::path folder);

  // Goes on after step `step` from the table of its checkpoint.
  void GoOnFrom(int64_t step, std::string csv);

  // A row more, in folder/metrics.csv and folder/events.out.tfevents.iat.
  absl::Status Add(const TrainingProgress& progress);

  // The table so far, for a checkpoint.
  const std::string& csv() const { return csv_; }

 private:
  std::filesystem::path folder_;
  std::string csv_;
  int64_t last_step_ = -1;  // of rows from before this process
  std::optional<EventFile> events_;
};

}  // namespace iat

#endif  // IAT_TRAINING_METRICS_H_
