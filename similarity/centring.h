// Responses less their means, and the checks that every fit begins with.

#ifndef IAT_SIMILARITY_CENTRING_H_
#define IAT_SIMILARITY_CENTRING_H_

#include <Eigen/Core>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace iat {

struct CentredUnits {
  Eigen::RowVectorXd mean;
  Eigen::MatrixXd values;  // responses - mean; exactly 0 for a unit that never changes
};
CentredUnits CentreUnits(const Eigen::MatrixXd& responses);

// InvalidArgument: no stimuli, no source units, other numbers of stimuli, or values that
// are not finite.
absl::Status CheckResponses(const Eigen::MatrixXd& source, const Eigen::MatrixXd& target);
// The target's part of it, where the source has been checked.
absl::Status CheckTarget(Eigen::Index num_source_stimuli, const Eigen::MatrixXd& target);
// InvalidArgument: another number of units than the mapping was fitted on.
absl::Status CheckNumUnits(const Eigen::MatrixXd& source, Eigen::Index num_units);

// Stimulus i belongs to fold i modulo num_folds: the stimuli of a fold where `held_out`,
// else all the others.
std::vector<Eigen::Index> FoldStimuli(Eigen::Index num_stimuli, Eigen::Index fold,
                                      Eigen::Index num_folds, bool held_out);

}  // namespace iat

#endif  // IAT_SIMILARITY_CENTRING_H_
