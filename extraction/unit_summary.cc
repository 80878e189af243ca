#include "extraction/unit_summary.h"

#include <algorithm>
#include <limits>

#include "base/status.h"

namespace iat {

UnitSummary::UnitSummary(int64_t num_units)
    : mean_(Eigen::ArrayXd::Zero(num_units)),
      squares_(mean_),
      num_positive_(mean_),
      positive_sum_(mean_),
      positive_squares_(mean_) {}

void UnitSummary::Add(const Eigen::Ref<const ActivationMatrix>& responses) {
  if (responses.rows() == 0) return;
  using Block = Eigen::Array<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Block values = responses.array().cast<double>();
  UnitSummary block(responses.cols());
  block.num_stimuli_ = responses.rows();
  block.mean_ = values.colwise().mean().transpose();
  block.squares_ =
      (values.rowwise() - block.mean_.transpose()).square().colwise().sum().transpose();
  const Block positive = values.max(0.0);
  block.num_positive_ = (values > 0.0).cast<double>().colwise().sum().transpose();
  block.positive_sum_ = positive.colwise().sum().transpose();
  block.positive_squares_ = positive.square().colwise().sum().transpose();
  Merge(block);
}

void UnitSummary::Merge(const UnitSummary& other) {
  if (other.num_stimuli_ == 0) return;
  if (num_stimuli_ == 0) {
    *this = other;
    return;
  }
  const double mine = static_cast<double>(num_stimuli_);
  const double theirs = static_cast<double>(other.num_stimuli_);
  const Eigen::ArrayXd shift = other.mean_ - mean_;
  mean_ += shift * (theirs / (mine + theirs));
  squares_ += other.squares_ + shift.square() * (mine * theirs / (mine + theirs));
  num_positive_ += other.num_positive_;
  positive_sum_ += other.positive_sum_;
  positive_squares_ += other.positive_squares_;
  num_stimuli_ += other.num_stimuli_;
}

Eigen::ArrayXd UnitSummary::sd() const {
  return (squares_ / static_cast<double>(std::max<int64_t>(num_stimuli_ - 1, 1))).sqrt();
}

Eigen::ArrayXd UnitSummary::sparsity() const {
  return 1.0 - num_positive_ / static_cast<double>(num_stimuli_);
}

Eigen::ArrayXd UnitSummary::lifetime_sparseness() const {
  const double n = static_cast<double>(num_stimuli_);
  const Eigen::ArrayXd activity = positive_sum_.square() / (n * positive_squares_);
  if (num_stimuli_ < 2) {
    return Eigen::ArrayXd::Constant(mean_.size(),
                                    std::numeric_limits<double>::quiet_NaN());
  }
  return (1.0 - activity) / (1.0 - 1.0 / n);
}

Eigen::ArrayXd UnitSummary::dead() const { return (num_positive_ == 0.0).cast<double>(); }

std::vector<std::pair<std::string, std::string>> UnitSummary::StateNames() {
  return {{"part_mean", "mean over this part's stimuli"},
          {"part_squares", "sum of squared distances from that mean"},
          {"part_positive", "number of responses above zero"},
          {"part_positive_sum", "their sum"},
          {"part_positive_squares", "their sum of squares"}};
}

std::vector<Eigen::ArrayXd> UnitSummary::State() const {
  return {mean_, squares_, num_positive_, positive_sum_, positive_squares_};
}

UnitSummary UnitSummary::FromState(int64_t num_stimuli,
                                   std::vector<Eigen::ArrayXd> state) {
  IAT_CHECK(state.size() == StateNames().size(), "a summary with pieces missing");
  UnitSummary summary;
  summary.num_stimuli_ = num_stimuli;
  summary.mean_ = std::move(state[0]);
  summary.squares_ = std::move(state[1]);
  summary.num_positive_ = std::move(state[2]);
  summary.positive_sum_ = std::move(state[3]);
  summary.positive_squares_ = std::move(state[4]);
  return summary;
}

}  // namespace iat
