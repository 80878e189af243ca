#include "app/figure3_data.h"

#include <cmath>
#include <functional>

#include "absl/strings/str_cat.h"

namespace iat {
namespace {

constexpr int kSteps = 80;  // of a drawn curve

std::vector<Figure3Point> PointsOf(const TargetCurves& curve) {
  const Eigen::VectorXd mean = curve.Mean(), spread = curve.Spread();
  std::vector<Figure3Point> points;
  for (size_t i = 0; i < curve.sizes.size(); ++i) {
    const auto row = static_cast<Eigen::Index>(i);
    points.push_back({curve.sizes[i], mean[row], spread[row]});
  }
  return points;
}

// On a log grid over the curve's sizes, stretched by `factor`.
std::vector<Figure3Point> Drawn(const TargetCurves& curve, double factor,
                                const std::function<double(double)>& r2) {
  std::vector<Figure3Point> points;
  const double first = curve.sizes.front(), last = curve.sizes.back();
  for (int i = 0; i <= kSteps; ++i) {
    const double size = first * std::pow(last / first, static_cast<double>(i) / kSteps);
    points.push_back({size * factor, r2(size), 0.0});
  }
  return points;
}

Figure3Panel MakePanel(const Calibration& calibration) {
  Figure3Panel panel;
  panel.area = calibration.animals.key.layer;
  panel.layer = calibration.models.key.layer;
  panel.stage = calibration.models.key.stage;
  panel.models = PointsOf(calibration.models);
  panel.animals = PointsOf(calibration.animals);
  panel.f_refused = calibration.f_refused;
  panel.g_refused = calibration.g_refused;
  panel.num_models = static_cast<int64_t>(calibration.models.animals.size());
  panel.num_animals = static_cast<int64_t>(calibration.animals.animals.size());
  panel.warnings = calibration.warnings;
  const auto f = [&](double m) { return calibration.f->curve.At(m); };
  if (calibration.f) panel.f = Drawn(calibration.models, 1.0, f);
  if (calibration.g) {
    panel.g =
        Drawn(calibration.animals, 1.0, [&](double n) { return calibration.g->At(n); });
  }
  if (calibration.ratio) {
    const Interval& alpha = calibration.ratio->neuron_to_unit_ratio;
    panel.ratio = alpha.mean;
    panel.ratio_low = alpha.low;
    panel.ratio_high = alpha.high;
    panel.calibrated = Drawn(calibration.models, alpha.mean, f);
    const SaturationPoint& needed = calibration.ratio->needed;
    panel.needed = SaturationSizeText(needed, needed.share);
    if (!calibration.no_interval_because.empty()) {
      panel.warnings.push_back(
          absl::StrCat("no interval: ", calibration.no_interval_because));
    }
  }
  return panel;
}

}  // namespace

Figure3Data MakeFigure3Data(const CalibrationReport& report) {
  Figure3Data data;
  data.formula = CurveFormula(report.options.form);
  data.confidence = report.options.confidence;
  data.simulated = report.simulated;
  for (const Calibration& calibration : report.calibrations) {
    const TargetCurvesKey& key = calibration.models.key;
    data.stimuli = key.stimuli;
    data.mapping = key.mapping;
    data.num_fit_stimuli = key.num_fit_stimuli;
    data.num_test_stimuli = key.num_test_stimuli;
    data.panels.push_back(MakePanel(calibration));
  }
  return data;
}

std::vector<ReportVerdict> MakeReportVerdicts(const std::vector<VerdictLine>& lines) {
  std::vector<ReportVerdict> verdicts;
  for (const VerdictLine& line : lines) {
    ReportVerdict& verdict = verdicts.emplace_back();
    verdict.claim = line.claim;
    verdict.verdict = VerdictName(line.verdict);
    verdict.reason = line.reason;
    verdict.rule = line.rule;
    for (const VerdictCase& each : line.cases) {
      verdict.cases.push_back({each.place, VerdictName(each.verdict), each.evidence});
    }
  }
  return verdicts;
}

}  // namespace iat
