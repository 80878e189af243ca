#include "similarity/calibration_text.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/json_text.h"
#include "similarity/saturation_json.h"

namespace iat {
namespace {

using Json = nlohmann::ordered_json;

Json IntervalJson(double value, double low, double high) {
  return {
      {"value", NumberJson(value)}, {"low", NumberJson(low)}, {"high", NumberJson(high)}};
}

Json PointsJson(const TargetCurves& curve) {
  Json points = Json::array();
  const Eigen::VectorXd mean = curve.Mean(), spread = curve.Spread();
  for (size_t i = 0; i < curve.sizes.size(); ++i) {
    const auto row = static_cast<Eigen::Index>(i);
    points.push_back({{"size", curve.sizes[i]},
                      {"r2", NumberJson(mean[row])},
                      {"spread", NumberJson(spread[row])}});
  }
  return points;
}

Json CurveJson(const TargetCurves& curve, const std::string& form,
               const std::string& refused, const std::vector<FittedParameter>& parameters,
               const std::string& intervals, double rms_residual) {
  Json json = {{"num_animals", curve.animals.size()},
               {"num_pooled_sources", curve.most_pooled_sources},
               {"form", form},
               {"formula", CurveFormula(form)}};
  if (!refused.empty()) {
    json["refused"] = refused;
  } else {
    Json fitted = Json::object();
    for (const FittedParameter& parameter : parameters) {
      fitted[parameter.name] =
          IntervalJson(parameter.value, parameter.low, parameter.high);
    }
    json["parameters"] = fitted;
    json["intervals"] = intervals;
    json["rms_residual"] = NumberJson(rms_residual);
  }
  json["points"] = PointsJson(curve);
  return json;
}

Json MatchJson(const Calibration& calibration, const CalibrationOptions& options) {
  Json json = {{"area", calibration.animals.key.layer},
               {"layer", calibration.models.key.layer},
               {"model_stage", calibration.models.key.stage}};
  json["f"] = CurveJson(calibration.models, "arctan", calibration.f_refused,
                        calibration.f_parameters, calibration.f_intervals,
                        calibration.f ? calibration.f->rms_residual : NAN);
  json["g"] = CurveJson(calibration.animals, options.form, calibration.g_refused,
                        calibration.g_parameters, calibration.g_intervals,
                        calibration.g ? calibration.g->rms_residual() : NAN);
  if (calibration.ratio) {
    const CalibratedRatio& ratio = *calibration.ratio;
    const Interval& alpha = ratio.neuron_to_unit_ratio;
    json["neuron_to_unit_ratio"] = IntervalJson(alpha.mean, alpha.low, alpha.high);
    json["rms_distance"] = NumberJson(ratio.rms_distance);
    json["at_edge"] = ratio.at_edge;
    json["needed_neurons"] = {{"state", SaturationStateName(ratio.needed.state)},
                              {"share", SizeJson(ratio.needed.share)},
                              {"within", SizeJson(ratio.needed.within)},
                              {"largest_size", NumberJson(ratio.needed.largest_size)},
                              {"largest_r2", NumberJson(ratio.needed.largest_r2)}};
  } else {
    json["neuron_to_unit_ratio"] = nullptr;
  }
  json["no_interval_because"] = calibration.no_interval_because;
  json["warnings"] = calibration.warnings;
  return json;
}

Json MeasureJson(const CalibrationReport& report) {
  Json json = {
      {"r2",
       "median over target units, mean over splits and subsamples of units, mean "
       "over target animals"},
      {"noise_correction", report.noise_correction}};
  if (report.calibrations.empty()) return json;
  const TargetCurves& models = report.calibrations.front().models;
  json["stimuli"] = models.key.stimuli;
  json["axis"] = models.key.axis;
  json["mapping"] = models.key.mapping;
  json["num_fit_stimuli"] = models.key.num_fit_stimuli;
  json["num_test_stimuli"] = models.key.num_test_stimuli;
  json["split_seeds"] = models.split_seeds;
  return json;
}

std::string RatioText(const Calibration& calibration) {
  if (!calibration.ratio) return "no ratio";
  const Interval& alpha = calibration.ratio->neuron_to_unit_ratio;
  std::string text = absl::StrFormat("%.4g", alpha.mean);
  if (calibration.ratio->at_edge) return absl::StrCat(text, " (edge)");
  if (std::isnan(alpha.low)) return text;
  return absl::StrFormat("%s [%.4g, %.4g]", text, alpha.low, alpha.high);
}

void AppendReasons(const Calibration& calibration, std::string& text) {
  const std::string name = calibration.Name();
  const auto say = [&](const std::string& words) {
    absl::StrAppend(&text, name, ": ", words, "\n");
  };
  if (!calibration.f_refused.empty()) {
    say(absl::StrCat("fit of the networks refused: ", calibration.f_refused));
  }
  if (!calibration.g_refused.empty()) {
    say(absl::StrCat("fit of the recorded animals refused: ", calibration.g_refused));
  }
  if (calibration.ratio && !calibration.no_interval_because.empty()) {
    say(absl::StrCat("no interval: ", calibration.no_interval_because));
  }
  for (const std::string& warning : calibration.warnings) say(warning);
}

}  // namespace

std::string CurveFormula(const std::string& form) {
  if (form == "arctan") return "L arctan(k m) + b";
  if (form == "log") return "a ln n + c";
  if (form == "literal") return "ln(k n) + b";
  return "monotone interpolation in ln n";
}

std::string CalibrationText(const CalibrationReport& report) {
  std::string text;
  if (report.simulated) {
    absl::StrAppend(&text, "SIMULATED: the recorded animals below are simulated.\n");
  }
  absl::StrAppendFormat(&text, "%-10s %-8s %-10s %9s %9s %-26s %9s %-24s %-24s\n", "area",
                        "layer", "stage", "networks", "recorded", "neurons per unit",
                        "distance", "neurons for 95 %", "neurons within 0.02");
  for (const Calibration& calibration : report.calibrations) {
    const auto needed = [&](SaturationSize SaturationPoint::*which) -> std::string {
      if (!calibration.ratio) return "-";
      const SaturationPoint& point = calibration.ratio->needed;
      return SaturationSizeText(point, point.*which);
    };
    absl::StrAppendFormat(
        &text, "%-10s %-8s %-10s %9d %9d %-26s %9s %-24s %-24s\n",
        calibration.animals.key.layer, calibration.models.key.layer,
        calibration.models.key.stage, calibration.models.animals.size(),
        calibration.animals.animals.size(), RatioText(calibration),
        calibration.ratio ? absl::StrFormat("%.4f", calibration.ratio->rms_distance)
                          : "-",
        needed(&SaturationPoint::share), needed(&SaturationPoint::within));
  }
  for (const Calibration& calibration : report.calibrations) {
    AppendReasons(calibration, text);
  }
  for (const std::string& pair : report.left_out) {
    absl::StrAppend(&text, "left out: ", pair, "\n");
  }
  return text;
}

std::string CalibrationJson(const CalibrationReport& report) {
  Json json = {{"measure", MeasureJson(report)},
               {"simulated", report.simulated},
               {"confidence", report.options.confidence}};
  Json matches = Json::array();
  for (const Calibration& calibration : report.calibrations) {
    matches.push_back(MatchJson(calibration, report.options));
  }
  json["matches"] = matches;
  json["left_out"] = report.left_out;
  Json areas = Json::array();
  for (const AreaMatch& match : report.matches) {
    areas.push_back({{"area", match.area},
                     {"layer", match.layer},
                     {"r2", NumberJson(match.r2)},
                     {"chosen", match.chosen}});
  }
  json["area_match"] = areas;
  return JsonText(json) + "\n";
}

}  // namespace iat
