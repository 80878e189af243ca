#include "similarity/logistic.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <type_traits>
#include <utility>

#include "base/status.h"
#include "similarity/linear_algebra.h"

namespace iat {
namespace {

// Pairs kept: more where there is no Hessian to come, so that final fits take long.
constexpr size_t kHistory = 12, kHistoryWithoutHessian = 20;
constexpr int kMaxEvaluations = 2000;
constexpr double kSufficientDecrease = 1e-4;
constexpr double kSmallestStep = 1e-8;
constexpr Eigen::Index kTileRows = LogisticDesign::kTileRows;

// Stimuli whose losses are summed as one logarithm.
constexpr Eigen::Index kLossRows = 256;
static_assert(kTileRows % kLossRows == 0);

// Of the summed w = p (1 - p), what a Hessian takes as it is.
constexpr double kHessianShare = 0.95;
constexpr Eigen::Index kHessianRows = 1024;  // multiplied at a time

// Of g' M^-1 g / 2 a stimulus, where to stop.
double EnoughFor(LogisticPrecision precision) {
  switch (precision) {
    case LogisticPrecision::kFast:
      return 4e-6;
    case LogisticPrecision::kFastFinal:
      return 1e-11;
    case LogisticPrecision::kExact:
      break;
  }
  return 1e-14;
}

// Of the loss, relative.
double RoundingOf(LogisticPrecision precision) {
  return precision == LogisticPrecision::kExact ? 1e-14 : 1e-6;
}

// A column that starts from nothing first moves along so many axes alone, until its loss
// is estimated to be so close to its minimum there, a stimulus; where there are enough
// others for that to save anything.
constexpr Eigen::Index kLeadingAxes = 48, kAxesForLeading = 128;
constexpr double kLeadingDecrement = 1e-4;

// Of the held-out loss, the least that stimuli held out are taken to lose more.
constexpr double kSmallestExcess = 0.02;

struct LossSums {
  double loss = 0.0, held_out_loss = 0.0, curvature = 0.0;
};

// log of the product of a packet's numbers.
template <typename Scalar>
double LogOfProduct(
    const typename Eigen::internal::packet_traits<Scalar>::type& product) {
  std::array<Scalar, Eigen::internal::packet_traits<Scalar>::size> lanes;
  Eigen::internal::pstoreu(lanes.data(), product);
  double sum = 0.0;
  for (const Scalar lane : lanes) sum += std::log(static_cast<double>(lane));
  return sum;
}

// kLossRows stimuli of one column. Replaces margins by the gradient of the loss with
// respect to them, in place. With s the class's sign and u = s * margin:
//   loss = max(-u, 0) + log(1 + e),  e = exp(-|u|)
//   d loss / d margin = -s sigmoid(-u)
// log(1 + e) is summed as the log of a product of factors in [1, 2].
template <typename Scalar>
void LossPass(const Scalar* classes, Scalar* margins, LossSums& sums) {
  namespace packet = Eigen::internal;
  using Packet = typename packet::packet_traits<Scalar>::type;
  constexpr Eigen::Index kLanes = packet::packet_traits<Scalar>::size;
  static_assert(kLossRows % kLanes == 0);
  // 2 to this power must be in range.
  static_assert(kLossRows / kLanes <= (std::is_same_v<Scalar, float> ? 64 : 512));
  const Packet zero = packet::pset1<Packet>(0), one = packet::pset1<Packet>(1),
               minus_one = packet::pset1<Packet>(-1), two = packet::pset1<Packet>(2);
  Packet hinge = zero, product = one, held_out_hinge = zero, held_out_product = one,
         variance = zero;
  for (Eigen::Index i = 0; i < kLossRows; i += kLanes) {
    const Packet c = packet::ploadu<Packet>(classes + i);
    const Packet kind = packet::pabs(c);
    const Packet learned = packet::pcmp_eq(kind, one);
    const Packet held_out = packet::pcmp_eq(kind, two);
    const Packet sign = packet::pmax(packet::pmin(c, one), minus_one);
    const Packet u = packet::pmul(sign, packet::ploadu<Packet>(margins + i));
    const Packet e = packet::pexp(packet::pnegate(packet::pabs(u)));
    const Packet one_plus = packet::padd(one, e);
    const Packet q = packet::pdiv(e, one_plus);
    const Packet excess = packet::pmax(packet::pnegate(u), zero);
    hinge = packet::padd(hinge, packet::pand(learned, excess));
    held_out_hinge = packet::padd(held_out_hinge, packet::pand(held_out, excess));
    product = packet::pmul(product, packet::pselect(learned, one_plus, one));
    held_out_product =
        packet::pmul(held_out_product, packet::pselect(held_out, one_plus, one));
    const Packet complement = packet::psub(one, q);
    variance = packet::padd(variance, packet::pand(learned, packet::pmul(q, complement)));
    const Packet wrong = packet::pselect(packet::pcmp_lt(u, zero), complement, q);
    packet::pstoreu(margins + i,
                    packet::pand(learned, packet::pnegate(packet::pmul(sign, wrong))));
  }
  sums.loss += static_cast<double>(packet::predux(hinge)) + LogOfProduct<Scalar>(product);
  sums.held_out_loss += static_cast<double>(packet::predux(held_out_hinge)) +
                        LogOfProduct<Scalar>(held_out_product);
  sums.curvature += static_cast<double>(packet::predux(variance));
}

void LossPassOfRows(const float* classes, float* margins, LossSums& sums) {
  LossPass(classes, margins, sums);
}
void LossPassOfRows(const float* classes, double* margins, LossSums& sums) {
  std::array<double, kLossRows> wide;
  std::copy_n(classes, kLossRows, wide.begin());
  LossPass(wide.data(), margins, sums);
}

struct EvaluatedColumn {
  const float* classes;               // padded
  Eigen::ArrayXf* weights = nullptr;  // of all stimuli, where wanted
};

// Losses and gradients of these columns at `points`, of which the first coefficients are
// neither used nor given a gradient.
template <typename Scalar>
void Evaluate(const LogisticDesign& design, Eigen::Index first,
              const std::vector<EvaluatedColumn>& columns, const Eigen::MatrixXd& points,
              std::vector<LossSums>& sums, Eigen::MatrixXd& gradients) {
  using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
  const Eigen::Index size = design.num_coefficients(), m = points.cols();
  const Eigen::Index used = size - first;
  const Matrix point = points.bottomRows(used).template cast<Scalar>();
  Matrix margins(kTileRows, m), part(used, m);
  sums.assign(m, LossSums());
  gradients = Eigen::MatrixXd::Zero(size, m);
  for (Eigen::Index tile = 0; tile < design.num_tiles(); ++tile) {
    const Scalar* z = design.tile<Scalar>(tile) + first;
    MultiplyTile(true, kTileRows, m, used, z, size, point.data(), used, margins.data(),
                 kTileRows);
    for (Eigen::Index j = 0; j < m; ++j) {
      for (Eigen::Index row = 0; row < kTileRows; row += kLossRows) {
        LossPassOfRows(columns[j].classes + tile * kTileRows + row,
                       margins.col(j).data() + row, sums[j]);
      }
      if (columns[j].weights == nullptr) continue;
      // What the margins have become is p - 1 or p.
      auto weights = columns[j].weights->segment(
          tile * kTileRows,
          std::min(kTileRows, columns[j].weights->size() - tile * kTileRows));
      const auto slope = margins.col(j).head(weights.size()).array().abs();
      weights = (slope * (Scalar{1} - slope)).template cast<float>();
    }
    MultiplyTile(false, used, m, kTileRows, z, size, margins.data(), kTileRows,
                 part.data(), used);
    gradients.bottomRows(used) += part.template cast<double>();
  }
}

// The weight (p (1 - p), so at most a quarter) down to which the largest make up `share`
// of the sum, to one in 4096 of a quarter; so far below it that as much is taken, or
// more.
float SmallestOfShare(const Eigen::ArrayXf& weights, double share) {
  constexpr int kBins = 4096;
  constexpr float kBinsPerWeight = 4.0f * kBins;
  std::array<double, kBins> sums{};
  for (const float weight : weights) {
    sums[std::min(static_cast<int>(weight * kBinsPerWeight), kBins - 1)] +=
        static_cast<double>(weight);
  }
  int bin = kBins;
  for (double taken = 0.0; bin > 0 && taken < share;) taken += sums[--bin];
  return static_cast<float>(bin) / kBinsPerWeight;
}

// A separated class has no curvature left; the floor keeps the intercept finite.
double FlooredCurvature(double curvature, const LogisticDesign& design) {
  return std::max(curvature, 1e-6 * static_cast<double>(design.num_stimuli()));
}

}  // namespace

LogisticDesign::LogisticDesign(const SourceBasis& basis)
    : num_stimuli_(basis.num_stimuli()),
      num_tiles_((basis.num_stimuli() + kTileRows - 1) / kTileRows) {
  const Eigen::Index r = basis.rank(), size = r + 1;
  curvature_.resize(size);
  curvature_.head(r) = basis.eigenvalues().array() / static_cast<double>(num_stimuli_);
  curvature_(r) = 1.0;
  exact_ = Eigen::MatrixXd::Zero(size, num_tiles_ * kTileRows);
  exact_.topLeftCorner(r, num_stimuli_) = basis.rotated().transpose();
  exact_.row(r).head(num_stimuli_).setOnes();
  fast_ = exact_.cast<float>();
}

template <>
const float* LogisticDesign::tile<float>(Eigen::Index index) const {
  return fast_.data() + index * kTileRows * num_coefficients();
}
template <>
const double* LogisticDesign::tile<double>(Eigen::Index index) const {
  return exact_.data() + index * kTileRows * num_coefficients();
}

Eigen::MatrixXf LogisticDesign::Margins(const Eigen::MatrixXd& coefficients) const {
  const Eigen::Index size = num_coefficients(), m = coefficients.cols();
  const Eigen::MatrixXf points = coefficients.cast<float>();
  Eigen::MatrixXf tile_margins(kTileRows, m), margins(num_stimuli_, m);
  for (Eigen::Index index = 0; index < num_tiles_; ++index) {
    const Eigen::Index first = index * kTileRows;
    const Eigen::Index rows = std::min(kTileRows, num_stimuli_ - first);
    MultiplyTile(true, kTileRows, m, size, tile<float>(index), size, points.data(), size,
                 tile_margins.data(), kTileRows);
    margins.middleRows(first, rows) = tile_margins.topRows(rows);
  }
  return margins;
}

absl::StatusOr<LogisticHessian> LogisticHessian::Create(const LogisticDesign& design,
                                                        const Eigen::ArrayXf& weights,
                                                        double penalty) {
  const Eigen::Index size = design.num_coefficients(), n = design.num_stimuli();
  const double total = weights.cast<double>().sum();
  const float smallest = SmallestOfShare(weights, kHessianShare * total);
  Eigen::MatrixXf lower = Eigen::MatrixXf::Zero(size, size), part;
  Eigen::MatrixXf gathered(size, kHessianRows);
  double taken = 0.0;
  Eigen::Index filled = 0;
  for (Eigen::Index i = 0; i < n; ++i) {
    if (weights(i) >= smallest) {
      taken += static_cast<double>(weights(i));
      gathered.col(filled++) =
          std::sqrt(weights(i)) *
          Eigen::Map<const Eigen::VectorXf>(design.tile<float>(0) + i * size, size);
    }
    if (filled == kHessianRows || (i + 1 == n && filled > 0)) {
      OuterGram(size, filled, gathered.data(), part);
      lower += part;
      filled = 0;
    }
  }
  lower.diagonal().array() +=
      (FlooredCurvature(total - taken, design) * design.curvature()).cast<float>();
  lower.diagonal().head(size - 1).array() += static_cast<float>(2.0 * penalty);
  auto cholesky = Cholesky(lower);
  if (cholesky.ok()) return LogisticHessian(*std::move(cholesky));
  IAT_ASSIGN_OR_RETURN(const Eigen::MatrixXd exact,
                       Cholesky(Eigen::MatrixXd(lower.cast<double>())));
  return LogisticHessian(exact.cast<float>());
}

Eigen::VectorXd LogisticHessian::Solve(const Eigen::VectorXd& g) const {
  // Float32 has neither the range of a gradient near a minimum nor of one far from it.
  const double size = g.norm();
  if (!(size > 0.0)) return Eigen::VectorXd::Zero(g.size());
  Eigen::VectorXf solution = (g / size).cast<float>();
  const auto lower = cholesky_.triangularView<Eigen::Lower>();
  lower.solveInPlace(solution);
  lower.adjoint().solveInPlace(solution);
  return solution.cast<double>() * size;
}

LogisticColumn::LogisticColumn(const LogisticDesign& design,
                               const Eigen::VectorXf& classes)
    : design_(&design), x_(Eigen::VectorXd::Zero(design.num_coefficients())) {
  IAT_CHECK(classes.size() == design.num_stimuli(), "classes of other stimuli");
  classes_ = Eigen::VectorXf::Zero(design.num_tiles() * kTileRows);
  classes_.head(classes.size()) = classes;
  const double active = static_cast<double>((classes.array() == 1.0f).count());
  const double inactive = static_cast<double>((classes.array() == -1.0f).count());
  IAT_CHECK(active > 0 && inactive > 0, "a logistic regression needs both classes");
  num_learned_ = active + inactive;
  num_held_out_ = static_cast<double>((classes.array().abs() == 2.0f).count());
  x_(x_.size() - 1) = std::log(active / inactive);
  on_leading_ = x_.size() > kAxesForLeading;
}

void LogisticColumn::SetCoefficients(const Eigen::VectorXd& coefficients) {
  x_ = coefficients;
  evaluated_ = false;
  on_leading_ = false;
}

double LogisticColumn::HeldOutUncertainty() const {
  const double excess =
      std::max(now_.held_out_loss - now_.loss * num_held_out_ / num_learned_,
               kSmallestExcess * now_.held_out_loss);
  return std::sqrt(excess * decrement_) + decrement_;
}

LogisticColumn::Point LogisticColumn::point() const {
  Point point;
  point.x_ = x_;
  point.now_ = now_;
  return point;
}

void LogisticColumn::MoveTo(const Point& point) {
  x_ = point.x_;
  now_ = point.now_;
  evaluated_ = true;
}

void LogisticColumn::Begin(double penalty, LogisticPrecision precision) {
  BeginTo(penalty, precision, EnoughFor(precision));
}

void LogisticColumn::BeginFast(double penalty, double decrement) {
  BeginTo(penalty, LogisticPrecision::kFast, decrement);
}

void LogisticColumn::BeginTo(double penalty, LogisticPrecision precision,
                             double decrement) {
  const Eigen::Index r = x_.size() - 1;
  for (Pair& pair : pairs_) {
    pair.change.head(r) += 2.0 * (penalty - penalty_) * pair.step.head(r);
    pair.inverse_product = 1.0 / pair.step.dot(pair.change);
  }
  // A lower penalty may leave a pair that was measured in float32 without positive
  // curvature.
  std::erase_if(pairs_, [](const Pair& pair) {
    return !(pair.inverse_product > 0.0) || !std::isfinite(pair.inverse_product);
  });
  if (precision == LogisticPrecision::kExact) on_leading_ = false;
  if ((precision == LogisticPrecision::kExact) !=
      (precision_ == LogisticPrecision::kExact)) {
    evaluated_ = false;
  }
  penalty_ = penalty;
  precision_ = precision;
  enough_ = decrement;
  converged_ = false;
  num_evaluations_ = 0;
  if (evaluated_) BeginSearch();
}

LogisticColumn::Product LogisticColumn::product() const {
  if (precision_ == LogisticPrecision::kExact) return Product::kExact;
  return on_leading_ ? Product::kLeading : Product::kFast;
}

Eigen::VectorXd LogisticColumn::NextPoint() const {
  return evaluated_ ? Eigen::VectorXd(x_ + step_ * direction_) : x_;
}

void LogisticColumn::Take(Evaluation evaluation) {
  ++num_evaluations_;
  if (!evaluated_) {
    now_ = std::move(evaluation);
    evaluated_ = true;
    BeginSearch();
    return;
  }
  const Eigen::Index r = x_.size() - 1;
  const Eigen::VectorXd trial = x_ + step_ * direction_;
  const double loss = evaluation.loss + penalty_ * trial.head(r).squaredNorm();
  const double allowed =
      loss_ + kSufficientDecrease * step_ * slope_ + RoundingOf(precision_) * loss_;
  if (!(loss <= allowed)) {
    step_ *= 0.5;
    // Rounding hides any further descent.
    converged_ = step_ < kSmallestStep || num_evaluations_ >= kMaxEvaluations;
    if (converged_ && on_leading_) GoOnAlongAllAxes();
    return;
  }
  Pair pair{trial - x_, evaluation.gradient - now_.gradient, 0.0};
  pair.change.head(r) += 2.0 * penalty_ * pair.step.head(r);
  const double product = pair.step.dot(pair.change);
  if (product > 1e-10 * pair.step.norm() * pair.change.norm()) {
    pair.inverse_product = 1.0 / product;
    const size_t history = x_.size() <= LogisticHessian::kMaxCoefficients
                               ? kHistory
                               : kHistoryWithoutHessian;
    if (pairs_.size() == history) pairs_.erase(pairs_.begin());
    pairs_.push_back(std::move(pair));
  }
  x_ = trial;
  now_ = std::move(evaluation);
  BeginSearch();
}

Eigen::VectorXd LogisticColumn::Precondition(const Eigen::VectorXd& gradient) const {
  if (hessian_.has_value()) return hessian_->Solve(gradient);
  Eigen::ArrayXd diagonal =
      FlooredCurvature(now_.curvature, *design_) * design_->curvature();
  diagonal.head(diagonal.size() - 1) += 2.0 * penalty_;
  return gradient.array() / diagonal;
}

void LogisticColumn::BeginSearch() {
  const Eigen::Index r = x_.size() - 1;
  gradient_ = now_.gradient;
  gradient_.head(r) += 2.0 * penalty_ * x_.head(r);
  loss_ = now_.loss + penalty_ * x_.head(r).squaredNorm();
  decrement_ = 0.5 * gradient_.dot(Precondition(gradient_));
  const double enough = on_leading_ ? std::min(enough_, kLeadingDecrement) : enough_;
  converged_ = decrement_ <= enough * static_cast<double>(design_->num_stimuli()) ||
               num_evaluations_ >= kMaxEvaluations;
  if (converged_ && on_leading_) {
    GoOnAlongAllAxes();
  } else if (!converged_) {
    SetDirection();
  }
}

void LogisticColumn::GoOnAlongAllAxes() {
  on_leading_ = converged_ = evaluated_ = false;
  num_evaluations_ = 0;
}

void LogisticColumn::SetDirection() {
  Eigen::VectorXd d = -gradient_;
  std::vector<double> alpha(pairs_.size());
  for (size_t k = pairs_.size(); k-- > 0;) {
    const Pair& pair = pairs_[k];
    alpha[k] = pair.inverse_product * pair.step.dot(d);
    d -= alpha[k] * pair.change;
  }
  d = Precondition(d);
  // A Hessian has the right scale already.
  if (!pairs_.empty() && !hessian_.has_value()) {
    const Pair& last = pairs_.back();
    d /= last.inverse_product * last.change.dot(Precondition(last.change));
  }
  for (size_t k = 0; k < pairs_.size(); ++k) {
    const Pair& pair = pairs_[k];
    d += (alpha[k] - pair.inverse_product * pair.change.dot(d)) * pair.step;
  }
  slope_ = gradient_.dot(d);
  if (!(slope_ < 0.0)) {
    // Rounding has the better of the pairs, or of a float32 Hessian.
    pairs_.clear();
    hessian_.reset();
    d = -Precondition(gradient_);
    slope_ = gradient_.dot(d);
  }
  direction_ = std::move(d);
  step_ = 1.0;
}

void Advance(const LogisticDesign& design, const std::vector<LogisticColumn*>& columns) {
  using Product = LogisticColumn::Product;
  for (const Product product : {Product::kExact, Product::kFast, Product::kLeading}) {
    std::vector<LogisticColumn*> alike;
    for (LogisticColumn* column : columns) {
      if (column->product() == product) alike.push_back(column);
    }
    if (!alike.empty()) LogisticColumn::AdvanceAlike(design, product, alike);
  }
}

void LogisticColumn::AdvanceAlike(const LogisticDesign& design, Product product,
                                  const std::vector<LogisticColumn*>& columns) {
  const Eigen::Index m = static_cast<Eigen::Index>(columns.size());
  const Eigen::Index size = design.num_coefficients();
  std::vector<EvaluatedColumn> evaluated;
  Eigen::MatrixXd points(size, m), gradients;
  std::vector<LossSums> sums;
  for (Eigen::Index j = 0; j < m; ++j) {
    IAT_CHECK(!columns[j]->converged_, "a step beyond the minimum");
    evaluated.push_back({columns[j]->classes_.data()});
    if (columns[j]->keeps_weights_) {
      columns[j]->weights_.resize(design.num_stimuli());
      evaluated.back().weights = &columns[j]->weights_;
    }
    points.col(j) = columns[j]->NextPoint();
  }
  if (product == Product::kExact) {
    Evaluate<double>(design, 0, evaluated, points, sums, gradients);
  } else {
    // Axes are in ascending order, and the intercept is the last.
    const Eigen::Index first = product == Product::kLeading ? size - 1 - kLeadingAxes : 0;
    Evaluate<float>(design, first, evaluated, points, sums, gradients);
  }
  for (Eigen::Index j = 0; j < m; ++j) {
    columns[j]->Take(
        {sums[j].loss, sums[j].held_out_loss, sums[j].curvature, gradients.col(j)});
  }
}

}  // namespace iat
