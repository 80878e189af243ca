#include "similarity/one_to_one.h"

#include <cmath>
#include <limits>
#include <utility>

#include "base/status.h"
#include "similarity/assignment.h"
#include "similarity/centring.h"

namespace iat {
namespace {

class FittedLines : public FittedMapping {
 public:
  FittedLines(std::shared_ptr<const UnitCorrelation> correlation,
              std::vector<Eigen::Index> source_units)
      : correlation_(std::move(correlation)), source_units_(std::move(source_units)) {
    const Eigen::Index num_targets = correlation_->r.cols();
    const double nan = std::numeric_limits<double>::quiet_NaN();
    Eigen::VectorXd unit = Eigen::VectorXd::Constant(num_targets, nan), r = unit;
    for (Eigen::Index j = 0; j < num_targets; ++j) {
      if (source_units_[j] < 0) continue;
      unit(j) = static_cast<double>(source_units_[j]);
      r(j) = correlation_->r(source_units_[j], j);
    }
    chosen_.values["source_unit"] = unit;
    chosen_.values["correlation"] = r;
  }

  absl::StatusOr<Eigen::MatrixXd> Predict(const Eigen::MatrixXd& source) const override {
    IAT_RETURN_IF_ERROR(CheckNumUnits(source, correlation_->r.rows()));
    Eigen::MatrixXd predicted(source.rows(), correlation_->r.cols());
    for (Eigen::Index j = 0; j < predicted.cols(); ++j) {
      const Eigen::Index i = source_units_[j];
      if (i < 0) {
        predicted.col(j).setConstant(correlation_->target_mean(j));
        continue;
      }
      predicted.col(j) = (source.col(i).array() - correlation_->source_mean(i)) *
                             correlation_->Slope(i, j) +
                         correlation_->target_mean(j);
    }
    return predicted;
  }
  const Chosen& chosen() const override { return chosen_; }

 private:
  const std::shared_ptr<const UnitCorrelation> correlation_;
  const std::vector<Eigen::Index> source_units_;
  Chosen chosen_;
};

class OneToOneMapping : public Mapping {
 public:
  OneToOneMapping(OneToOneOptions options, bool assigned)
      : options_(options), assigned_(assigned) {}

  bool FitsUnitsAlone() const override { return !assigned_; }

  absl::StatusOr<std::unique_ptr<FittedMapping>> Fit(FitProblem& problem) const override {
    IAT_ASSIGN_OR_RETURN(const std::shared_ptr<const UnitCorrelation> correlation,
                         CorrelationOf(problem));
    return std::make_unique<FittedLines>(
        correlation, assigned_ ? AssignedUnits(*correlation, options_)
                               : BestCorrelatedUnits(*correlation, options_));
  }

 private:
  const OneToOneOptions options_;
  const bool assigned_;
};

// What is to be large. A constant unit correlates with nothing.
Eigen::MatrixXd Likeness(const UnitCorrelation& correlation,
                         const OneToOneOptions& options) {
  return options.absolute ? correlation.r.cwiseAbs() : correlation.r;
}

}  // namespace

void OneToOneOptions::Describe(OptionVisitor& visitor) {
  visitor.Flag("absolute", absolute,
               "rank source units by the size of their correlation, whatever its sign");
}

std::vector<Eigen::Index> BestCorrelatedUnits(const UnitCorrelation& correlation,
                                              const OneToOneOptions& options) {
  const Eigen::MatrixXd likeness = Likeness(correlation, options);
  std::vector<Eigen::Index> units(likeness.cols(), -1);
  for (Eigen::Index j = 0; j < likeness.cols(); ++j) {
    if (!(correlation.target_norm(j) > 0.0)) continue;
    for (Eigen::Index i = 0; i < likeness.rows(); ++i) {
      if (!(correlation.source_norm(i) > 0.0)) continue;
      if (units[j] < 0 || likeness(i, j) > likeness(units[j], j)) units[j] = i;
    }
  }
  return units;
}

std::vector<Eigen::Index> AssignedUnits(const UnitCorrelation& correlation,
                                        const OneToOneOptions& options) {
  // Constant units stay out, so that they take no partner from others.
  std::vector<Eigen::Index> sources, targets;
  for (Eigen::Index i = 0; i < correlation.r.rows(); ++i) {
    if (correlation.source_norm(i) > 0.0) sources.push_back(i);
  }
  for (Eigen::Index j = 0; j < correlation.r.cols(); ++j) {
    if (correlation.target_norm(j) > 0.0) targets.push_back(j);
  }
  const Eigen::MatrixXd cost = -Likeness(correlation, options)(sources, targets);
  const std::vector<Eigen::Index> column_of_row = OptimalAssignment(cost);
  std::vector<Eigen::Index> units(correlation.r.cols(), -1);
  for (size_t k = 0; k < sources.size(); ++k) {
    if (column_of_row[k] >= 0) units[targets[column_of_row[k]]] = sources[k];
  }
  return units;
}

std::unique_ptr<Mapping> MakeOneToOneMapping(const MappingOptions& options) {
  return std::make_unique<OneToOneMapping>(options.one_to_one, /*assigned=*/false);
}
std::unique_ptr<Mapping> MakeOneToOneAssignedMapping(const MappingOptions& options) {
  return std::make_unique<OneToOneMapping>(options.one_to_one, /*assigned=*/true);
}

}  // namespace iat
