// The paper's claims, each held against this run's data by a rule written down before.
//
// A claim is judged case by case (a layer, or a layer and stage), and then as a whole:
//
//   supported      every case supports it
//   not supported  at least one case contradicts it
//   undecided      otherwise: an interval that holds the margin, or none (below 4
//   animals) not measured   no case at all; what would measure it is said
//
// Claims and rules. d is a mean difference in R2 with its 95 % interval over animals
// (similarity/summary.h), on the same pairs, splits and target units.
//
//   relu         ridge before the ReLU is above ridge after it
//   logistic     after the ReLU, LogisticRidge is above ridge
//   clamped      after the ReLU, LogisticRidge is above clamped ridge
//                  d above margin: supports; d's upper end at or below it: contradicts
//   hypercolumn  one hypercolumn predicts almost as well as the whole layer: ridge, d =
//                source hypercolumn - source layer, targets in the hypercolumn
//                (similarity/scope_compare.h)
//                  lower end above -hypercolumn_margin: supports; upper end at or below
//                  it: contradicts
//   saturation   ridge saturates at about 500 and 200 stimuli, 500 and 100 units, after
//                and before the ReLU (a claim each)
//                  the paper's number inside the interval of the saturation size
//                  (similarity/saturation.h), widened by saturation_factor at both ends:
//                  supports; outside: contradicts; not saturated at the paper's number
//                  or more, with 4 animals: contradicts
//   neurons      300 neurons of one hypercolumn are needed: the same rule on the needed
//                neurons (similarity/calibrate.h), of the area that needs most
//   stimuli      500 stimuli are needed: the same rule on the stimuli of ridge after the
//                ReLU, of the layer that needs most
//
// Source   Sagastuy-Brena et al., CCN 2022.
//
// Example:
//   VerdictInput input{.compare = rows, .saturations = FindSaturations(curves, {})};
//   for (const VerdictLine& line : MakeVerdicts(input, {})) ...

#ifndef IAT_SIMILARITY_VERDICT_H_
#define IAT_SIMILARITY_VERDICT_H_

#include <string>
#include <vector>

#include "base/options.h"
#include "base/score_table.h"
#include "similarity/calibrate.h"
#include "similarity/saturation.h"
#include "similarity/scope_compare.h"

namespace iat {

// Config table [verdict].
struct VerdictOptions {
  double difference_margin = 0.0;
  double hypercolumn_margin = 0.05;
  double saturation_factor = 1.0;
  std::string saturation_rule = "share";

  void Describe(OptionVisitor& visitor);
};

enum class Verdict { kSupported, kNotSupported, kUndecided, kNotMeasured };
// "supported", "not supported", "undecided", "not measured".
std::string VerdictName(Verdict verdict);

struct VerdictCase {
  std::string place;  // "conv3", "conv3 post_relu"
  Verdict verdict = Verdict::kUndecided;
  std::string evidence;  // "0.043 [0.031, 0.052]", "not saturated at 8000"
};

struct VerdictLine {
  std::string name;   // "relu", "logistic", ..., "saturation stimuli post_relu"
  std::string claim;  // in a sentence's words
  std::string rule;   // with its margin
  Verdict verdict = Verdict::kNotMeasured;
  std::string reason;  // in words; of one not measured, what would measure it
  std::vector<VerdictCase> cases;
};

struct VerdictInput {
  std::vector<ScoreRow> compare;        // scores/compare.csv
  std::vector<ScopeLine> scopes;        // of scores/scopes.csv
  std::vector<Saturation> saturations;  // of scores/subsample.csv
  std::vector<Calibration> calibrations;
  bool simulated_animals = false;  // whether those are of simulated animals
};

// Every claim, in the order above. Of the first stimulus set by name; of the trained
// family, or the imported one in a run without seeds.
std::vector<VerdictLine> MakeVerdicts(const VerdictInput& input,
                                      const VerdictOptions& options);

// For stdout, and as a JSON array.
std::string VerdictText(const std::vector<VerdictLine>& lines);
std::string VerdictJson(const std::vector<VerdictLine>& lines);

}  // namespace iat

#endif  // IAT_SIMILARITY_VERDICT_H_
