// The scopes stage: hypercolumns against whole layers (similarity/scope_compare.h).

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "app/pipeline.h"
#include "base/progress.h"
#include "base/status.h"
#include "base/workers.h"
#include "similarity/scope_compare.h"

namespace iat {

std::vector<Animal> Pipeline::ScopeAnimals() const {
  std::vector<Animal> animals;
  for (const Animal& animal : config_.family.Animals()) {
    if (static_cast<int64_t>(animals.size()) == config_.scopes->animals) break;
    if (animal.trained && animal.imported.empty() && Selected(animal)) {
      animals.push_back(animal);
    }
  }
  return animals;
}

absl::StatusOr<bool> Pipeline::CompareScopes() {
  if (!config_.scopes) return true;
  bool complete = true;
  const absl::Status status = Timed("scopes", [&]() -> absl::Status {
    for (const std::string& name : ComparedStimuli()) {
      ScopeInput input{.stimuli = name, .hypercolumns = {}, .layers = {}};
      for (const Animal& animal : ScopeAnimals()) {
        for (const bool whole : {false, true}) {
          const auto path = ActivationPath(
              name, whole ? "layer" : config_.extraction.scope, animal.name);
          if (!std::filesystem::exists(path)) {
            if (options_.dry_run) {
              Say("scopes", "will compare once everything is extracted");
              return absl::OkStatus();
            }
            return absl::NotFoundError(
                absl::StrCat(path.string(), " is not there yet; run iat extract first"));
          }
          (whole ? input.layers : input.hypercolumns).push_back(path);
        }
      }
      IAT_ASSIGN_OR_RETURN(
          const ComparePlan plan,
          PlanScopeCompare(*config_.scopes, config_.compare, input, ScoresFolder(name)));
      if (plan.num_complete > 0) {
        Say("scopes", absl::StrCat(plan.num_complete, " of ", plan.num_cells,
                                   " cells complete and unchanged"));
      }
      if (options_.dry_run) {
        Say("scopes",
            absl::StrCat("will fit ", plan.num_cells - plan.num_complete, " cells"));
        continue;
      }
      Progress progress(
          "scopes", "cells",
          options_.quiet ? Progress::Style::kQuiet : Progress::Style::kAuto);
      IAT_ASSIGN_OR_RETURN(const CompareControl control, MakeControl(progress));
      IAT_ASSIGN_OR_RETURN(const ScopeResult result,
                           RunScopeCompare(*config_.scopes, config_.compare, input,
                                           ScoresFolder(name), control));
      complete = complete && result.complete;
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return complete && !options_.dry_run;
}

absl::StatusOr<std::vector<ScopeLine>> Pipeline::ScopeLines() const {
  std::vector<ScopeLine> lines;
  if (!config_.scopes) return lines;
  for (const std::string& name : ComparedStimuli()) {
    IAT_ASSIGN_OR_RETURN(const std::vector<ScoreRow> rows,
                         ReadScores(ScoresFolder(name) / "scopes.csv"));
    for (ScopeLine& line : SummariseScopes(rows)) lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace iat
