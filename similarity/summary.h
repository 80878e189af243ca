// From rows of compare.csv to the numbers of figure 1.
//
//   median over units (in the row) -> mean over splits -> mean of a pair's two
//   directions -> mean over pairs
//
// Intervals  Pairs share animals, so the unit of resampling is the animal: jackknife
//            leaving one animal (all its pairs) out at a time,
//              SE^2 = (m - 1) / m * sum_a (theta_(-a) - mean theta_(.))^2,
//            with a t quantile on m - 1 degrees of freedom, 95 %. Below 4 animals
//            there is no interval (NaN).
// Groups     stimuli, family (an animal's name without its number), layers, stages,
//            mapping, numbers of stimuli, and number of target units: rows on
//            different sets of units are never averaged together.
// NaN        A row without a scored unit is left out and counted.
// Layers     Where every layer of a set was mapped onto every other (compare.layer_pairs
// =
//            ["all"]), a mapping keeps layers apart as far as a layer is told best by its
//            own counterpart:
//              by target  mean over layers l of  R2(l -> l) - max_{k != l} R2(k -> l)
//              by source  mean over layers l of  R2(l -> l) - max_{k != l} R2(l -> k)
//            with each R2 a mean over pairs as above. Positive: the matching layer wins
//            on average; a mapping flexible enough to predict anything from anything has
//            0. The jackknife leaves an animal out of the whole matrix, maxima included.
//
// Example:
//   const Summary summary = Summarise(*ReadScores("scores/compare.csv"));
//   std::cout << SummaryText(summary);

#ifndef IAT_SIMILARITY_SUMMARY_H_
#define IAT_SIMILARITY_SUMMARY_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/score_table.h"

namespace iat {

struct Interval {
  double mean = 0.0;
  double low = 0.0, high = 0.0;  // NaN below 4 animals
};

// The mean over unordered pairs of animals and its interval, from one value for each
// ordered pair (source, target). NaN values are left out.
Interval JackknifeOverAnimals(
    const std::map<std::pair<std::string, std::string>, double>& value_of_pair);

// What identifies a line of the summary.
struct SummaryKey {
  std::string stimuli, family;
  std::string source_layer, target_layer, source_stage, target_stage;
  std::string source_scope, target_scope;
  int64_t num_fit_stimuli = 0, num_test_stimuli = 0;
  int64_t num_source_units = 0, num_target_units = 0;
};

struct SummaryLine {
  SummaryKey key;
  std::string mapping;
  Interval r2;
  int64_t num_animals = 0;
  int64_t num_pairs = 0;  // unordered
  int64_t num_splits = 0;
  int64_t num_empty = 0;  // rows without a scored unit
};

// Mean of (first - second) over the pairs and splits that both have, on the same
// target units.
struct DifferenceLine {
  SummaryKey key;             // of `first`
  std::string first, second;  // "ridge pre_relu", "logistic_ridge post_relu"
  Interval r2;
  int64_t num_animals = 0, num_pairs = 0, num_splits = 0;
};

// One mapping's layer x layer matrix. Where a pair of layers has rows on several numbers
// of target units, those on the most.
struct SeparabilityLine {
  SummaryKey key;  // without layers and numbers of units
  std::string mapping;
  Interval by_target, by_source;
  int64_t num_layers = 0;
  int64_t num_matched = 0;  // target layers that their counterpart predicts best
  int64_t num_animals = 0;
};

struct Summary {
  std::vector<SummaryLine> lines;
  // ridge before - ridge after the ReLU; every other mapping - ridge, and every logistic
  // one - ridge_clamped, where there are such rows.
  std::vector<DifferenceLine> differences;
  std::vector<SeparabilityLine> separability;
};

// An animal's name without its number: "seed-003" is of "seed".
std::string FamilyOf(const std::string& animal);

Summary Summarise(const std::vector<ScoreRow>& rows);

// The table for stdout. Fixed width.
std::string SummaryText(const Summary& summary);
// {"lines": [...], "differences": [...], "separability": [...]}, keys as the members
// above; NaN is null.
std::string SummaryJson(const Summary& summary);

}  // namespace iat

#endif  // IAT_SIMILARITY_SUMMARY_H_
