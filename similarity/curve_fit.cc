#include "similarity/curve_fit.h"

#include <math.h>  // before pchip.hpp, which calls isnan without std::

#include <Eigen/Dense>
#include <algorithm>
#include <boost/math/interpolators/pchip.hpp>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/distributions.h"
#include "base/status.h"
#include "similarity/jackknife.h"
#include "similarity/scanned_minimum.h"

namespace iat {
namespace {

constexpr double kLeastRise = 0.02;  // in R2, from the smallest size to the largest
constexpr double kChance = 0.05;     // of the F test against a constant
constexpr double kSpreadsAboveZero = 2.0;
// k m at the largest size where f is still a straight line, and at the smallest where it
// has reached its height: arctan(0.05) is 0.05 less 1 in 1200, arctan(20) is 97 % of
// pi/2.
constexpr double kStraight = 0.05, kLevel = 20.0;
constexpr int kScan = 120;

struct Columns {
  Eigen::VectorXd size, r2, weight, spread;
};

absl::StatusOr<Columns> ColumnsOf(const std::vector<CurvePoint>& points) {
  Columns columns;
  const auto n = static_cast<Eigen::Index>(points.size());
  columns.size.resize(n);
  columns.r2.resize(n);
  columns.spread.resize(n);
  double previous = 0.0;
  for (Eigen::Index i = 0; i < n; ++i) {
    const CurvePoint& point = points[i];
    if (!(point.size > previous) || !std::isfinite(point.size) ||
        !std::isfinite(point.r2) || !(point.spread >= 0.0)) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "curve point %d is size %g, R2 %g, spread %g; expected sizes above 0 in rising "
          "order, finite values, and spreads of at least 0",
          i, point.size, point.r2, point.spread));
    }
    previous = point.size;
    columns.size[i] = point.size;
    columns.r2[i] = point.r2;
    columns.spread[i] = point.spread;
  }
  if ((columns.spread.array() > 0.0).all()) {
    columns.weight = columns.spread.array().square().inverse();
  } else if ((columns.spread.array() == 0.0).all()) {
    columns.weight = Eigen::VectorXd::Ones(n);
  } else {
    return absl::InvalidArgumentError(
        "some curve points have a spread of 0 and some a larger one; expected all or "
        "none to be known");
  }
  return columns;
}

absl::Status Refuse(absl::string_view words) {
  return absl::FailedPreconditionError(words);
}

absl::Status CheckEnough(const std::vector<CurvePoint>& points, size_t least,
                         absl::string_view formula) {
  if (points.size() >= least) return absl::OkStatus();
  return Refuse(absl::StrCat("too few sizes: ", points.size(), "; ", formula,
                             " needs at least ", least));
}

// That there is something to predict at all.
absl::Status CheckAboveZero(const Columns& columns) {
  const double r2 = columns.r2.tail(1)[0], spread = columns.spread.tail(1)[0];
  if (r2 > kSpreadsAboveZero * spread) return absl::OkStatus();
  return Refuse(absl::StrFormat(
      "nothing is predicted: R2 at the largest size is %.4f (spread %.4f), not above 0",
      r2, spread));
}

double WeightedSquares(const Columns& columns, const Eigen::VectorXd& residual) {
  return (columns.weight.array() * residual.array().square()).sum();
}

double ConstantSquares(const Columns& columns) {
  const double mean = columns.weight.dot(columns.r2) / columns.weight.sum();
  return WeightedSquares(columns, columns.r2.array() - mean);
}

absl::Status CheckRises(const Columns& columns, double rise, double squares,
                        int num_parameters) {
  const double n = static_cast<double>(columns.size.size());
  if (rise < kLeastRise) {
    return Refuse(
        absl::StrFormat("flat: R2 rises by %.4f from size %g to %g; a fit needs %g", rise,
                        columns.size[0], columns.size.tail(1)[0], kLeastRise));
  }
  const double more = num_parameters - 1.0, freedom = n - num_parameters;
  const double ratio = (ConstantSquares(columns) - squares) / more / (squares / freedom);
  if (!std::isfinite(ratio)) return absl::OkStatus();  // no residual at all
  const double chance = FisherFUpperTail(more, freedom, std::max(ratio, 0.0));
  if (chance < kChance) return absl::OkStatus();
  return Refuse(absl::StrFormat(
      "flat: the curve fits no better than a constant (F test, p = %.2f)", chance));
}

// Linearised intervals of parameters that the columns of `jacobian` belong to.
std::vector<Interval> LinearisedIntervals(const Columns& columns,
                                          const Eigen::MatrixXd& jacobian,
                                          const std::vector<double>& values,
                                          double squares, double confidence) {
  const Eigen::MatrixXd information =
      jacobian.transpose() * columns.weight.asDiagonal() * jacobian;
  const Eigen::MatrixXd inverse = information.inverse();
  const double freedom = static_cast<double>(jacobian.rows() - jacobian.cols());
  std::vector<Interval> intervals;
  for (size_t i = 0; i < values.size(); ++i) {
    const auto row = static_cast<Eigen::Index>(i);
    const double variance = std::max(inverse(row, row), 0.0) * squares / freedom;
    intervals.push_back(TInterval(values[i], {variance, freedom}, confidence));
  }
  return intervals;
}

FittedParameter Named(absl::string_view name, const Interval& interval) {
  return {std::string(name), interval.mean, interval.low, interval.high};
}

// y = slope x + intercept by weighted least squares.
struct Line {
  double slope = 0, intercept = 0, squares = 0;
};

Line FitLine(const Columns& columns, const Eigen::VectorXd& x) {
  const double total = columns.weight.sum();
  const double x_mean = columns.weight.dot(x) / total;
  const double y_mean = columns.weight.dot(columns.r2) / total;
  const Eigen::ArrayXd xc = x.array() - x_mean;
  const Eigen::ArrayXd wx = columns.weight.array() * xc;
  Line line;
  line.slope = (wx * (columns.r2.array() - y_mean)).sum() / (wx * xc).sum();
  line.intercept = y_mean - line.slope * x_mean;
  line.squares = WeightedSquares(
      columns, columns.r2.array() - line.slope * x.array() - line.intercept);
  return line;
}

Line FitArctanAt(const Columns& columns, double log_k) {
  return FitLine(columns, (std::exp(log_k) * columns.size).array().atan());
}

// Slope at an end of an interpolant from its next two intervals (widths h, slopes m): of
// the parabola through three points, unless that would turn the curve around.
double EndSlope(double h0, double h1, double m0, double m1) {
  const double slope = ((2.0 * h0 + h1) * m0 - h0 * m1) / (h0 + h1);
  if (slope * m0 <= 0.0) return 0.0;
  if (m0 * m1 < 0.0 && std::abs(slope) > 3.0 * std::abs(m0)) return 3.0 * m0;
  return slope;
}

// Of the points (x, y) from index `end` on in direction `step`.
double EndSlopeAt(const Eigen::VectorXd& x, const Eigen::VectorXd& y, Eigen::Index end,
                  Eigen::Index step) {
  const double h0 = x[end + step] - x[end], h1 = x[end + 2 * step] - x[end + step];
  return EndSlope(h0, h1, (y[end + step] - y[end]) / h0,
                  (y[end + 2 * step] - y[end + step]) / h1);
}

}  // namespace

double ArctanCurve::At(double m) const { return L * std::atan(k * m) + b; }

double ArctanCurve::Inverse(double r2) const { return std::tan((r2 - b) / L) / k; }

absl::StatusOr<ArctanFit> FitArctan(const std::vector<CurvePoint>& points,
                                    const CurveFitOptions& options) {
  IAT_ASSIGN_OR_RETURN(const Columns columns, ColumnsOf(points));
  IAT_RETURN_IF_ERROR(CheckEnough(points, 5, "L arctan(k m) + b"));
  if (options.refuse_weak) IAT_RETURN_IF_ERROR(CheckAboveZero(columns));
  const double smallest = columns.size[0], largest = columns.size.tail(1)[0];
  const double low = std::log(kStraight / largest), high = std::log(kLevel / smallest);
  const MinimumFound best = ScannedMinimum(
      [&](double x) { return FitArctanAt(columns, x).squares; }, low, high, kScan);
  const double log_k = best.x;
  const Line line = FitArctanAt(columns, log_k);
  ArctanFit fit;
  fit.curve = {line.slope, std::exp(log_k), line.intercept};
  if (options.refuse_weak) {
    IAT_RETURN_IF_ERROR(CheckRises(
        columns, fit.curve.At(largest) - fit.curve.At(smallest), line.squares, 3));
  }
  if (best.at_edge) {
    return Refuse(absl::StrFormat(
        "at a bound: k is %.3g, where L arctan(k m) + b is a %s over sizes %g to %g",
        fit.curve.k, log_k == low ? "straight line" : "constant", smallest, largest));
  }
  const Eigen::ArrayXd km = fit.curve.k * columns.size.array();
  Eigen::MatrixXd jacobian(columns.size.size(), 3);
  jacobian.col(0) = km.atan();
  jacobian.col(1) = fit.curve.L * km / (1.0 + km.square());  // by ln k
  jacobian.col(2).setOnes();
  const std::vector<Interval> intervals =
      LinearisedIntervals(columns, jacobian, {fit.curve.L, log_k, fit.curve.b},
                          line.squares, options.confidence);
  fit.parameters = {
      Named("L", intervals[0]),
      {"k", fit.curve.k, std::exp(intervals[1].low), std::exp(intervals[1].high)},
      Named("b", intervals[2])};
  const Eigen::ArrayXd predicted = fit.curve.L * km.atan() + fit.curve.b;
  fit.rms_residual = std::sqrt((columns.r2.array() - predicted).square().mean());
  return fit;
}

struct AnimalCurve::Interpolant {
  Interpolant(const Eigen::VectorXd& log_size, const Eigen::VectorXd& r2)
      : low(log_size[0]),
        high(log_size.tail(1)[0]),
        curve({log_size.begin(), log_size.end()}, {r2.begin(), r2.end()},
              EndSlopeAt(log_size, r2, 0, 1),
              EndSlopeAt(log_size, r2, log_size.size() - 1, -1)) {}

  double low, high;
  boost::math::interpolators::pchip<std::vector<double>> curve;
};

absl::StatusOr<AnimalCurve> AnimalCurve::Fit(const std::string& form,
                                             const std::vector<CurvePoint>& points,
                                             const CurveFitOptions& options) {
  if (form != "log" && form != "literal" && form != "sampled") {
    return absl::InvalidArgumentError(absl::StrCat(
        "form is \"", form, "\"; expected \"log\", \"literal\" or \"sampled\""));
  }
  IAT_ASSIGN_OR_RETURN(const Columns columns, ColumnsOf(points));
  IAT_RETURN_IF_ERROR(form == "log"       ? CheckEnough(points, 3, "a ln n + c")
                      : form == "literal" ? CheckEnough(points, 2, "ln(k n) + b")
                                          : CheckEnough(points, 4, "interpolation"));
  if (options.refuse_weak) IAT_RETURN_IF_ERROR(CheckAboveZero(columns));
  const Eigen::VectorXd log_size = columns.size.array().log();
  AnimalCurve curve;
  curve.form_ = form;
  curve.largest_size_ = columns.size.tail(1)[0];
  if (form == "sampled") {
    if (options.refuse_weak) {
      IAT_RETURN_IF_ERROR(
          CheckRises(columns, columns.r2.tail(1)[0] - columns.r2[0], 0.0, 2));
    }
    curve.smallest_size_ = columns.size[0];
    curve.knots_.assign(columns.size.begin(), columns.size.end());
    curve.interpolant_ = std::make_shared<Interpolant>(log_size, columns.r2);
    return curve;
  }
  curve.knots_ = {0.0, curve.largest_size_};
  if (form == "log") {
    const Line line = FitLine(columns, log_size);
    curve.slope_ = line.slope;
    curve.intercept_ = line.intercept;
    if (options.refuse_weak) {
      const double rise = line.slope * (log_size.tail(1)[0] - log_size[0]);
      IAT_RETURN_IF_ERROR(CheckRises(columns, rise, line.squares, 2));
    }
    Eigen::MatrixXd jacobian(columns.size.size(), 2);
    jacobian.col(0) = log_size;
    jacobian.col(1).setOnes();
    const std::vector<Interval> intervals =
        LinearisedIntervals(columns, jacobian, {line.slope, line.intercept}, line.squares,
                            options.confidence);
    curve.parameters_ = {Named("a", intervals[0]), Named("c", intervals[1])};
  } else {
    // ln(k n) + b has one free number, ln k + b.
    curve.slope_ = 1.0;
    curve.intercept_ = columns.weight.dot(columns.r2 - log_size) / columns.weight.sum();
    const double squares = WeightedSquares(
        columns, columns.r2.array() - log_size.array() - curve.intercept_);
    if (options.refuse_weak && squares >= ConstantSquares(columns)) {
      return Refuse(absl::StrFormat(
          "slope: ln(k n) + b rises by %.2f from size %g to %g, R2 by %.2f; the printed "
          "formula lacks a factor",
          log_size.tail(1)[0] - log_size[0], columns.size[0], curve.largest_size_,
          columns.r2.tail(1)[0] - columns.r2[0]));
    }
    const std::vector<Interval> intervals =
        LinearisedIntervals(columns, Eigen::MatrixXd::Ones(columns.size.size(), 1),
                            {curve.intercept_}, squares, options.confidence);
    curve.parameters_ = {Named("ln k + b", intervals[0])};
  }
  const Eigen::ArrayXd predicted = curve.slope_ * log_size.array() + curve.intercept_;
  curve.rms_residual_ = std::sqrt((columns.r2.array() - predicted).square().mean());
  return curve;
}

double AnimalCurve::At(double n) const {
  const double log_n = std::log(n);
  if (interpolant_ == nullptr) return slope_ * log_n + intercept_;
  return interpolant_->curve(std::clamp(log_n, interpolant_->low, interpolant_->high));
}

}  // namespace iat
