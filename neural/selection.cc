#include "neural/selection.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/distributions.h"
#include "base/nan.h"
#include "base/status.h"

namespace iat {

void SelectionRecord::Add(const std::string& step, const std::string& animal,
                          const std::string& area, int64_t kept, int64_t dropped) {
  auto found = std::find_if(steps_.begin(), steps_.end(),
                            [&](const Step& s) { return s.name == step; });
  if (found == steps_.end()) found = steps_.insert(steps_.end(), {step, {}});
  Count& count = found->counts[{animal, area}];
  count.kept += kept;
  count.dropped += dropped;
}

void SelectionRecord::Note(const std::string& text) { notes_.push_back(text); }

int64_t SelectionRecord::num_kept(const std::string& step) const {
  int64_t kept = 0;
  for (const Step& s : steps_) {
    if (s.name != step) continue;
    for (const auto& [unused, count] : s.counts) kept += count.kept;
  }
  return kept;
}

std::string SelectionRecord::Table() const {
  size_t animal_width = 6, area_width = 4;
  for (const Step& step : steps_) {
    for (const auto& [key, unused] : step.counts) {
      animal_width = std::max(animal_width, key.first.size());
      area_width = std::max(area_width, key.second.size());
    }
  }
  std::string text;
  for (const Step& step : steps_) {
    absl::StrAppend(&text, step.name, "\n");
    int64_t kept = 0, dropped = 0;
    const auto line = [&](const std::string& animal, const std::string& area,
                          const Count& count) {
      absl::StrAppendFormat(&text, "  %-*s  %-*s  %7d kept  %7d dropped\n", animal_width,
                            animal, area_width, area, count.kept, count.dropped);
    };
    for (const auto& [key, count] : step.counts) {
      line(key.first, key.second, count);
      kept += count.kept;
      dropped += count.dropped;
    }
    if (step.counts.size() > 1) line("all", "", {kept, dropped});
  }
  for (const std::string& note : notes_) absl::StrAppend(&text, note, "\n");
  return text;
}

std::string SelectionRecord::InWords() const {
  std::vector<std::string> parts;
  for (const Step& step : steps_) {
    int64_t kept = 0, all = 0;
    for (const auto& [unused, count] : step.counts) {
      kept += count.kept;
      all += count.kept + count.dropped;
    }
    parts.push_back(absl::StrCat(step.name, ": ", kept, " of ", all, " kept"));
  }
  parts.insert(parts.end(), notes_.begin(), notes_.end());
  return absl::StrJoin(parts, "; ");
}

std::pair<int64_t, int64_t> LongestRun(const std::vector<double>& values,
                                       double threshold) {
  std::pair<int64_t, int64_t> best = {0, 0};
  int64_t length = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    length = values[i] >= threshold ? length + 1 : 0;
    if (length > best.second) best = {static_cast<int64_t>(i) + 1 - length, length};
  }
  return best;
}

double Percentile(std::vector<double> values, double percent) {
  IAT_CHECK(!values.empty(), "a percentile of nothing");
  std::sort(values.begin(), values.end());
  const double place = percent / 100.0 * static_cast<double>(values.size() - 1);
  const auto low = static_cast<size_t>(std::floor(place));
  const size_t high = std::min(low + 1, values.size() - 1);
  return values[low] + (values[high] - values[low]) * (place - static_cast<double>(low));
}

std::vector<double> ColumnMedians(const std::vector<std::vector<double>>& rows) {
  std::vector<double> medians;
  for (size_t c = 0; !rows.empty() && c < rows[0].size(); ++c) {
    std::vector<double> column;
    for (const std::vector<double>& row : rows) {
      if (!std::isnan(row[c])) column.push_back(row[c]);
    }
    medians.push_back(column.empty() ? kNaN : Percentile(std::move(column), 50.0));
  }
  return medians;
}

double WelchP(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() < 2 || b.size() < 2) return kNaN;
  const auto moments = [](const std::vector<double>& x) {
    double mean = 0.0, square = 0.0;
    for (const double value : x) mean += value;
    mean /= static_cast<double>(x.size());
    for (const double value : x) square += (value - mean) * (value - mean);
    const double n = static_cast<double>(x.size());
    return std::pair<double, double>(mean, square / (n - 1.0) / n);
  };
  const auto [mean_a, error_a] = moments(a);
  const auto [mean_b, error_b] = moments(b);
  const double error = error_a + error_b;
  if (error == 0.0) return mean_a == mean_b ? kNaN : 0.0;
  const double t = (mean_a - mean_b) / std::sqrt(error);
  const double freedom = error * error /
                         (error_a * error_a / static_cast<double>(a.size() - 1) +
                          error_b * error_b / static_cast<double>(b.size() - 1));
  if (!std::isfinite(t) || !(freedom > 0.0) || !std::isfinite(freedom)) return kNaN;
  return StudentTTwoSided(freedom, t);
}

void KeepNeurons(const std::vector<bool>& keep, Recording& recording) {
  IAT_CHECK(keep.size() == recording.neurons.size(), "one flag a neuron");
  const size_t num_neurons = keep.size();
  std::vector<size_t> kept;
  for (size_t i = 0; i < num_neurons; ++i) {
    if (keep[i]) kept.push_back(i);
  }
  if (kept.size() == num_neurons) return;
  const size_t num_rows = num_neurons == 0 ? 0 : recording.responses.size() / num_neurons;
  // In place: what is written lies before what is still to be read.
  for (size_t row = 0; row < num_rows; ++row) {
    for (size_t k = 0; k < kept.size(); ++k) {
      recording.responses[row * kept.size() + k] =
          recording.responses[row * num_neurons + kept[k]];
    }
  }
  recording.responses.resize(num_rows * kept.size());
  recording.responses.shrink_to_fit();
  std::vector<RecordedNeuron> neurons;
  for (const size_t i : kept) neurons.push_back(std::move(recording.neurons[i]));
  recording.neurons = std::move(neurons);
  for (auto& [unused, values] : recording.by_neuron) {
    std::vector<double> remaining;
    for (const size_t i : kept) remaining.push_back(values[i]);
    values = std::move(remaining);
  }
}

void RecordStep(const std::string& step, const Recording& recording,
                const std::vector<bool>& keep, SelectionRecord& record) {
  for (size_t i = 0; i < keep.size(); ++i) {
    const RecordedNeuron& neuron = recording.neurons[i];
    record.Add(step, neuron.animal, neuron.area, keep[i] ? 1 : 0, keep[i] ? 0 : 1);
  }
}

void ApplySpecimenRule(double percent, Recording& recording, SelectionRecord& record) {
  if (percent <= 0.0) return;
  std::map<std::string, std::map<std::string, int64_t>> counts;  // area, animal
  for (const RecordedNeuron& neuron : recording.neurons) {
    ++counts[neuron.area][neuron.animal];
  }
  std::map<std::string, double> least;
  for (const auto& [area, animals] : counts) {
    std::vector<double> sizes;
    for (const auto& [unused, count] : animals) {
      sizes.push_back(static_cast<double>(count));
    }
    least[area] = std::ceil(Percentile(std::move(sizes), percent));
  }
  std::vector<bool> keep;
  for (const RecordedNeuron& neuron : recording.neurons) {
    keep.push_back(static_cast<double>(counts[neuron.area][neuron.animal]) >=
                   least[neuron.area]);
  }
  RecordStep(
      absl::StrFormat("animals at or above the area's percentile %g of neurons", percent),
      recording, keep, record);
  KeepNeurons(keep, recording);
}

}  // namespace iat
