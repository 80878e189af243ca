// How many neurons does it take to stand for one unit of a network?
//
//   alpha* = argmin over alpha of  integral over n of (f(n / alpha) - g(n))^2 dn
//
// with f fitted to the R2 of networks against the number of source units, g to that of
// recorded animals against the number of source neurons (similarity/curve_fit.h), and n
// from 0 to N, the largest number of pooled source neurons; "sampled" begins at its
// smallest size, below which g is not known. alpha* is neuron_to_unit_ratio: neurons per
// unit, so that n neurons stand for n / alpha units, and f(n / alpha*) is the animals'
// curve where they have too few neurons to measure it.
//
// Integral   Tanh-sinh for the formulas, whose logarithm has no value at 0 but a
//            square that can be integrated; Gauss-Legendre with 15 points between every
//            two sizes of "sampled".
// Argmin     A scan of ln alpha between min_ratio and max_ratio, and Brent's method
//            from every local minimum (similarity/scanned_minimum.h). At an end of that
//            range alpha* is a bound, and says so.
// Measure    f and g must measure the same: axis "units", one stimulus set, one mapping,
//            the same numbers of fit and test stimuli, and the same splits.
// Interval   of ln alpha*: two independent groups of animals, networks and recordings.
//            f is refitted without one network as target at a time, g without one
//            recorded animal, and the two jackknife variances add (similarity/
//            jackknife.h). Weights stay those of the whole groups, so that all refits are
//            of one estimator. Intervals of the parameters come from the same refits. No
//            interval below 4 animals on either side, or where a refit is refused or
//            ends at a bound.
// Needed     The neurons from which f(n / alpha*) is saturated by the rules of
//            similarity/saturation.h: alpha* times the units from which f is, between the
//            smallest and largest measured number of units. Same jackknife.
// Source     Sagastuy-Brena et al., CCN 2022, "Estimating the neuron-to-unit ratio".
//
// Example:
//   const auto models = MakeTargetCurves(model_rows);
//   const auto animals = MakeTargetCurves(animal_rows);
//   const auto calibration = Calibrate(models[0], animals[0], {});
//   if (!calibration.ok()) return calibration.status();
//   calibration->ratio->neuron_to_unit_ratio.mean;

#ifndef IAT_SIMILARITY_CALIBRATE_H_
#define IAT_SIMILARITY_CALIBRATE_H_

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "similarity/curve_fit.h"
#include "similarity/jackknife.h"
#include "similarity/saturation.h"
#include "similarity/target_curves.h"

namespace iat {

struct CalibrationOptions {
  std::string form = "log";  // of g: "log", "literal", "sampled"
  double confidence = 0.95;
  double min_ratio = 1e-3, max_ratio = 1e3;  // of alpha, neurons per unit
};

// The integral above.
double SquaredDistance(const ArctanCurve& f, const AnimalCurve& g, double alpha);

struct RatioFit {
  double alpha = 0;
  double rms_distance = 0;  // sqrt(integral / length of its range), in R2
  bool at_edge = false;     // alpha is min_ratio or max_ratio
  int num_local_minima = 0;
};
RatioFit FitRatio(const ArctanCurve& f, const AnimalCurve& g,
                  const CalibrationOptions& options);

struct CalibratedRatio {
  Interval neuron_to_unit_ratio;  // NaN ends: no interval
  double rms_distance = 0;
  bool at_edge = false;
  // Of the animals' curve f(n / alpha*), in neurons.
  SaturationPoint needed;
};

struct Calibration {
  TargetCurves models, animals;
  std::optional<ArctanFit> f;
  std::optional<AnimalCurve> g;
  std::string f_refused, g_refused;  // why there is no f, no g; in words
  std::vector<FittedParameter> f_parameters, g_parameters;
  std::string f_intervals, g_intervals;  // "jackknife" or "linearised"
  std::optional<CalibratedRatio> ratio;  // where both curves hold
  std::string no_interval_because;       // "" where the ratio has one
  std::vector<std::string> warnings;

  // "area VISp, layer conv3", or "layer conv3" where they have the same name.
  std::string Name() const;
};

// InvalidArgument naming what differs, with both values, where the curves are not the
// same measure. A refused fit is no error.
absl::Status CheckSameMeasure(const TargetCurves& models, const TargetCurves& animals);
absl::StatusOr<Calibration> Calibrate(const TargetCurves& models,
                                      const TargetCurves& animals,
                                      const CalibrationOptions& options);

// R2 / reliability of a row's target animal and area; what noise in the target's trial
// means takes from R2. reliability: (animal, area) to a number in (0, 1]. NotFound naming
// a target that has none, InvalidArgument naming one out of range.
using Reliability = std::map<std::pair<std::string, std::string>, double>;
absl::StatusOr<std::vector<SamplingRow>> CorrectForTargetNoise(
    std::vector<SamplingRow> rows, const Reliability& reliability);

}  // namespace iat

#endif  // IAT_SIMILARITY_CALIBRATE_H_
