#include "similarity/logistic.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/status.h"

namespace iat {
namespace {

constexpr size_t kHistory = 12;  // pairs kept
constexpr int kMaxEvaluations = 2000, kMaxNewtonSteps = 60;
constexpr double kSufficientDecrease = 1e-4;
constexpr double kSmallestStep = 1e-8;

// A column that starts from nothing first moves along so many axes alone, until its loss
// is estimated to be so close to its minimum there, a stimulus; where there are enough
// others for that to save anything.
constexpr Eigen::Index kLeadingAxes = 48, kAxesForLeading = 128;
constexpr double kLeadingDecrement = 1e-4;

// Of the held-out loss, the least that stimuli held out are taken to lose more.
constexpr double kSmallestExcess = 0.02;

// Of margins' squared distance from the minimum's, averaged by w = p (1 - p): how far
// kFastFinal goes, from how close a Newton step leaves nothing to evaluate, and how close
// is there.
constexpr double kFinalDistance = 5e-8, kOneStepAway = 1e-7, kThere = 4e-13;
// From further away, what may be left of a step's squared size.
constexpr double kNewtonShare = 1e-3;
// What takes more products than this is beyond float32: the next step's are in float64,
// with a Hessian of its own along more axes.
constexpr int kMaxProducts = 24, kMaxExactProducts = 200;
constexpr Eigen::Index kAxesOfExactStep = 640;

// Of g' M^-1 g / 2 a stimulus, where kFast stops unless told otherwise.
constexpr double kFastDecrement = 4e-6;
// The same that float32 surely reaches.
constexpr double kFloatDecrement = 1e-10;

// Of the loss, relative.
double RoundingOf(LogisticPrecision precision) {
  return precision == LogisticPrecision::kExact ? 1e-14 : 1e-6;
}

}  // namespace

LogisticColumn::LogisticColumn(const LogisticDesign& design,
                               const Eigen::VectorXf& classes)
    : design_(&design), x_(Eigen::VectorXd::Zero(design.num_coefficients())) {
  IAT_CHECK(classes.size() == design.num_stimuli(), "classes of other stimuli");
  classes_ = Eigen::VectorXf::Zero(design.num_tiles() * LogisticDesign::kTileRows);
  classes_.head(classes.size()) = classes;
  const double active = static_cast<double>((classes.array() == 1.0f).count());
  const double inactive = static_cast<double>((classes.array() == -1.0f).count());
  IAT_CHECK(active > 0 && inactive > 0, "a logistic regression needs both classes");
  num_learned_ = active + inactive;
  num_held_out_ = static_cast<double>((classes.array().abs() == 2.0f).count());
  x_(x_.size() - 1) = std::log(active / inactive);
  on_leading_ = HasLeadingAxes(design);
}

void LogisticColumn::SetCoefficients(const Eigen::VectorXd& coefficients) {
  x_ = coefficients;
  evaluated_ = false;
  on_leading_ = false;
}

void LogisticColumn::StartFrom(const LogisticColumn& other) {
  SetCoefficients(other.x_);
  penalty_ = other.penalty_;
  pairs_ = other.pairs_;
  const float share = static_cast<float>(num_learned_ / other.num_learned_);
  const Eigen::Index r = x_.size() - 1;
  for (Pair& pair : pairs_) {
    pair.change *= share;
    pair.change.head(r) +=
        (1.0f - share) * static_cast<float>(2.0 * penalty_) * pair.step.head(r);
    pair.inverse_product = 1.0f / pair.step.dot(pair.change);
  }
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
  BeginTo(penalty, precision, kFastDecrement);
}

void LogisticColumn::BeginFast(double penalty, double decrement) {
  BeginTo(penalty, LogisticPrecision::kFast, decrement);
}

bool LogisticColumn::HasLeadingAxes(const LogisticDesign& design) {
  return design.num_coefficients() > kAxesForLeading;
}

void LogisticColumn::BeginLeading(double penalty) {
  IAT_CHECK(on_leading_, "a column that does not start from nothing along leading axes");
  stays_on_leading_ = true;
  BeginFast(penalty, kLeadingDecrement);
}

void LogisticColumn::BeginTo(double penalty, LogisticPrecision precision,
                             double decrement) {
  const Eigen::Index r = x_.size() - 1;
  for (Pair& pair : pairs_) {
    pair.change.head(r) +=
        static_cast<float>(2.0 * (penalty - penalty_)) * pair.step.head(r);
    pair.inverse_product = 1.0f / pair.step.dot(pair.change);
  }
  // A lower penalty may leave a pair that was measured in float32 without positive
  // curvature.
  std::erase_if(pairs_, [](const Pair& pair) {
    return !(pair.inverse_product > 0.0f) || !std::isfinite(pair.inverse_product);
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
  if (precision_ == LogisticPrecision::kExact &&
      (!newton_.has_value() || newton_->exact)) {
    return Product::kExact;
  }
  return on_leading_ ? Product::kLeading : Product::kFast;
}

LogisticPass LogisticColumn::NextPass() {
  LogisticPass pass{classes_.data()};
  if (newton_.has_value()) {
    pass.curvature = &weights_;
  } else if (keeps_weights_ || precision_ == LogisticPrecision::kExact) {
    weights_.resize(design_->num_stimuli());
    pass.weights = &weights_;
  }
  return pass;
}

Eigen::VectorXd LogisticColumn::NextPoint() const {
  if (newton_.has_value()) return newton_->direction;
  return evaluated_ ? Eigen::VectorXd(x_ + step_ * direction_) : x_;
}

void LogisticColumn::Take(Evaluation evaluation) {
  if (newton_.has_value()) {
    TakeProduct(std::move(evaluation.gradient));
    return;
  }
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
    if (converged_ && on_leading_ && !stays_on_leading_) GoOnAlongAllAxes();
    return;
  }
  if (precision_ != LogisticPrecision::kExact) {
    KeepPair(trial - x_, evaluation.gradient - now_.gradient);
  }
  x_ = trial;
  now_ = std::move(evaluation);
  BeginSearch();
}

void LogisticColumn::KeepPair(const Eigen::VectorXd& step,
                              const Eigen::VectorXd& change) {
  Pair pair{step.cast<float>(), change.cast<float>()};
  const Eigen::Index r = x_.size() - 1;
  pair.change.head(r) += static_cast<float>(2.0 * penalty_) * pair.step.head(r);
  const float product = pair.step.dot(pair.change);
  if (!(product > 1e-10f * pair.step.norm() * pair.change.norm())) return;
  pair.inverse_product = 1.0f / product;
  if (pairs_.size() == kHistory) pairs_.erase(pairs_.begin());
  pairs_.push_back(std::move(pair));
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
  const int most =
      precision_ == LogisticPrecision::kExact ? kMaxNewtonSteps : kMaxEvaluations;
  converged_ = decrement_ <= Enough() || num_evaluations_ >= most;
  if (converged_ && on_leading_) {
    if (!stays_on_leading_) GoOnAlongAllAxes();
  } else if (!converged_ && precision_ == LogisticPrecision::kExact) {
    BeginNewtonStep();
  } else if (!converged_) {
    SetDirection();
  }
}

double LogisticColumn::Enough() const {
  const double n = static_cast<double>(design_->num_stimuli());
  const double weight = FlooredCurvature(now_.curvature, *design_);
  switch (precision_) {
    case LogisticPrecision::kFast:
      break;
    case LogisticPrecision::kFastFinal:
      return std::max(0.5 * kFinalDistance * weight, kFloatDecrement * n);
    case LogisticPrecision::kExact:
      return 0.5 * kThere * weight;
  }
  return (on_leading_ ? std::min(enough_, kLeadingDecrement) : enough_) * n;
}

void LogisticColumn::GoOnAlongAllAxes() {
  on_leading_ = converged_ = evaluated_ = false;
  num_evaluations_ = 0;
}

Eigen::VectorXd LogisticColumn::PreconditionByPairs(
    const Eigen::VectorXd& gradient) const {
  // Float32 has not the range of all gradients.
  const double size = gradient.norm();
  if (pairs_.empty() || !(size > 0.0)) return Precondition(gradient);
  Eigen::VectorXf d = (gradient / size).cast<float>();
  std::vector<float> alpha(pairs_.size());
  for (size_t k = pairs_.size(); k-- > 0;) {
    const Pair& pair = pairs_[k];
    alpha[k] = pair.inverse_product * pair.step.dot(d);
    d -= alpha[k] * pair.change;
  }
  d = Precondition(d.cast<double>()).cast<float>();
  // A Hessian has the right scale already.
  if (!hessian_.has_value()) {
    const Pair& last = pairs_.back();
    const Eigen::VectorXd change = last.change.cast<double>();
    d /= last.inverse_product * static_cast<float>(change.dot(Precondition(change)));
  }
  for (size_t k = 0; k < pairs_.size(); ++k) {
    const Pair& pair = pairs_[k];
    d += (alpha[k] - pair.inverse_product * pair.change.dot(d)) * pair.step;
  }
  return size * d.cast<double>();
}

void LogisticColumn::SetDirection() {
  direction_ = -PreconditionByPairs(gradient_);
  slope_ = gradient_.dot(direction_);
  if (!(slope_ < 0.0)) {
    // Rounding has the better of the pairs, or of a float32 Hessian.
    pairs_.clear();
    hessian_.reset();
    direction_ = -Precondition(gradient_);
    slope_ = gradient_.dot(direction_);
  }
  step_ = 1.0;
}

void LogisticColumn::BeginNewtonStep() {
  const bool exact = beyond_float_;
  if (exact) {
    pairs_.clear();
    auto hessian =
        LogisticHessian::Create(*design_, weights_, penalty_, kAxesOfExactStep);
    if (hessian.ok()) hessian_ = *std::move(hessian);
  }
  newton_.emplace();
  newton_->exact = exact;
  newton_->step = Eigen::VectorXd::Zero(x_.size());
  newton_->residual = -gradient_;
  newton_->direction = PreconditionByPairs(newton_->residual);
  newton_->size = newton_->residual.dot(newton_->direction);
  const double weight = FlooredCurvature(now_.curvature, *design_);
  newton_->enough = kThere * weight;
  if (newton_->size > kOneStepAway * weight) {
    newton_->enough = std::max(newton_->enough, kNewtonShare * newton_->size);
  }
}

void LogisticColumn::TakeProduct(Eigen::VectorXd product) {
  NewtonStep& newton = *newton_;
  const Eigen::Index r = x_.size() - 1;
  product.head(r) += 2.0 * penalty_ * newton.direction.head(r);
  const double curvature = newton.direction.dot(product);
  if (!(curvature > 0.0)) {  // rounding
    EndNewtonStep();
    return;
  }
  newton.step += newton.size / curvature * newton.direction;
  newton.residual -= newton.size / curvature * product;
  const Eigen::VectorXd next = PreconditionByPairs(newton.residual);
  const double size = newton.residual.dot(next);
  newton.direction = next + size / newton.size * newton.direction;
  newton.size = size;
  ++newton.num_products;
  const int most = newton.exact ? kMaxExactProducts : kMaxProducts;
  if (newton.num_products == most || size <= newton.enough) EndNewtonStep();
}

void LogisticColumn::EndNewtonStep() {
  const bool solved = newton_->size <= newton_->enough;
  beyond_float_ = beyond_float_ || !solved;
  direction_ = std::move(newton_->step);
  newton_.reset();
  slope_ = gradient_.dot(direction_);
  step_ = 1.0;
  const double weight = FlooredCurvature(now_.curvature, *design_);
  if (solved && -slope_ <= kOneStepAway * weight) {
    x_ += direction_;
    evaluated_ = false;
    converged_ = true;
  } else if (!(slope_ < 0.0)) {
    direction_ = -Precondition(gradient_);
    slope_ = gradient_.dot(direction_);
  }
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
  std::vector<LogisticPass> passes;
  Eigen::MatrixXd points(size, m), gradients;
  std::vector<LogisticSums> sums;
  for (Eigen::Index j = 0; j < m; ++j) {
    IAT_CHECK(!columns[j]->converged_, "a step beyond the minimum");
    passes.push_back(columns[j]->NextPass());
    points.col(j) = columns[j]->NextPoint();
  }
  if (product == Product::kExact) {
    EvaluateLogistic<double>(design, 0, passes, points, sums, gradients);
  } else {
    // Axes are in ascending order, and the intercept is the last.
    const Eigen::Index first = product == Product::kLeading ? size - 1 - kLeadingAxes : 0;
    EvaluateLogistic<float>(design, first, passes, points, sums, gradients);
  }
  for (Eigen::Index j = 0; j < m; ++j) {
    columns[j]->Take(
        {sums[j].loss, sums[j].held_out_loss, sums[j].curvature, gradients.col(j)});
  }
}

}  // namespace iat
