#include "neural/presentations.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/nan.h"
#include "base/status.h"

namespace iat {
namespace {

constexpr int64_t kBlank = -1;
// The data sets show an image 50 times. What follows holds images x trials numbers.
constexpr int64_t kMaxTrials = 10000;

}  // namespace

absl::StatusOr<std::vector<Presentation>> OrderPresentations(
    const std::vector<double>& starts, const std::vector<double>& stops,
    const std::vector<int64_t>& images, int64_t num_images, const std::string& where,
    SelectionRecord& record) {
  if (starts.size() != images.size() || stops.size() != images.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": ", starts.size(), " starts, ", stops.size(), " ends and ",
                     images.size(), " images; expected one of each a row"));
  }
  std::vector<Presentation> presentations;
  int64_t num_blanks = 0;
  bool is_sorted = true;
  for (size_t row = 0; row < images.size(); ++row) {
    if (!std::isfinite(starts[row]) || !std::isfinite(stops[row]) ||
        starts[row] >= stops[row]) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": row ", row, " lasts from ", starts[row], " to ",
                       stops[row], "; expected a start before its end"));
    }
    if (images[row] < kBlank || images[row] >= num_images) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": row ", row, " shows image ", images[row],
                       "; expected 0 to ", num_images - 1, ", or -1 for a blank"));
    }
    is_sorted &= row == 0 || starts[row] >= starts[row - 1];
    if (images[row] == kBlank) {
      ++num_blanks;
      continue;
    }
    presentations.push_back({starts[row], stops[row], images[row], 0});
  }
  if (presentations.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": no image in ", images.size(), " rows"));
  }
  std::stable_sort(
      presentations.begin(), presentations.end(),
      [](const Presentation& a, const Presentation& b) { return a.start < b.start; });
  std::vector<int64_t> shown(num_images, 0);
  for (Presentation& presentation : presentations) {
    presentation.trial = shown[presentation.image]++;
    if (presentation.trial >= kMaxTrials) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": image ", presentation.image, " is shown more than ",
                       kMaxTrials, " times"));
    }
  }
  record.Note(absl::StrCat(where, ": ", presentations.size(), " presentations, ",
                           num_blanks, " blanks left out",
                           is_sorted ? "" : ", rows sorted by start"));
  return presentations;
}

int64_t NumTrials(const std::vector<Presentation>& presentations) {
  int64_t trials = 0;
  for (const Presentation& p : presentations) trials = std::max(trials, p.trial + 1);
  return trials;
}

std::vector<double> MeansDuring(const std::vector<double>& times,
                                const std::vector<double>& values,
                                const std::vector<double>& starts,
                                const std::vector<double>& stops) {
  std::vector<std::pair<double, double>> samples;
  for (size_t i = 0; i < std::min(times.size(), values.size()); ++i) {
    if (std::isfinite(times[i]) && std::isfinite(values[i])) {
      samples.emplace_back(times[i], values[i]);
    }
  }
  std::stable_sort(samples.begin(), samples.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<double> means;
  for (size_t p = 0; p < starts.size(); ++p) {
    const auto before = [](const auto& sample, double time) {
      return sample.first < time;
    };
    auto from = std::lower_bound(samples.begin(), samples.end(), starts[p], before);
    const auto to = std::lower_bound(from, samples.end(), stops[p], before);
    double sum = 0.0;
    const auto count = static_cast<double>(to - from);
    for (; from != to; ++from) sum += from->second;
    means.push_back(count > 0 ? sum / count : kNaN);
  }
  return means;
}

double RunningP(const std::vector<Presentation>& presentations,
                const std::vector<double>& responses, const std::vector<double>& speeds,
                int64_t num_images, double threshold, int64_t min_trials) {
  if (speeds.empty()) return kNaN;
  std::vector<double> sums(num_images, 0.0), counts(num_images, 0.0);
  for (size_t p = 0; p < presentations.size(); ++p) {
    if (!std::isfinite(responses[p])) continue;
    sums[presentations[p].image] += responses[p];
    counts[presentations[p].image] += 1.0;
  }
  int64_t preferred = -1;
  for (int64_t image = 0; image < num_images; ++image) {
    if (counts[image] == 0.0) continue;
    if (preferred < 0 ||
        sums[image] / counts[image] > sums[preferred] / counts[preferred]) {
      preferred = image;
    }
  }
  std::vector<double> running, still;
  for (size_t p = 0; p < presentations.size(); ++p) {
    if (presentations[p].image != preferred || !std::isfinite(responses[p]) ||
        !std::isfinite(speeds[p])) {
      continue;
    }
    (speeds[p] >= threshold ? running : still).push_back(responses[p]);
  }
  if (static_cast<int64_t>(running.size()) < min_trials ||
      static_cast<int64_t>(still.size()) < min_trials) {
    return kNaN;
  }
  return WelchP(running, still);
}

}  // namespace iat
