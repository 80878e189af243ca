#include "training/metrics.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/status.h"

namespace iat {
namespace {

// Columns of metrics.csv after step and epoch, and tags in TensorBoard.
Scalars ScalarsOf(const TrainingProgress& progress) {
  return {{"loss", progress.loss},
          {"learning_rate", progress.learning_rate},
          {"images_per_second", progress.images_per_second},
          {"knn_top1", progress.knn_top1},
          {"knn_weighted_top1", progress.knn_weighted_top1},
          {"embedding_deviation", progress.embedding_deviation},
          {"effective_rank", progress.effective_rank}};
}

}  // namespace

TrainingMetrics::TrainingMetrics(std::filesystem::path folder)
    : folder_(std::move(folder)) {
  std::vector<std::string> columns = {"step", "epoch"};
  for (const auto& [name, value] : ScalarsOf({})) columns.push_back(name);
  csv_ = absl::StrCat(CsvLine(columns), "\n");
}

void TrainingMetrics::GoOnFrom(int64_t step, std::string csv) {
  last_step_ = step;
  csv_ = std::move(csv);
  events_.reset();
}

absl::Status TrainingMetrics::Add(const TrainingProgress& progress) {
  std::vector<std::string> cells = {absl::StrCat(progress.step),
                                    absl::StrCat(progress.epoch)};
  const Scalars scalars = ScalarsOf(progress);
  for (const auto& [name, value] : scalars) cells.push_back(FormatNumber(value));
  absl::StrAppend(&csv_, CsvLine(cells), "\n");
  IAT_RETURN_IF_ERROR(WriteFileAtomically(folder_ / "metrics.csv", csv_));
  if (!events_) {
    IAT_ASSIGN_OR_RETURN(
        events_, EventFile::Resume(folder_ / "events.out.tfevents.iat", last_step_));
  }
  return events_->Add(progress.step, UnixTime(), scalars);
}

}  // namespace iat
