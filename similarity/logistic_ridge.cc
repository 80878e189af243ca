#include "similarity/logistic_ridge.h"

#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "similarity/active_ridge.h"
#include "similarity/gate.h"

namespace iat {
namespace {

double Sigmoid(double margin) { return 1.0 / (1.0 + std::exp(-margin)); }

// Targets and values less the activity threshold; `inactive` too.
double PickThreshold(const Eigen::VectorXd& target, const Eigen::VectorXf& margins,
                     const Eigen::VectorXd& values, double inactive,
                     const std::vector<double>& thresholds) {
  double best = 0.5, smallest = INFINITY;
  for (const double threshold : thresholds) {
    double error = 0.0;
    for (Eigen::Index i = 0; i < target.size(); ++i) {
      const double predicted = Sigmoid(margins(i)) >= threshold ? values(i) : inactive;
      error += (target(i) - predicted) * (target(i) - predicted);
    }
    if (error < smallest ||
        (error == smallest && std::abs(threshold - 0.5) < std::abs(best - 0.5))) {
      smallest = error;
      best = threshold;
    }
  }
  return best;
}

// Mean over a unit's inactive stimuli, y <= 0; 0 where there is none.
Eigen::VectorXd InactiveMeans(const Eigen::MatrixXd& target) {
  Eigen::VectorXd means = Eigen::VectorXd::Zero(target.cols());
  for (Eigen::Index j = 0; j < target.cols(); ++j) {
    const auto inactive = target.col(j).array() <= 0.0;
    if (inactive.any()) {
      means(j) = inactive.select(target.col(j).array(), 0.0).sum() /
                 static_cast<double>(inactive.count());
    }
  }
  return means;
}

enum class Gate { kHard, kSoft, kTuned };

class FittedLogisticRidge : public FittedMapping {
 public:
  FittedLogisticRidge(Gate gate, std::shared_ptr<const GateFit> gates,
                      std::shared_ptr<const ActiveRidgeFit> ridges,
                      Eigen::VectorXd thresholds, Eigen::VectorXd inactive,
                      double activity_threshold)
      : gate_(gate),
        gates_(std::move(gates)),
        ridges_(std::move(ridges)),
        thresholds_(std::move(thresholds)),
        inactive_(std::move(inactive)),
        activity_threshold_(activity_threshold) {
    chosen_.values["ridge_penalty"] = ridges_->ridge_penalty;
    chosen_.num_at_edge["ridge_penalty"] = ridges_->num_at_edge;
    chosen_.values["logistic_penalty"] = gates_->logistic_penalty;
    chosen_.num_at_edge["logistic_penalty"] = gates_->num_at_edge;
    if (gate_ == Gate::kTuned) chosen_.values["gate_threshold"] = thresholds_;
  }

  absl::StatusOr<Eigen::MatrixXd> Predict(const Eigen::MatrixXd& source) const override {
    IAT_ASSIGN_OR_RETURN(Eigen::MatrixXd predicted, ridges_->map.Predict(source));
    IAT_ASSIGN_OR_RETURN(const Eigen::MatrixXd margins, gates_->margins.Predict(source));
    for (Eigen::Index j = 0; j < predicted.cols(); ++j) {
      for (Eigen::Index i = 0; i < predicted.rows(); ++i) {
        const double p = Sigmoid(margins(i, j));
        const double open = gate_ == Gate::kSoft ? p : (p >= thresholds_(j) ? 1.0 : 0.0);
        predicted(i, j) =
            predicted(i, j) * open + inactive_(j) * (1.0 - open) + activity_threshold_;
      }
    }
    return predicted;
  }
  const Chosen& chosen() const override { return chosen_; }

 private:
  const Gate gate_;
  const std::shared_ptr<const GateFit> gates_;
  const std::shared_ptr<const ActiveRidgeFit> ridges_;
  const Eigen::VectorXd thresholds_;
  const Eigen::VectorXd inactive_;  // as the ridge's values, less the activity threshold
  const double activity_threshold_;
  Chosen chosen_;
};

class LogisticRidgeMapping : public Mapping {
 public:
  LogisticRidgeMapping(Gate gate, MappingOptions options)
      : gate_(gate), options_(std::move(options)) {}

  bool FitsUnitsAlone() const override { return true; }

  absl::Status CheckTargetStage(Stage stage) const override {
    if (stage != Stage::kPreRelu) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        "LogisticRidge predicts whether a target is active or not (post_relu, recorded); "
        "the target is ",
        StageName(stage)));
  }

  absl::StatusOr<std::unique_ptr<FittedMapping>> Fit(FitProblem& problem) const override {
    IAT_RETURN_IF_ERROR(CheckTargetStage(problem.target_stage()));
    const double activity_threshold = options_.logistic_ridge.activity_threshold;
    // What follows tells active from inactive by the sign.
    const Eigen::MatrixXd target = problem.target().array() - activity_threshold;
    IAT_ASSIGN_OR_RETURN(
        const std::shared_ptr<const GateFit> gates, problem.Shared<GateFit>([&] {
          return FitGates(problem.source(), target, options_.logistic_ridge);
        }));
    IAT_ASSIGN_OR_RETURN(const std::shared_ptr<const ActiveRidgeFit> ridges,
                         problem.Shared<ActiveRidgeFit>([&] {
                           return FitActiveRidges(problem.source(), target,
                                                  options_.ridge,
                                                  options_.logistic_ridge);
                         }));
    Eigen::VectorXd inactive = InactiveMeans(target);
    Eigen::VectorXd thresholds = Eigen::VectorXd::Constant(target.cols(), 0.5);
    if (gate_ == Gate::kTuned) {
      IAT_ASSIGN_OR_RETURN(
          const Eigen::MatrixXf margins,
          OutOfFoldMargins(problem.source(), target, *gates, options_.logistic_ridge));
      for (Eigen::Index j = 0; j < thresholds.size(); ++j) {
        if (std::isnan(margins(0, j))) continue;
        thresholds(j) =
            PickThreshold(target.col(j), margins.col(j), ridges->out_of_sample.col(j),
                          inactive(j), options_.logistic_ridge.gate_thresholds);
      }
    }
    return std::make_unique<FittedLogisticRidge>(gate_, gates, ridges,
                                                 std::move(thresholds),
                                                 std::move(inactive), activity_threshold);
  }

 private:
  const Gate gate_;
  const MappingOptions options_;
};

}  // namespace

void LogisticRidgeOptions::Describe(OptionVisitor& visitor) {
  visitor.Numbers("logistic_penalties", logistic_penalties,
                  {.min = 0.0, .min_excluded = true},
                  "grid of the logistic regression's penalty on standardised sources; "
                  "sklearn's C is 1 / (2 logistic_penalty)");
  visitor.Integer("num_folds", num_folds, {.min = 2, .max = 1000},
                  "folds, stratified by activity, that choose the logistic penalty and "
                  "the gate's threshold");
  visitor.Integer("min_active", min_active, {.min = 1},
                  "target units with fewer active fit stimuli get their mean instead of "
                  "a ridge");
  visitor.Number("activity_threshold", activity_threshold, {},
                 "a target is active above this, in its own units; for recordings");
  visitor.Numbers("gate_thresholds", gate_thresholds, {.min = 0.0, .max = 1.0},
                  "thresholds that logistic_ridge_tuned chooses from");
}

absl::Status LogisticRidgeOptions::Validate() const {
  if (logistic_penalties.empty()) {
    return absl::InvalidArgumentError(
        "logistic_ridge.logistic_penalties is empty; expected at least one number > 0");
  }
  if (gate_thresholds.empty()) {
    return absl::InvalidArgumentError(
        "logistic_ridge.gate_thresholds is empty; expected at least one number in [0, "
        "1]");
  }
  return absl::OkStatus();
}

std::unique_ptr<Mapping> MakeLogisticRidgeMapping(const MappingOptions& options) {
  return std::make_unique<LogisticRidgeMapping>(Gate::kHard, options);
}
std::unique_ptr<Mapping> MakeLogisticRidgeSoftMapping(const MappingOptions& options) {
  return std::make_unique<LogisticRidgeMapping>(Gate::kSoft, options);
}
std::unique_ptr<Mapping> MakeLogisticRidgeTunedMapping(const MappingOptions& options) {
  return std::make_unique<LogisticRidgeMapping>(Gate::kTuned, options);
}

}  // namespace iat
