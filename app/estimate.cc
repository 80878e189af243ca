#include "app/estimate.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "app/neural_stage.h"
#include "app/pipeline.h"
#include "base/progress.h"
#include "base/status.h"
#include "extraction/animal_runner.h"
#include "training/training_rate.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kBytesPerValue = 4;  // float32

// Free where `folder` is or would be made.
double FreeBytes(fs::path folder) {
  std::error_code error;
  folder = fs::absolute(folder);
  while (!fs::exists(folder, error) && folder.has_relative_path()) {
    folder = folder.parent_path();
  }
  const auto space = fs::space(folder, error);
  return error ? -1.0 : static_cast<double>(space.available);
}

// How many images there will be; -1 before an open-ended source has been read.
int64_t PlannedImages(const ImageOptions& options, const absl::StatusOr<PackedSet>& set) {
  if (set.ok()) return set->size();
  return options.count > 0 ? options.count : -1;
}

}  // namespace

std::string FormatBytes(double bytes) {
  for (const char* unit : {"bytes", "kB", "MB", "GB"}) {
    if (bytes < 1000.0) {
      return absl::StrFormat(*unit == 'b' ? "%.0f %s" : "%.1f %s", bytes, unit);
    }
    bytes /= 1000.0;
  }
  return absl::StrFormat("%.1f TB", bytes);
}

absl::StatusOr<int64_t> WeightBytes(const ModelOptions& model) {
  IAT_ASSIGN_OR_RETURN(const auto shapes, StateShapes(model));
  int64_t values = 0;
  for (const auto& [name, shape] : shapes) {
    int64_t count = 1;
    for (const int64_t side : shape) count *= side;
    values += count;
  }
  return values * kBytesPerValue;
}

absl::StatusOr<int64_t> TrainedBytes(const ModelOptions& model,
                                     const TrainingOptions& options) {
  IAT_ASSIGN_OR_RETURN(const int64_t weights, WeightBytes(model));
  // Momentum, or Adam's two moments.
  const int64_t state = absl::StartsWith(options.optimizer.optimizer, "adam") ? 2 : 1;
  return weights * (1 + options.keep_last * (1 + state));
}

int64_t ActivationBytes(int64_t num_stimuli, int64_t num_units,
                        const ExtractionOptions& options) {
  if (!options.StoresActivations()) return 0;
  return num_stimuli * num_units * static_cast<int64_t>(options.stages.size()) *
         kBytesPerValue;
}

int64_t ImagesSeen(const TrainingOptions& options, int64_t num_training_images) {
  return options.epochs * (num_training_images / options.batch_size) * options.batch_size;
}

double TrainingSeconds(int64_t num_networks, int jobs, int64_t images_seen,
                       double images_per_second) {
  const int64_t turns = (num_networks + jobs - 1) / jobs;
  return static_cast<double>(turns * images_seen) / images_per_second;
}

absl::Status Pipeline::PlanPacking(const ImageOptions& options, const std::string& name) {
  for (const std::string& path : options.paths) {
    if (fs::exists(path)) continue;
    IAT_ASSIGN_OR_RETURN(const std::string recording,
                         RecordingThatBrings(config_.neural, folder_, path));
    if (recording.empty()) {
      return absl::NotFoundError(
          absl::StrCat(name, ": ", path, ": No such file or folder"));
    }
    if (planned_.insert(name).second) {
      Say("images", absl::StrCat("will pack all ", name, " once ", recording,
                                 " is imported, which writes ", path));
    }
    return absl::OkStatus();
  }
  if (!planned_.insert(name).second) return absl::OkStatus();
  const double each = 3.0 * static_cast<double>(options.size * options.size);
  Say("images", options.count > 0
                    ? absl::StrCat("will pack ", options.count, " ", name, ": ",
                                   FormatBytes(each * static_cast<double>(options.count)))
                    : absl::StrCat("will pack all ", name, ", ", FormatBytes(each),
                                   " each; how many is known once the source is read"));
  return absl::OkStatus();
}

void Pipeline::SayTrainingPlan(int64_t num_networks, int64_t num_untrained,
                               const absl::StatusOr<PackedSet>& images) const {
  const auto each = TrainedBytes(config_.model, config_.training);
  const auto weights = WeightBytes(config_.model);
  if (each.ok() && weights.ok()) {
    const double all = static_cast<double>(*each * num_networks) +
                       static_cast<double>(*weights * num_untrained);
    const double free = FreeBytes(folder_);
    Say("train", absl::StrFormat(
                     "disk: %s: weights of %d networks, %s each, and of the %d that are "
                     "trained %d checkpoints with the optimiser's state (the head's "
                     "comes on top); free: %s",
                     FormatBytes(all), num_networks + num_untrained,
                     FormatBytes(static_cast<double>(*weights)), num_networks,
                     config_.training.keep_last, FormatBytes(free)));
    if (free >= 0.0 && all > free) Say("train", "warning: that does not fit on the disk");
  }
  if (num_networks == 0) return;
  const int64_t num_images = PlannedImages(config_.images, images);
  if (num_images < 0) {
    Say("train",
        "time: known once the training images are packed or images.count is set");
    return;
  }
  const int64_t seen = ImagesSeen(config_.training, num_images);
  const auto rate =
      MeasureTrainingRate(config_.model, config_.training, num_images, options_.device);
  if (!rate.ok()) {
    Say("train", absl::StrCat("time: not estimated: ", rate.status().message()));
    return;
  }
  const int at_once = static_cast<int>(std::min<int64_t>(options_.jobs, num_networks));
  Say("train",
      absl::StrCat("time: about ",
                   FormatDuration(TrainingSeconds(num_networks, at_once, seen,
                                                  rate->images_per_second)),
                   absl::StrFormat(
                       " for %d networks, %d at once, each seeing %d images at %.3g "
                       "images/s (measured just now: loss and gradient of %d images, "
                       "%d threads, %s; augmentation and the optimiser's step come on "
                       "top, and so does what the networks take from each other)",
                       num_networks, at_once, seen, rate->images_per_second, rate->batch,
                       config_.training.threads_per_model, options_.device)));
}

void Pipeline::SayExtractionPlan(int64_t num_animals, const std::string& stimuli_name,
                                 const std::string& scope,
                                 const absl::StatusOr<PackedSet>& stimuli) const {
  ExtractionOptions options = config_.extraction;
  options.scope = scope;
  const int64_t num_stimuli = PlannedImages(config_.stimuli.at(stimuli_name), stimuli);
  const auto units = NumUnits(config_.model, options);
  if (!units.ok() || num_animals == 0 || !options.StoresActivations()) return;
  if (num_stimuli < 0) {
    Say("extract",
        absl::StrCat("disk: known once ", stimuli_name,
                     " is packed or its count is set; ",
                     ActivationBytes(1, *units, options), " bytes a stimulus"));
    return;
  }
  const double bytes = static_cast<double>(num_animals) *
                       static_cast<double>(ActivationBytes(num_stimuli, *units, options));
  Say("extract", absl::StrFormat("disk: %s before compression (%d animals x %d stimuli x "
                                 "%d units x %d stages x 4 bytes)",
                                 FormatBytes(bytes), num_animals, num_stimuli, *units,
                                 options.stages.size()));
  const double free = FreeBytes(folder_);
  if (free >= 0.0 && bytes > free) {
    Say("extract", "warning: that does not fit on the disk");
  }
}

}  // namespace iat
