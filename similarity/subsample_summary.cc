#include "similarity/subsample_summary.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/json_text.h"

namespace iat {
namespace {

auto CurveKey(const SamplingRow& row) {
  return std::make_tuple(row.score.stimuli, FamilyOf(row.score.target_animal), row.axis,
                         row.score.target_layer, row.score.target_stage,
                         row.score.target_scope, row.score.mapping);
}
using Key = decltype(CurveKey(SamplingRow()));

// Rows of one curve, by size and target.
using Values = std::map<int64_t, std::map<std::string, std::vector<double>>>;

SamplingCurve MakeCurve(const Key& key, const std::vector<const SamplingRow*>& rows) {
  SamplingCurve curve;
  std::tie(curve.stimuli, curve.family, curve.axis, curve.layer, curve.stage, curve.scope,
           curve.mapping) = key;
  std::map<std::string, int64_t> most_units;
  for (const SamplingRow* row : rows) {
    int64_t& most = most_units[row->score.target_animal];
    most = std::max(most, row->score.num_target_units);
  }
  Values values;
  std::set<int64_t> splits, samples;
  for (const SamplingRow* row : rows) {
    const ScoreRow& score = row->score;
    if (score.num_target_units < most_units[score.target_animal]) continue;
    std::vector<double>& of_target = values[row->size][score.target_animal];
    if (std::isnan(score.median_r2)) {
      ++curve.num_empty;
    } else {
      of_target.push_back(score.median_r2);
    }
    splits.insert(score.split_seed);
    samples.insert(row->sample_seed);
    curve.num_pooled_sources =
        std::max(curve.num_pooled_sources, row->num_pooled_sources);
    curve.num_fit_stimuli = std::max(curve.num_fit_stimuli, score.num_fit_stimuli);
    curve.num_test_stimuli = std::max(curve.num_test_stimuli, score.num_test_stimuli);
  }
  const auto [least, most] = std::minmax_element(
      most_units.begin(), most_units.end(),
      [](const auto& a, const auto& b) { return a.second < b.second; });
  curve.min_target_units = least->second;
  curve.max_target_units = most->second;
  curve.num_splits = static_cast<int64_t>(splits.size());
  curve.num_samples = static_cast<int64_t>(samples.size());
  for (const auto& [size, of_targets] : values) {
    std::map<std::string, double> mean_of_target;
    for (const auto& [target, medians] : of_targets) {
      if (medians.empty()) continue;
      double sum = 0.0;
      for (const double median : medians) sum += median;
      mean_of_target[target] = sum / static_cast<double>(medians.size());
    }
    SamplingPoint& point = curve.points.emplace_back();
    point.size = size;
    point.r2 = JackknifeOverTargets(mean_of_target);
    point.num_animals = static_cast<int64_t>(mean_of_target.size());
    curve.num_animals = std::max(curve.num_animals, point.num_animals);
  }
  return curve;
}

nlohmann::ordered_json Number(double value) {
  if (std::isnan(value)) return nullptr;
  return value;
}

}  // namespace

std::vector<SamplingCurve> SummariseSampling(const std::vector<SamplingRow>& rows) {
  std::map<Key, std::vector<const SamplingRow*>> groups;
  for (const SamplingRow& row : rows) groups[CurveKey(row)].push_back(&row);
  std::vector<SamplingCurve> curves;
  for (const auto& [key, members] : groups) curves.push_back(MakeCurve(key, members));
  return curves;
}

std::string SamplingSummaryText(const std::vector<SamplingCurve>& curves) {
  std::string text = absl::StrFormat(
      "%-12s %-8s %-8s %-10s %-22s %6s %7s %17s %7s %7s %6s\n", "family", "axis", "layer",
      "stage", "mapping", "size", "R2", "95 % interval", "animals", "samples", "splits");
  for (const SamplingCurve& curve : curves) {
    for (const SamplingPoint& point : curve.points) {
      const std::string interval =
          std::isnan(point.r2.low)
              ? "-"
              : absl::StrFormat("[%7.4f,%7.4f]", point.r2.low, point.r2.high);
      absl::StrAppendFormat(
          &text, "%-12s %-8s %-8s %-10s %-22s %6d %7.4f %17s %7d %7d %6d\n", curve.family,
          curve.axis, curve.layer, curve.stage, curve.mapping, point.size, point.r2.mean,
          interval, point.num_animals, curve.num_samples, curve.num_splits);
    }
  }
  return text;
}

std::string SamplingSummaryJson(const std::vector<SamplingCurve>& curves) {
  nlohmann::ordered_json json;
  json["curves"] = nlohmann::ordered_json::array();
  for (const SamplingCurve& curve : curves) {
    nlohmann::ordered_json points = nlohmann::ordered_json::array();
    for (const SamplingPoint& point : curve.points) {
      points.push_back({{"size", point.size},
                        {"mean", Number(point.r2.mean)},
                        {"low", Number(point.r2.low)},
                        {"high", Number(point.r2.high)},
                        {"num_animals", point.num_animals}});
    }
    json["curves"].push_back({{"stimuli", curve.stimuli},
                              {"family", curve.family},
                              {"axis", curve.axis},
                              {"layer", curve.layer},
                              {"stage", curve.stage},
                              {"scope", curve.scope},
                              {"mapping", curve.mapping},
                              {"num_animals", curve.num_animals},
                              {"num_splits", curve.num_splits},
                              {"num_samples", curve.num_samples},
                              {"num_pooled_sources", curve.num_pooled_sources},
                              {"num_fit_stimuli", curve.num_fit_stimuli},
                              {"num_test_stimuli", curve.num_test_stimuli},
                              {"min_target_units", curve.min_target_units},
                              {"max_target_units", curve.max_target_units},
                              {"num_empty", curve.num_empty},
                              {"points", std::move(points)}});
  }
  return JsonText(json);
}

}  // namespace iat
