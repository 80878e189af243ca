// From rows of neural.csv to the tables that are read.
//
// Values are means over sources and targets, and intervals are over animals:
//   animals->animals  mean over unordered pairs of animals, jackknife leaving one animal
//                     with all its pairs out (similarity/summary.h)
//   others->animals   mean over target animals, jackknife over them; the pools overlap,
//                     which the jackknife does not see
//   models->animals,  models are averaged first, then recorded animals are left out one
//   animals->models   at a time. With fewer than 4 recorded animals but 4 models, models
//                     are left out instead: that interval takes the recorded animals as
//                     given and says nothing about other animals.
// Below 4 of either there is no interval. 95 %, t quantile.
//
// Rows of parts of a pool are a curve of their own.

#ifndef IAT_NEURAL_NEURAL_SUMMARY_H_
#define IAT_NEURAL_NEURAL_SUMMARY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "neural/neural_score_table.h"
#include "similarity/summary.h"

namespace iat {

struct NeuralSummaryLine {
  std::string recording, direction, source_area, source_stage, target_area, target_stage;
  std::string mapping;
  int64_t num_source_units = 0;  // of a part of a pool; 0: whole populations
  bool simulated = false;

  Interval r2, r, r_reliable, r_corrected, r_corrected_all_trials, rsa, rsa_spearman;
  std::string interval_over;  // "animals", "models"; "" for none
  int64_t num_interval = 0;   // how many of them
  int64_t num_rows = 0, num_sources = 0, num_targets = 0;
  double target_units = 0, reliable_units = 0;  // means over rows
  double consistency = 0, undefined_share = 0, active_share = 0;
};

// By direction, mapping, areas, and size.
std::vector<NeuralSummaryLine> SummariseNeuralScores(
    const std::vector<NeuralScoreRow>& rows);

// The lines, area x area matrices of animals->animals, and which layer predicts which
// area best.
std::string NeuralSummaryText(const std::vector<NeuralSummaryLine>& lines);
// An array of objects, keys as the members above; NaN is null.
std::string NeuralSummaryJson(const std::vector<NeuralSummaryLine>& lines);

}  // namespace iat

#endif  // IAT_NEURAL_NEURAL_SUMMARY_H_
