// Curves of R2 against size, fitted to measured points.
//
//   models    f(m) = L arctan(k m) + b                    k > 0; b may be negative
//   animals   g(n) = a ln n + c             form "log"
//             g(n) = ln(k n) + b            form "literal": as printed in the paper, with
//                                           a slope of 1 that no R2 has
//             g through the points          form "sampled"
//
// Weights    1 / spread^2; equal ones where no point has a spread. Weighted least
// squares. f          For fixed k the best L and b are linear (variable projection: Golub
// &
//            Pereyra, SIAM J. Numer. Anal. 10, 1973), so that the search is over ln k
//            alone: a scan of its whole range, Brent's method from every local minimum of
//            the scan, and the best of them.
// "sampled"  Monotone piecewise cubic Hermite interpolation in ln n (Fritsch & Carlson,
//            SIAM J. Numer. Anal. 17, 1980; SciPy's PchipInterpolator): no overshoot
//            between points. Below the smallest size and above the largest it stays
//            where it is.
// Intervals  Linearised: (J'WJ)^-1 times the residuals' mean weighted square, t quantile
//            on points - parameters. Points of one curve share animals, so where animals
//            can be left out (similarity/calibrate.h) those intervals are the ones to
//            trust.
// Refusals   A fit that does not hold is not returned. FailedPrecondition, whose message
//            is for the reader of a figure:
//              too few   fewer than 5 sizes for f, 3 for "log", 2 for "literal", 4 for
//                        "sampled"
//              nothing   R2 at the largest size is not above 0 by two spreads
//              flat      the curve rises less than 0.02 from the smallest size to the
//                        largest, or no better than chance (F test against a constant,
//                        5 %)
//              bound     k is so small that the points are a straight line, or so large
//                        that they are a constant
//              slope     "literal" only: its residual is larger than a constant's
//
// Units      Sizes in units or neurons, > 0. R2 has none.
//
// Example:
//   const auto f = FitArctan(points, {});
//   if (!f.ok()) return f.status().message();  // "flat: ..."
//   f->curve.At(300.0);

#ifndef IAT_SIMILARITY_CURVE_FIT_H_
#define IAT_SIMILARITY_CURVE_FIT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace iat {

struct CurvePoint {
  double size = 0;
  double r2 = 0;
  double spread = 0;  // standard error; 0: not known
};

struct FittedParameter {
  std::string name;  // as in the formula
  double value = 0;
  double low = 0, high = 0;
};

struct CurveFitOptions {
  double confidence = 0.95;
  // Without it only what would make the curve meaningless is refused (too few points, a
  // bound), not what is merely weak: for the refits of a jackknife, of which the first
  // fit has passed.
  bool refuse_weak = true;
};

struct ArctanCurve {
  double L = 0, k = 0, b = 0;

  double At(double m) const;
  // The size at which the curve is `r2`, between b and b + L pi / 2.
  double Inverse(double r2) const;
};

struct ArctanFit {
  ArctanCurve curve;
  std::vector<FittedParameter> parameters;  // L, k, b; the interval of k is that of ln k
  double rms_residual = 0;                  // unweighted
};

// `points` by ascending size. FailedPrecondition: refused, in words. InvalidArgument: a
// size that is not above the one before or not positive, or a value that is not finite.
absl::StatusOr<ArctanFit> FitArctan(const std::vector<CurvePoint>& points,
                                    const CurveFitOptions& options);

// g, in one of its forms.
class AnimalCurve {
 public:
  // "log", "literal", "sampled". Errors as FitArctan's, and InvalidArgument naming a form
  // that is none.
  static absl::StatusOr<AnimalCurve> Fit(const std::string& form,
                                         const std::vector<CurvePoint>& points,
                                         const CurveFitOptions& options);

  double At(double n) const;
  const std::string& form() const { return form_; }
  // Where the curve begins: 0 for a formula, the smallest size for "sampled".
  double smallest_size() const { return smallest_size_; }
  double largest_size() const { return largest_size_; }
  // Sizes between which the curve is smooth, ascending: its ends, and the points of
  // "sampled".
  const std::vector<double>& knots() const { return knots_; }
  const std::vector<FittedParameter>& parameters() const { return parameters_; }
  double rms_residual() const { return rms_residual_; }

 private:
  struct Interpolant;

  AnimalCurve() = default;

  std::string form_;
  double slope_ = 0, intercept_ = 0;
  std::shared_ptr<const Interpolant> interpolant_;
  double smallest_size_ = 0, largest_size_ = 0;
  std::vector<double> knots_;
  std::vector<FittedParameter> parameters_;
  double rms_residual_ = 0;
};

}  // namespace iat

#endif  // IAT_SIMILARITY_CURVE_FIT_H_
