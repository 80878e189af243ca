#include "similarity/verdict.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/json_text.h"
#include "similarity/summary.h"

namespace iat {
namespace {

constexpr double kPaperNeurons = 300, kPaperStimuli = 500;

std::string DifferenceText(const Interval& difference) {
  if (std::isnan(difference.low)) {
    return absl::StrFormat("%.3f, no interval below %d animals", difference.mean,
                           kFewestAnimals);
  }
  return absl::StrFormat("%.3f [%.3f, %.3f]", difference.mean, difference.low,
                         difference.high);
}

// Is a difference above `margin`?
VerdictCase JudgeAbove(const std::string& place, const Interval& difference,
                       double margin) {
  VerdictCase found{place, Verdict::kUndecided, DifferenceText(difference)};
  if (difference.low > margin) found.verdict = Verdict::kSupported;
  if (difference.high <= margin) found.verdict = Verdict::kNotSupported;
  return found;
}

// Is `paper` inside the interval of a saturation size?
VerdictCase JudgeInside(const std::string& place, const SaturationPoint& point,
                        const SaturationSize& size, int64_t num_animals, double paper,
                        double factor) {
  VerdictCase found{place, Verdict::kUndecided, SaturationSizeText(point, size)};
  if (point.state == SaturationState::kNotSaturated) {
    absl::StrAppendFormat(&found.evidence, " at %.0f", point.largest_size);
    if (point.largest_size >= paper && num_animals >= kFewestAnimals) {
      found.verdict = Verdict::kNotSupported;
    }
  } else if (point.state == SaturationState::kUndefined) {
    absl::StrAppendFormat(&found.evidence, ", R2 %.3f at %.0f", point.largest_r2,
                          point.largest_size);
  } else if (std::isnan(size.low)) {
    absl::StrAppend(&found.evidence, ", no interval");
  } else {
    const bool inside = size.low / factor <= paper && paper <= size.high * factor;
    found.verdict = inside ? Verdict::kSupported : Verdict::kNotSupported;
  }
  return found;
}

int Count(const std::vector<VerdictCase>& cases, Verdict verdict) {
  return static_cast<int>(
      std::count_if(cases.begin(), cases.end(),
                    [&](const VerdictCase& each) { return each.verdict == verdict; }));
}

// The verdict of all cases, and why. `to_measure` says what is lacking where there is
// none.
void Conclude(const std::string& to_measure, VerdictLine& line) {
  const int total = static_cast<int>(line.cases.size());
  if (total == 0) {
    line.verdict = Verdict::kNotMeasured;
    line.reason = to_measure;
    return;
  }
  const int supported = Count(line.cases, Verdict::kSupported);
  const int contradicted = Count(line.cases, Verdict::kNotSupported);
  line.verdict = contradicted > 0    ? Verdict::kNotSupported
                 : supported < total ? Verdict::kUndecided
                                     : Verdict::kSupported;
  line.reason =
      absl::StrFormat("%d of %d for it, %d against", supported, total, contradicted);
}

// The family and stimulus set that the claims are about.
struct Subject {
  std::string family, stimuli, scope;
};

std::optional<Subject> SubjectOf(const Summary& summary) {
  if (summary.lines.empty()) return std::nullopt;
  Subject subject{"imported", summary.lines.front().key.stimuli, ""};
  for (const SummaryLine& line : summary.lines) {
    const SummaryKey& key = line.key;
    if (key.family == "seed") subject.family = "seed";
    if (subject.scope.empty() && key.source_scope == key.target_scope) {
      subject.scope = key.source_scope;
    }
  }
  return subject;
}

VerdictLine JudgeDifference(const Summary& summary, const std::string& name,
                            const std::string& claim, const std::string& first,
                            const std::string& second, const std::string& to_measure,
                            const VerdictOptions& options) {
  VerdictLine line{.name = name,
                   .claim = claim,
                   .rule = absl::StrFormat("interval of the difference above %g",
                                           options.difference_margin),
                   .verdict = Verdict::kNotMeasured,
                   .reason = "",
                   .cases = {}};
  // Differences come by rising number of target units: of several, the last stays.
  std::map<std::string, Interval> of_layer;
  const std::optional<Subject> subject = SubjectOf(summary);
  for (const DifferenceLine& difference : summary.differences) {
    const SummaryKey& key = difference.key;
    if (difference.first == first && difference.second == second &&
        key.family == subject->family && key.stimuli == subject->stimuli &&
        key.source_layer == key.target_layer && key.source_scope == subject->scope &&
        key.target_scope == subject->scope) {
      of_layer[key.target_layer] = difference.r2;
    }
  }
  for (const auto& [layer, difference] : of_layer) {
    line.cases.push_back(JudgeAbove(layer, difference, options.difference_margin));
  }
  Conclude(to_measure, line);
  return line;
}

VerdictLine JudgeHypercolumn(const std::vector<ScopeLine>& scopes,
                             const std::optional<Subject>& subject,
                             const VerdictOptions& options) {
  VerdictLine line{
      .name = "hypercolumn",
      .claim = "one hypercolumn predicts almost as well as the whole layer",
      .rule = absl::StrFormat("interval of hypercolumn - layer above %g, same targets",
                              -options.hypercolumn_margin),
      .verdict = Verdict::kNotMeasured,
      .reason = "",
      .cases = {}};
  for (const ScopeLine& scope : scopes) {
    if (std::isnan(scope.difference.mean) ||
        (subject && scope.stimuli != subject->stimuli)) {
      continue;
    }
    line.cases.push_back(JudgeAbove(absl::StrCat(scope.layer, " ", scope.stage),
                                    scope.difference, -options.hypercolumn_margin));
  }
  Conclude("a [scopes] table in the config measures it", line);
  return line;
}

const SaturationSize& SizeOf(const SaturationPoint& point,
                             const VerdictOptions& options) {
  return options.saturation_rule == "within" ? point.within : point.share;
}

std::string InsideRule(double paper, const VerdictOptions& options) {
  std::string rule = absl::StrFormat("%.0f inside the interval of the size %s", paper,
                                     options.saturation_rule == "within"
                                         ? "within 0.02 of the largest size's R2"
                                         : "with 95 % of the largest size's R2");
  if (options.saturation_factor > 1.0) {
    absl::StrAppendFormat(&rule, ", widened by a factor of %g",
                          options.saturation_factor);
  }
  return rule;
}

// Ridge of the family that the claims are about, one a layer: of several sets of target
// units, the largest.
std::vector<Saturation> RidgeSaturations(const VerdictInput& input,
                                         const std::optional<Subject>& subject,
                                         const std::string& axis,
                                         const std::string& stage) {
  std::map<std::string, Saturation> of_layer;
  for (const Saturation& found : input.saturations) {
    const TargetCurvesKey& key = found.key;
    if (key.axis != axis || key.stage != stage || key.mapping != "ridge" ||
        (subject && key.family != subject->family)) {
      continue;
    }
    const auto [place, is_new] = of_layer.try_emplace(key.layer, found);
    if (!is_new && place->second.key.num_target_units < key.num_target_units) {
      place->second = found;
    }
  }
  std::vector<Saturation> all;
  for (auto& [layer, found] : of_layer) all.push_back(std::move(found));
  return all;
}

VerdictLine JudgeSaturation(const VerdictInput& input,
                            const std::optional<Subject>& subject,
                            const std::string& axis, const std::string& stage,
                            const VerdictOptions& options) {
  const double paper = *PaperSaturation(axis, stage, "ridge");
  VerdictLine line{
      .name = absl::StrCat("saturation ", axis, " ", stage),
      .claim = absl::StrFormat("%s the ReLU ridge saturates at about %.0f %s",
                               stage == "pre_relu" ? "before" : "after", paper, axis),
      .rule = InsideRule(paper, options),
      .verdict = Verdict::kNotMeasured,
      .reason = "",
      .cases = {}};
  for (const Saturation& found : RidgeSaturations(input, subject, axis, stage)) {
    line.cases.push_back(JudgeInside(found.key.layer, found.point,
                                     SizeOf(found.point, options), found.num_animals,
                                     paper, options.saturation_factor));
  }
  Conclude(absl::StrCat("iat subsample with axis \"", axis, "\" and stage \"", stage,
                        "\" measures it"),
           line);
  return line;
}

// How much a curve needs: what does not saturate needs more than everything measured.
double Demand(const SaturationPoint& point, const VerdictOptions& options) {
  switch (point.state) {
    case SaturationState::kSaturated:
      return SizeOf(point, options).size;
    case SaturationState::kNotSaturated:
      return std::numeric_limits<double>::infinity();
    case SaturationState::kUndefined:
      return -1.0;
  }
  return -1.0;
}

struct Needed {
  std::string place;
  SaturationPoint point;
  int64_t num_animals;
};

// Of the most demanding of `all`, if there is one.
void JudgeNeeded(std::vector<Needed> all, double paper, const std::string& to_measure,
                 const VerdictOptions& options, VerdictLine& line) {
  line.rule = absl::StrCat(InsideRule(paper, options), ", where most are needed");
  const auto most =
      std::max_element(all.begin(), all.end(), [&](const Needed& a, const Needed& b) {
        return Demand(a.point, options) < Demand(b.point, options);
      });
  if (most != all.end()) {
    line.cases.push_back(JudgeInside(most->place, most->point,
                                     SizeOf(most->point, options), most->num_animals,
                                     paper, options.saturation_factor));
  }
  Conclude(to_measure, line);
  if (most != all.end()) {
    line.reason = absl::StrCat(all.size(), " compared, most needed at ", most->place);
  }
}

VerdictLine JudgeNeurons(const VerdictInput& input, const VerdictOptions& options) {
  VerdictLine line;
  line.name = "neurons";
  line.claim = "300 neurons of one hypercolumn are needed";
  std::vector<Needed> all;
  for (const Calibration& calibration : input.calibrations) {
    if (!calibration.ratio.has_value() || calibration.ratio->at_edge) continue;
    all.push_back({calibration.Name(), calibration.ratio->needed,
                   static_cast<int64_t>(std::min(calibration.models.animals.size(),
                                                 calibration.animals.animals.size()))});
  }
  JudgeNeeded(std::move(all), kPaperNeurons,
              input.calibrations.empty()
                  ? "iat calibrate on recorded animals measures it"
                  : "no neuron-to-unit ratio: every fit was refused or ended at a bound",
              options, line);
  if (input.simulated_animals && !line.cases.empty()) {
    absl::StrAppend(&line.reason, "; SIMULATED animals, which say nothing of real ones");
  }
  return line;
}

VerdictLine JudgeStimuli(const VerdictInput& input, const std::optional<Subject>& subject,
                         const VerdictOptions& options) {
  VerdictLine line;
  line.name = "stimuli";
  line.claim = "500 stimuli are needed";
  std::vector<Needed> all;
  for (const Saturation& found :
       RidgeSaturations(input, subject, "stimuli", "post_relu")) {
    all.push_back({found.key.layer, found.point, found.num_animals});
  }
  JudgeNeeded(std::move(all), kPaperStimuli,
              "iat subsample with axis \"stimuli\" and stage \"post_relu\" measures it",
              options, line);
  return line;
}

}  // namespace

void VerdictOptions::Describe(OptionVisitor& visitor) {
  visitor.Number("difference_margin", difference_margin, {.min = 0, .max = 1},
                 "a mapping is above another where the interval of the difference in R2 "
                 "lies above this");
  visitor.Number("hypercolumn_margin", hypercolumn_margin, {.min = 0, .max = 1},
                 "R2 that a hypercolumn may lose against the whole layer");
  visitor.Number("saturation_factor", saturation_factor, {.min = 1, .max = 10},
                 "intervals of saturation sizes are widened by this factor at both ends, "
                 "since the paper's numbers are read by eye");
  visitor.Choice("saturation_rule", saturation_rule, {"share", "within"},
                 "which saturation size is held against the paper's: \"share\" (95 % of "
                 "the largest size's R2) or \"within\" (0.02 of it)");
}

std::string VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kSupported:
      return "supported";
    case Verdict::kNotSupported:
      return "not supported";
    case Verdict::kUndecided:
      return "undecided";
    case Verdict::kNotMeasured:
      return "not measured";
  }
  return "";
}

std::vector<VerdictLine> MakeVerdicts(const VerdictInput& input,
                                      const VerdictOptions& options) {
  const Summary summary = Summarise(input.compare);
  const std::optional<Subject> subject = SubjectOf(summary);
  std::vector<VerdictLine> lines;
  lines.push_back(JudgeDifference(
      summary, "relu", "ridge before the ReLU is above ridge after it", "ridge pre_relu",
      "ridge post_relu", "iat compare with ridge at both stages measures it", options));
  lines.push_back(JudgeDifference(
      summary, "logistic", "after the ReLU LogisticRidge is above ridge",
      "logistic_ridge post_relu", "ridge post_relu",
      "iat compare with mapping \"logistic_ridge\" measures it", options));
  lines.push_back(JudgeDifference(
      summary, "clamped", "after the ReLU LogisticRidge is above clamped ridge",
      "logistic_ridge post_relu", "ridge_clamped post_relu",
      "iat compare with mappings \"logistic_ridge\" and \"ridge_clamped\" measures it",
      options));
  lines.push_back(JudgeHypercolumn(input.scopes, subject, options));
  for (const char* axis : {"stimuli", "units"}) {
    for (const char* stage : {"post_relu", "pre_relu"}) {
      lines.push_back(JudgeSaturation(input, subject, axis, stage, options));
    }
  }
  lines.push_back(JudgeNeurons(input, options));
  lines.push_back(JudgeStimuli(input, subject, options));
  return lines;
}

std::string VerdictText(const std::vector<VerdictLine>& lines) {
  std::string text = "The paper's claims, on this run's data\n";
  for (const VerdictLine& line : lines) {
    absl::StrAppendFormat(&text, "%-13s  %s\n               %s. Rule: %s.\n",
                          VerdictName(line.verdict), line.claim, line.reason, line.rule);
    for (const VerdictCase& each : line.cases) {
      absl::StrAppendFormat(&text, "               %-18s %-13s  %s\n", each.place,
                            VerdictName(each.verdict), each.evidence);
    }
  }
  return text;
}

std::string VerdictJson(const std::vector<VerdictLine>& lines) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const VerdictLine& line : lines) {
    nlohmann::ordered_json cases = nlohmann::ordered_json::array();
    for (const VerdictCase& each : line.cases) {
      cases.push_back({{"place", each.place},
                       {"verdict", VerdictName(each.verdict)},
                       {"evidence", each.evidence}});
    }
    json.push_back({{"name", line.name},
                    {"claim", line.claim},
                    {"rule", line.rule},
                    {"verdict", VerdictName(line.verdict)},
                    {"reason", line.reason},
                    {"cases", cases}});
  }
  return JsonText(json);
}

}  // namespace iat
