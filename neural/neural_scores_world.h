// What a run of neural scores consists of: populations, splits, and groups of one source
// with all its targets (neural/neural_scores.h).

#ifndef IAT_NEURAL_NEURAL_SCORES_WORLD_H_
#define IAT_NEURAL_NEURAL_SCORES_WORLD_H_

#include <Eigen/Core>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "neural/neural_scores.h"
#include "neural/population.h"
#include "similarity/split.h"

namespace iat {

// One population, or several side by side standing for one.
struct NeuralSource {
  std::vector<size_t> members;  // places in NeuralWorld::populations
  std::vector<int64_t> units;   // of all members' units side by side; empty: all
  int64_t sample_seed = -1;
  int64_t num_pooled_units = 0;
};

struct NeuralGroup {
  std::string direction;
  NeuralSource source;
  std::vector<size_t> targets;
  int64_t num_bootstraps = 0;
};

struct NamedMappings {
  std::vector<std::string> names;
  std::vector<std::unique_ptr<Mapping>> mappings;
};

struct NeuralWorld {
  std::vector<std::string> stimulus_ids;
  std::vector<Population> populations;  // recorded ones, then models'
  std::vector<Eigen::MatrixXd> means;   // over trials, one a population
  std::vector<std::string> digests;     // SHA-256 of a population's responses
  std::vector<Split> splits;
  std::vector<NeuralGroup> groups;
  std::map<Stage, NamedMappings> mappings_of;  // those that accept targets of a stage
  std::vector<std::string> notes;

  std::string SourceAnimal(const NeuralSource& source) const;
  const Population& First(const NeuralSource& source) const {
    return populations[source.members.front()];
  }
  bool IsModel(const NeuralSource& source) const { return First(source).is_model(); }
  // Matrices of members, side by side, and the source's units of them.
  Eigen::MatrixXd SideBySide(const NeuralSource& source,
                             const std::vector<Eigen::MatrixXd>& of_members) const;
  // "V1 region1 -> V1 region2", or "... -> 12 populations".
  std::string Name(const NeuralGroup& group) const;
};

absl::StatusOr<NeuralWorld> MakeNeuralWorld(const NeuralScoresOptions& options,
                                            const NeuralScoresInput& input);

// Splits that keep blocks whole; rows of the fit by place in the block, then block.
absl::StatusOr<std::vector<Split>> MakeBlockSplits(
    const std::vector<std::string>& stimulus_ids, const NeuralScoresOptions& options);

}  // namespace iat

#endif  // IAT_NEURAL_NEURAL_SCORES_WORLD_H_
