#include "similarity/saturation.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/json_text.h"
#include "base/nan.h"
#include "base/status.h"
#include "similarity/jackknife.h"
#include "similarity/saturation_json.h"

namespace iat {
namespace {

// Linear in log size; `size` inside the curve.
double Interpolate(const std::vector<double>& sizes, const Eigen::VectorXd& r2,
                   double size) {
  size_t i = 1;
  while (i + 1 < sizes.size() && sizes[i] < size) ++i;
  const double share = std::log(size / sizes[i - 1]) / std::log(sizes[i] / sizes[i - 1]);
  return (1.0 - share) * r2[i - 1] + share * r2[i];
}

// Where the curve last rises to `level`, which its last point reaches.
SaturationSize LastRise(const std::vector<double>& sizes, const Eigen::VectorXd& r2,
                        double level) {
  SaturationSize found;
  size_t i = sizes.size() - 1;
  while (i > 0 && r2[i - 1] >= level) --i;
  found.size = sizes[i];
  found.at_smallest = i == 0;
  if (i > 0) {
    const double share = (level - r2[i - 1]) / (r2[i] - r2[i - 1]);
    found.size = sizes[i - 1] * std::pow(sizes[i] / sizes[i - 1], share);
  }
  return found;
}

void AddInterval(const std::vector<SaturationPoint>& without,
                 SaturationSize SaturationPoint::*which, double confidence,
                 SaturationSize& size) {
  std::vector<double> logs;
  bool any_at_smallest = size.at_smallest;
  for (const SaturationPoint& point : without) {
    logs.push_back(std::log((point.*which).size));
    any_at_smallest = any_at_smallest || (point.*which).at_smallest;
  }
  const Interval interval =
      TInterval(std::log(size.size), JackknifeVariance(logs), confidence);
  size.low = any_at_smallest ? 0.0 : std::exp(interval.low);
  size.high = std::exp(interval.high);
}

// Fills the intervals, or says why there are none.
std::string AddIntervals(const TargetCurves& curve, const SaturationRules& rules,
                         SaturationPoint& point) {
  if (point.state != SaturationState::kSaturated) return SaturationStateName(point.state);
  if (curve.animals.size() < kFewestAnimals) {
    return absl::StrCat("fewer than ", kFewestAnimals, " target animals");
  }
  std::vector<SaturationPoint> without;
  for (size_t i = 0; i < curve.animals.size(); ++i) {
    without.push_back(FindSaturation(
        curve.sizes, curve.MeanWithout(static_cast<Eigen::Index>(i)), rules));
    if (without.back().state != SaturationState::kSaturated) {
      return absl::StrCat("without ", curve.animals[i], " it is ",
                          SaturationStateName(without.back().state));
    }
  }
  AddInterval(without, &SaturationPoint::share, rules.confidence, point.share);
  AddInterval(without, &SaturationPoint::within, rules.confidence, point.within);
  return "";
}

}  // namespace

nlohmann::ordered_json SizeJson(const SaturationSize& size) {
  return {{"size", NumberJson(size.size)},
          {"low", NumberJson(size.low)},
          {"high", NumberJson(size.high)},
          {"at_smallest", size.at_smallest}};
}

std::string SaturationStateName(SaturationState state) {
  switch (state) {
    case SaturationState::kSaturated:
      return "saturated";
    case SaturationState::kNotSaturated:
      return "not saturated";
    case SaturationState::kUndefined:
      return "undefined";
  }
  return "";
}

SaturationPoint FindSaturation(const std::vector<double>& sizes,
                               const Eigen::VectorXd& r2, const SaturationRules& rules) {
  IAT_CHECK(!sizes.empty() && static_cast<Eigen::Index>(sizes.size()) == r2.size(),
            "a curve has one value a size");
  SaturationPoint point;
  point.largest_size = sizes.back();
  point.largest_r2 = r2[r2.size() - 1];
  const double half = point.largest_size / 2.0;
  if (half >= sizes.front()) {
    point.last_gain = point.largest_r2 - Interpolate(sizes, r2, half);
  }
  if (!(point.largest_r2 >= rules.least_r2) || std::isnan(point.last_gain)) return point;
  point.state = point.last_gain > rules.last_gain ? SaturationState::kNotSaturated
                                                  : SaturationState::kSaturated;
  if (point.state == SaturationState::kSaturated) {
    point.share = LastRise(sizes, r2, rules.share * point.largest_r2);
    point.within = LastRise(sizes, r2, point.largest_r2 - rules.within);
  }
  return point;
}

std::vector<Saturation> FindSaturations(const std::vector<TargetCurves>& curves,
                                        const SaturationRules& rules) {
  std::vector<Saturation> lines;
  for (const TargetCurves& curve : curves) {
    Saturation line;
    line.key = curve.key;
    line.num_animals = static_cast<int64_t>(curve.animals.size());
    line.point = FindSaturation(curve.sizes, curve.Mean(), rules);
    line.without_because = AddIntervals(curve, rules, line.point);
    line.paper = PaperSaturation(curve.key.axis, curve.key.stage, curve.key.mapping);
    lines.push_back(std::move(line));
  }
  return lines;
}

std::optional<double> PaperSaturation(const std::string& axis, const std::string& stage,
                                      const std::string& mapping) {
  if (mapping != "ridge") return std::nullopt;
  struct Reading {
    const char *axis, *stage;
    double size;
  };
  static constexpr Reading kReadings[] = {{"stimuli", "post_relu", 500},
                                          {"stimuli", "pre_relu", 200},
                                          {"units", "post_relu", 500},
                                          {"units", "pre_relu", 100}};
  for (const Reading& reading : kReadings) {
    if (axis == reading.axis && stage == reading.stage) return reading.size;
  }
  return std::nullopt;
}

std::string SaturationSizeText(const SaturationPoint& point, const SaturationSize& size) {
  if (point.state != SaturationState::kSaturated) return SaturationStateName(point.state);
  std::string text = absl::StrFormat("%s%.0f", size.at_smallest ? "<= " : "", size.size);
  if (!std::isnan(size.low)) {
    absl::StrAppendFormat(&text, " [%.0f, %.0f]", size.low, size.high);
  }
  return text;
}

std::string SaturationText(const std::vector<Saturation>& lines,
                           const SaturationRules& rules) {
  std::string text =
      absl::StrFormat("%-12s %-8s %-10s %-22s %-8s %7s %8s %9s %-22s %-22s %6s\n",
                      "family", "layer", "stage", "mapping", "axis", "animals", "largest",
                      "R2 there", absl::StrFormat("%.0f %% of it at", 100 * rules.share),
                      absl::StrFormat("within %g of it at", rules.within), "paper");
  for (const Saturation& line : lines) {
    absl::StrAppendFormat(
        &text, "%-12s %-8s %-10s %-22s %-8s %7d %8.0f %9.4f %-22s %-22s %6s\n",
        line.key.family, line.key.layer, line.key.stage, line.key.mapping, line.key.axis,
        line.num_animals, line.point.largest_size, line.point.largest_r2,
        SaturationSizeText(line.point, line.point.share),
        SaturationSizeText(line.point, line.point.within),
        line.paper ? absl::StrFormat("%.0f", *line.paper) : "-");
  }
  return text;
}

std::string SaturationJson(const std::vector<Saturation>& lines) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const Saturation& line : lines) {
    json.push_back({{"stimuli", line.key.stimuli},
                    {"family", line.key.family},
                    {"layer", line.key.layer},
                    {"stage", line.key.stage},
                    {"scope", line.key.scope},
                    {"mapping", line.key.mapping},
                    {"axis", line.key.axis},
                    {"num_fit_stimuli", line.key.num_fit_stimuli},
                    {"num_test_stimuli", line.key.num_test_stimuli},
                    {"num_target_units", line.key.num_target_units},
                    {"num_animals", line.num_animals},
                    {"state", SaturationStateName(line.point.state)},
                    {"largest_size", line.point.largest_size},
                    {"largest_r2", NumberJson(line.point.largest_r2)},
                    {"last_gain", NumberJson(line.point.last_gain)},
                    {"share_size", SizeJson(line.point.share)},
                    {"within_size", SizeJson(line.point.within)},
                    {"no_interval_because", line.without_because},
                    {"paper", NumberJson(line.paper.value_or(kNaN))}});
  }
  return JsonText(json);
}

}  // namespace iat
