// How well recorded animals predict each other, how well models predict them and they
// models: R2, correlation and noise-corrected correlation of a mapping, and
// representational similarity, side by side.
//
// Populations  an animal's area (neural/population.h), or a model's layer at a stage.
// Directions   animals->animals  one animal's area onto an area of another
//              others->animals   one area of all other animals, side by side as one
//                                source, onto an area of the animal left out
//              models->animals   every layer and stage of every model onto every area
//              animals->models   and the other way
//              Areas of one animal are never mapped onto each other: they share trials.
// Splits       Stimuli in blocks of block_size, consecutive in the recording's order (the
//              bins of one texture of a film); a split fits on num_fit_stimuli and tests
//              on the others, whole blocks each. All populations share splits. Fit
//              stimuli are ordered first bins of all blocks, then second bins, ...: so
//              ridge.selection = "kfold" with num_folds = the number of fit blocks holds
//              out whole blocks for the penalty too, where leave-one-out would leave its
//              neighbours in.
// Trials       R2 and r: fitted and tested on means over all trials. Corrected r: halves,
//              num_bootstraps times on every split (neural/noise_correction.h).
// Reliability  Of a target neuron, its internal consistency over all stimuli, from the
//              same halvings and at least 100. It reads the target alone, never a
//              prediction.
// Aggregation  R2, r: median over neurons, mean over splits. Corrected r: mean over
//              splits and bootstraps where it is defined, then median over reliable
//              neurons, as the group's code does it.
// Pool sizes   Besides the whole pool, others->animals is scored from pool_sizes neurons
//              of it, num_pool_samples random subsets that are nested across sizes,
//              without noise correction: a curve.
// Sharing      The halves of a source on one split are decomposed once for all targets,
//              those of a model once for all bootstraps.
// Resuming     A source on one split is a part, SCORES_FOLDER/parts/neural-*.csv, named
//              by the fingerprint of its inputs (responses, options, split); a run takes
//              up what is there. Outputs are the same bytes for any number of jobs.
//
// Example:
//   NeuralScoresInput input{"antolik", &recording, {}};
//   auto rows = RunNeuralScores(options, input, "runs/x/scores/antolik", {.jobs = 2});

#ifndef IAT_NEURAL_NEURAL_SCORES_H_
#define IAT_NEURAL_NEURAL_SCORES_H_

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "neural/neural_score_table.h"
#include "neural/neural_scores_options.h"
#include "neural/recording.h"

namespace iat {

struct NeuralScoresInput {
  std::string name;  // of the recording, as rows call it
  const Recording* recording = nullptr;
  std::vector<std::filesystem::path> model_files;  // activation files, one a model
};

struct NeuralScoresControl {
  int jobs = 1;
  // After every part, one call at a time.
  std::function<void(int64_t done, int64_t total, const std::string& line)> progress = {};
  // Looked at between targets; true ends the run with Cancelled, finished parts kept.
  const std::atomic<bool>* stop = nullptr;
};

struct NeuralScoresResult {
  std::vector<NeuralScoreRow> rows;  // as in neural.csv
  std::vector<std::string> notes;    // what was left out, in words
  int64_t num_parts = 0, num_reused = 0;
};

// Writes neural.csv, neural_units.csv and neural_splits.csv (stimuli, split_seed,
// stimulus_id, part, in the order of the fit). InvalidArgument or NotFound naming what
// does not fit: animals, areas, stimuli, layers, too few stimuli or blocks, a direction
// without a pair, mappings that accept none of the targets.
absl::StatusOr<NeuralScoresResult> RunNeuralScores(
    const NeuralScoresOptions& options, const NeuralScoresInput& input,
    const std::filesystem::path& scores_folder, const NeuralScoresControl& control);

struct NeuralScoresPlan {
  int64_t num_parts = 0, num_complete = 0;
  int64_t num_stimuli = 0, num_populations = 0;
  std::vector<std::string> notes;
};
absl::StatusOr<NeuralScoresPlan> PlanNeuralScores(
    const NeuralScoresOptions& options, const NeuralScoresInput& input,
    const std::filesystem::path& scores_folder);

}  // namespace iat

#endif  // IAT_NEURAL_NEURAL_SCORES_H_
