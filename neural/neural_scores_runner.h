// Scores of one group (a source with all its targets) on one split, and the part file
// that keeps them.

#ifndef IAT_NEURAL_NEURAL_SCORES_RUNNER_H_
#define IAT_NEURAL_NEURAL_SCORES_RUNNER_H_

#include <Eigen/Core>
#include <filesystem>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "neural/neural_scores.h"
#include "neural/neural_scores_world.h"

namespace iat {

// Columns of UnitScoresOfSplit: what is known of a target unit on one split. Sums are
// over the bootstraps in which the value is defined, counts say how many.
enum SplitField : Eigen::Index {
  kR2,
  kR,
  kCorrectedSum,
  kCorrectedCount,
  kAllTrialsSum,
  kAllTrialsCount,
  kTargetConsistencySum,
  kTargetConsistencyCount,
  kMappedConsistencySum,
  kMappedConsistencyCount,
  kTargetUndefined,  // bootstraps whose target consistency is not above 0
  kMappedUndefined,  // of the others, those whose mapped consistency is not
  kNumSplitFields
};
using UnitScoresOfSplit = Eigen::MatrixXd;  // target units x kNumSplitFields

// By target of the group, then by mapping that its stage accepts.
using SplitScores = std::vector<std::vector<UnitScoresOfSplit>>;

absl::StatusOr<SplitScores> ScoreSplit(const NeuralScoresOptions& options,
                                       const NeuralWorld& world, const NeuralGroup& group,
                                       const Split& split, const std::atomic<bool>* stop);

// SHA-256 of everything that ScoreSplit reads.
std::string PartFingerprint(const NeuralScoresOptions& options, const NeuralWorld& world,
                            const NeuralGroup& group, const Split& split);
std::filesystem::path PartPath(const std::filesystem::path& scores_folder,
                               const std::string& fingerprint);
// Numbers keep every bit. Whole or not at all.
absl::Status WritePart(const std::filesystem::path& path, const std::string& fingerprint,
                       const SplitScores& scores);
// NotFound or InvalidArgument unless it is the whole part of this group.
absl::StatusOr<SplitScores> ReadPart(const std::filesystem::path& path,
                                     const std::string& fingerprint,
                                     const NeuralWorld& world, const NeuralGroup& group);

}  // namespace iat

#endif  // IAT_NEURAL_NEURAL_SCORES_RUNNER_H_
