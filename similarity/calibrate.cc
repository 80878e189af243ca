#include "similarity/calibrate.h"

#include <algorithm>
#include <boost/math/quadrature/gauss.hpp>
#include <boost/math/quadrature/tanh_sinh.hpp>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/nan.h"
#include "base/status.h"
#include "similarity/scanned_minimum.h"

namespace iat {
namespace {

constexpr int kRatioScan = 60;
constexpr int kNeededSteps = 200;  // of a calibrated curve, on a log grid

template <typename Value>
absl::Status CheckEqual(absl::string_view what, const Value& models,
                        const Value& animals) {
  if (models == animals) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("networks and recorded animals are not the same measure: ", what,
                   " of the networks is ", models, ", of the animals ", animals));
}

// One curve's measurements as its fit wants them; the spread is always that of all
// animals.
std::vector<CurvePoint> PointsOf(const TargetCurves& curve, const Eigen::VectorXd& mean) {
  const Eigen::VectorXd spread = curve.Spread();
  std::vector<CurvePoint> points;
  for (size_t i = 0; i < curve.sizes.size(); ++i) {
    const auto row = static_cast<Eigen::Index>(i);
    points.push_back({curve.sizes[i], mean[row], spread[row]});
  }
  return points;
}

SaturationPoint Needed(const ArctanCurve& f, const std::vector<double>& unit_sizes,
                       double alpha) {
  std::vector<double> neurons;
  Eigen::VectorXd r2(kNeededSteps + 1);
  for (int i = 0; i <= kNeededSteps; ++i) {
    const double share = static_cast<double>(i) / kNeededSteps;
    const double units =
        unit_sizes.front() * std::pow(unit_sizes.back() / unit_sizes.front(), share);
    neurons.push_back(alpha * units);
    r2[i] = f.At(units);
  }
  return FindSaturation(neurons, r2, {});
}

// What the curves give without one animal: of the networks' side (f refitted) or of the
// recorded animals' (g refitted).
struct Refits {
  std::vector<double> log_alpha;
  std::vector<SaturationPoint> needed;
};

std::vector<FittedParameter> ParametersOf(const ArctanFit& fit) { return fit.parameters; }
std::vector<FittedParameter> ParametersOf(const AnimalCurve& fit) {
  return fit.parameters();
}

// Refits without every animal of `curve`, or why there are none.
template <typename Fit, typename Function>
absl::StatusOr<std::vector<Fit>> FitsWithoutOne(const TargetCurves& curve,
                                                const Function& fit) {
  if (curve.animals.size() < kFewestAnimals) {
    return absl::FailedPreconditionError(absl::StrCat(
        "fewer than ", kFewestAnimals, " target animals (", curve.animals.size(), ")"));
  }
  std::vector<Fit> fits;
  for (size_t i = 0; i < curve.animals.size(); ++i) {
    absl::StatusOr<Fit> refit =
        fit(PointsOf(curve, curve.MeanWithout(static_cast<Eigen::Index>(i))));
    if (!refit.ok()) {
      return absl::FailedPreconditionError(
          absl::StrCat("without ", curve.animals[i],
                       " the fit is refused: ", refit.status().message()));
    }
    fits.push_back(*std::move(refit));
  }
  return fits;
}

// The parameters with jackknifed intervals; k's is that of ln k.
template <typename Fit>
std::vector<FittedParameter> JackknifedParameters(const Fit& whole,
                                                  const std::vector<Fit>& without,
                                                  double confidence) {
  std::vector<FittedParameter> parameters = ParametersOf(whole);
  for (size_t p = 0; p < parameters.size(); ++p) {
    FittedParameter& parameter = parameters[p];
    const bool log_scale = parameter.name == "k";
    const auto scaled = [&](double value) { return log_scale ? std::log(value) : value; };
    std::vector<double> values;
    for (const Fit& fit : without) values.push_back(scaled(ParametersOf(fit)[p].value));
    const Interval interval =
        TInterval(scaled(parameter.value), JackknifeVariance(values), confidence);
    parameter.low = log_scale ? std::exp(interval.low) : interval.low;
    parameter.high = log_scale ? std::exp(interval.high) : interval.high;
  }
  return parameters;
}

// Interval of the exponential of an estimate, from both sides' refits of its logarithm.
Interval LogInterval(double log_value, const std::vector<double>& models,
                     const std::vector<double>& animals, double confidence) {
  const Interval interval = TInterval(
      log_value, SumOfVariances(JackknifeVariance(models), JackknifeVariance(animals)),
      confidence);
  return {std::exp(interval.mean), std::exp(interval.low), std::exp(interval.high)};
}

void AddNeededInterval(const Refits& models, const Refits& animals,
                       SaturationSize SaturationPoint::*which, double confidence,
                       SaturationSize& size) {
  bool any_at_smallest = size.at_smallest;
  const auto logs = [&](const Refits& refits) {
    std::vector<double> values;
    for (const SaturationPoint& point : refits.needed) {
      values.push_back(std::log((point.*which).size));
      any_at_smallest = any_at_smallest || (point.*which).at_smallest;
    }
    return values;
  };
  const Interval interval =
      LogInterval(std::log(size.size), logs(models), logs(animals), confidence);
  size.low = any_at_smallest ? 0.0 : interval.low;
  size.high = interval.high;
}

// Adds what one refit gives; false where it ends at a bound.
bool AddRefit(const ArctanCurve& f, const AnimalCurve& g,
              const std::vector<double>& unit_sizes, const CalibrationOptions& options,
              Refits& refits) {
  const RatioFit ratio = FitRatio(f, g, options);
  refits.log_alpha.push_back(std::log(ratio.alpha));
  refits.needed.push_back(Needed(f, unit_sizes, ratio.alpha));
  return !ratio.at_edge;
}

// Fills the ratio's intervals, or says why there are none.
std::string AddRatioIntervals(const ArctanFit& f, const AnimalCurve& g,
                              const absl::StatusOr<std::vector<ArctanFit>>& f_without,
                              const absl::StatusOr<std::vector<AnimalCurve>>& g_without,
                              const std::vector<double>& unit_sizes,
                              const CalibrationOptions& options, CalibratedRatio& ratio) {
  if (ratio.at_edge) return "the ratio is at the edge of its range";
  if (!f_without.ok()) {
    return absl::StrCat("networks: ", f_without.status().message());
  }
  if (!g_without.ok()) {
    return absl::StrCat("recorded animals: ", g_without.status().message());
  }
  Refits models, animals;
  for (const ArctanFit& fit : *f_without) {
    if (AddRefit(fit.curve, g, unit_sizes, options, models)) continue;
    return "without one of the networks the ratio is at the edge of its range";
  }
  for (const AnimalCurve& fit : *g_without) {
    if (AddRefit(f.curve, fit, unit_sizes, options, animals)) continue;
    return "without one of the recorded animals the ratio is at the edge of its range";
  }
  ratio.neuron_to_unit_ratio =
      LogInterval(std::log(ratio.neuron_to_unit_ratio.mean), models.log_alpha,
                  animals.log_alpha, options.confidence);
  const auto saturated = [](const SaturationPoint& point) {
    return point.state == SaturationState::kSaturated;
  };
  if (saturated(ratio.needed) &&
      std::all_of(models.needed.begin(), models.needed.end(), saturated)) {
    for (const auto which : {&SaturationPoint::share, &SaturationPoint::within}) {
      AddNeededInterval(models, animals, which, options.confidence, ratio.needed.*which);
    }
  }
  return "";
}

void AddWarnings(const CalibrationOptions& options, const RatioFit& ratio,
                 Calibration& calibration) {
  std::vector<std::string>& warnings = calibration.warnings;
  if (ratio.at_edge) {
    warnings.push_back(absl::StrFormat(
        "the ratio, %.4g, is at the edge of its range (%g to %g): a bound, no estimate",
        ratio.alpha, options.min_ratio, options.max_ratio));
  }
  if (ratio.num_local_minima > 1) {
    warnings.push_back(absl::StrFormat(
        "the distance between the curves has %d local minima; the lowest is taken",
        ratio.num_local_minima));
  }
  const double units = calibration.g->largest_size() / ratio.alpha;
  if (units > calibration.models.sizes.back()) {
    warnings.push_back(absl::StrFormat(
        "%.0f neurons stand for %.0f units, more than the %.0f that f was measured at",
        calibration.g->largest_size(), units, calibration.models.sizes.back()));
  }
}

}  // namespace

double SquaredDistance(const ArctanCurve& f, const AnimalCurve& g, double alpha) {
  const auto square = [&](double n) {
    const double difference = f.At(n / alpha) - g.At(n);
    return difference * difference;
  };
  const std::vector<double>& knots = g.knots();
  if (g.smallest_size() == 0.0) {
    // Its tables take longer to make than a curve to integrate.
    static thread_local boost::math::quadrature::tanh_sinh<double> integrator;
    return integrator.integrate(square, knots.front(), knots.back());
  }
  double sum = 0.0;
  for (size_t i = 1; i < knots.size(); ++i) {
    sum += boost::math::quadrature::gauss<double, 15>::integrate(square, knots[i - 1],
                                                                 knots[i]);
  }
  return sum;
}

RatioFit FitRatio(const ArctanCurve& f, const AnimalCurve& g,
                  const CalibrationOptions& options) {
  const MinimumFound found = ScannedMinimum(
      [&](double log_alpha) { return SquaredDistance(f, g, std::exp(log_alpha)); },
      std::log(options.min_ratio), std::log(options.max_ratio), kRatioScan);
  RatioFit fit;
  fit.alpha = std::exp(found.x);
  fit.rms_distance = std::sqrt(found.value / (g.largest_size() - g.smallest_size()));
  fit.at_edge = found.at_edge;
  fit.num_local_minima = found.num_local_minima;
  return fit;
}

std::string Calibration::Name() const {
  const std::string &area = animals.key.layer, &layer = models.key.layer;
  return area == layer ? absl::StrCat("layer ", layer)
                       : absl::StrCat("area ", area, ", layer ", layer);
}

absl::Status CheckSameMeasure(const TargetCurves& models, const TargetCurves& animals) {
  const auto seeds = [](const TargetCurves& curve) {
    return absl::StrCat("[", absl::StrJoin(curve.split_seeds, ", "), "]");
  };
  const TargetCurvesKey &m = models.key, &a = animals.key;
  IAT_RETURN_IF_ERROR(CheckEqual("the axis", m.axis, a.axis));
  IAT_RETURN_IF_ERROR(CheckEqual("the axis", m.axis, std::string("units")));
  IAT_RETURN_IF_ERROR(CheckEqual("the stimulus set", m.stimuli, a.stimuli));
  IAT_RETURN_IF_ERROR(CheckEqual("the mapping", m.mapping, a.mapping));
  IAT_RETURN_IF_ERROR(
      CheckEqual("the number of fit stimuli", m.num_fit_stimuli, a.num_fit_stimuli));
  IAT_RETURN_IF_ERROR(
      CheckEqual("the number of test stimuli", m.num_test_stimuli, a.num_test_stimuli));
  return CheckEqual("the list of split seeds", seeds(models), seeds(animals));
}

absl::StatusOr<Calibration> Calibrate(const TargetCurves& models,
                                      const TargetCurves& animals,
                                      const CalibrationOptions& options) {
  IAT_RETURN_IF_ERROR(CheckSameMeasure(models, animals));
  Calibration result;
  result.models = models;
  result.animals = animals;
  const CurveFitOptions whole{.confidence = options.confidence, .refuse_weak = true};
  const CurveFitOptions part{.confidence = options.confidence, .refuse_weak = false};
  absl::StatusOr<ArctanFit> f = FitArctan(PointsOf(models, models.Mean()), whole);
  absl::StatusOr<AnimalCurve> g =
      AnimalCurve::Fit(options.form, PointsOf(animals, animals.Mean()), whole);
  for (const absl::Status& status : {f.status(), g.status()}) {
    if (!status.ok() && !absl::IsFailedPrecondition(status)) return status;
  }
  if (!f.ok()) result.f_refused = std::string(f.status().message());
  if (!g.ok()) result.g_refused = std::string(g.status().message());
  const auto f_without = FitsWithoutOne<ArctanFit>(
      models, [&](const auto& points) { return FitArctan(points, part); });
  const auto g_without = FitsWithoutOne<AnimalCurve>(animals, [&](const auto& points) {
    return AnimalCurve::Fit(options.form, points, part);
  });
  if (f.ok()) {
    result.f = *f;
    result.f_intervals = f_without.ok() ? "jackknife" : "linearised";
    result.f_parameters = f_without.ok()
                              ? JackknifedParameters(*f, *f_without, options.confidence)
                              : f->parameters;
  }
  if (g.ok()) {
    result.g = *g;
    result.g_intervals = g_without.ok() ? "jackknife" : "linearised";
    result.g_parameters = g_without.ok()
                              ? JackknifedParameters(*g, *g_without, options.confidence)
                              : g->parameters();
  }
  if (!f.ok() || !g.ok()) {
    result.no_interval_because = "there is no ratio without both curves";
    return result;
  }
  const RatioFit ratio = FitRatio(f->curve, *g, options);
  result.ratio = CalibratedRatio{.neuron_to_unit_ratio = {ratio.alpha, kNaN, kNaN},
                                 .rms_distance = ratio.rms_distance,
                                 .at_edge = ratio.at_edge,
                                 .needed = Needed(f->curve, models.sizes, ratio.alpha)};
  result.no_interval_because = AddRatioIntervals(*f, *g, f_without, g_without,
                                                 models.sizes, options, *result.ratio);
  AddWarnings(options, ratio, result);
  return result;
}

absl::StatusOr<std::vector<SamplingRow>> CorrectForTargetNoise(
    std::vector<SamplingRow> rows, const Reliability& reliability) {
  for (SamplingRow& row : rows) {
    ScoreRow& score = row.score;
    const auto found = reliability.find({score.target_animal, score.target_layer});
    const std::string place =
        absl::StrCat(score.target_animal, ", area ", score.target_layer);
    if (found == reliability.end()) {
      return absl::NotFoundError(
          absl::StrCat(place,
                       " has no reliability; noise_correction = \"target\" needs "
                       "one for every recorded target"));
    }
    if (!(found->second > 0.0) || found->second > 1.0) {
      return absl::InvalidArgumentError(absl::StrCat(
          place, " has reliability ", found->second, "; expected a number in (0, 1]"));
    }
    for (double ScoreRow::*value : {&ScoreRow::median_r2, &ScoreRow::mean_r2,
                                    &ScoreRow::q25_r2, &ScoreRow::q75_r2}) {
      score.*value /= found->second;
    }
  }
  return rows;
}

}  // namespace iat
