#include "similarity/centring.h"

#include "absl/strings/str_cat.h"

namespace iat {

CentredUnits CentreUnits(const Eigen::MatrixXd& responses) {
  CentredUnits result{responses.colwise().mean(), responses};
  // The mean of equal numbers is off by rounding; a constant unit must centre to 0.
  for (Eigen::Index j = 0; j < responses.cols(); ++j) {
    if ((responses.col(j).array() == responses(0, j)).all()) {
      result.mean(j) = responses(0, j);
    }
  }
  result.values.rowwise() -= result.mean;
  return result;
}

absl::Status CheckResponses(const Eigen::MatrixXd& source,
                            const Eigen::MatrixXd& target) {
  if (source.size() == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("source is ", source.rows(), " stimuli x ", source.cols(),
                     " units; expected at least one of each"));
  }
  if (!source.allFinite()) {
    return absl::InvalidArgumentError("source has values that are not finite");
  }
  return CheckTarget(source.rows(), target);
}

absl::Status CheckTarget(Eigen::Index num_source_stimuli, const Eigen::MatrixXd& target) {
  if (target.rows() != num_source_stimuli) {
    return absl::InvalidArgumentError(absl::StrCat(
        "source has ", num_source_stimuli, " stimuli, target has ", target.rows()));
  }
  if (!target.allFinite()) {
    return absl::InvalidArgumentError("target has values that are not finite");
  }
  return absl::OkStatus();
}

absl::Status CheckNumUnits(const Eigen::MatrixXd& source, Eigen::Index num_units) {
  if (source.cols() == num_units) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "source has ", source.cols(), " units; the mapping was fitted on ", num_units));
}

std::vector<Eigen::Index> FoldStimuli(Eigen::Index num_stimuli, Eigen::Index fold,
                                      Eigen::Index num_folds, bool held_out) {
  std::vector<Eigen::Index> stimuli;
  for (Eigen::Index i = 0; i < num_stimuli; ++i) {
    if ((i % num_folds == fold) == held_out) stimuli.push_back(i);
  }
  return stimuli;
}

}  // namespace iat
