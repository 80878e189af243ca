#include "neural/population.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"

namespace iat {
namespace {

constexpr int64_t kFewestTrials = 2;
constexpr size_t kFewestStimuli = 4;

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

absl::Status CheckNames(const std::vector<std::string>& wanted,
                        const std::vector<std::string>& there, absl::string_view what,
                        const std::string& recording) {
  for (const std::string& name : wanted) {
    if (Contains(there, name)) continue;
    return absl::NotFoundError(absl::StrCat("recording ", recording, ": no ", what, " \"",
                                            name, "\"; it holds ",
                                            absl::StrJoin(there, ", ")));
  }
  return absl::OkStatus();
}

// Stimuli at which every one of these neurons has enough trials.
std::vector<bool> UsableStimuli(const Recording& recording,
                                const std::vector<int64_t>& neurons) {
  std::vector<bool> usable(recording.stimulus_ids.size(), true);
  for (size_t i = 0; i < usable.size(); ++i) {
    for (const int64_t j : neurons) {
      int64_t trials = 0;
      for (int64_t t = 0; t < recording.num_trials; ++t) {
        trials += std::isnan(recording.at(t, static_cast<int64_t>(i), j)) ? 0 : 1;
      }
      if (trials < kFewestTrials) {
        usable[i] = false;
        break;
      }
    }
  }
  return usable;
}

Trials TrialsOf(const Recording& recording, const std::vector<int64_t>& stimuli,
                const std::vector<int64_t>& neurons) {
  Trials trials;
  for (int64_t t = 0; t < recording.num_trials; ++t) {
    Eigen::MatrixXd values(stimuli.size(), neurons.size());
    for (size_t j = 0; j < neurons.size(); ++j) {
      for (size_t i = 0; i < stimuli.size(); ++i) {
        values(i, j) = recording.at(t, stimuli[i], neurons[j]);
      }
    }
    // A trial that this animal never had.
    if (!values.array().isNaN().all()) trials.push_back(std::move(values));
  }
  return trials;
}

}  // namespace

absl::StatusOr<Populations> PopulationsOf(const Recording& recording,
                                          const PopulationSelection& selection) {
  IAT_RETURN_IF_ERROR(recording.Validate());
  const std::vector<std::string> animals = recording.animals(), areas = recording.areas();
  IAT_RETURN_IF_ERROR(CheckNames(selection.animals, animals, "animal", recording.name));
  IAT_RETURN_IF_ERROR(CheckNames(selection.areas, areas, "area", recording.name));

  Populations result;
  std::vector<std::vector<int64_t>> neurons_of;
  for (const std::string& animal : animals) {
    if (!selection.animals.empty() && !Contains(selection.animals, animal)) continue;
    for (const std::string& area : areas) {
      if (!selection.areas.empty() && !Contains(selection.areas, area)) continue;
      Population population;
      population.animal = animal;
      population.area = area;
      std::vector<int64_t> neurons;
      for (size_t j = 0; j < recording.neurons.size(); ++j) {
        const RecordedNeuron& neuron = recording.neurons[j];
        if (neuron.animal != animal || neuron.area != area) continue;
        neurons.push_back(static_cast<int64_t>(j));
        population.unit_ids.push_back(neuron.id);
      }
      if (neurons.empty()) continue;
      if (static_cast<int64_t>(neurons.size()) < selection.min_neurons) {
        result.notes.push_back(
            absl::StrCat(animal, " ", area, " left out: ", neurons.size(),
                         " neurons, fewer than ", selection.min_neurons));
        continue;
      }
      neurons_of.push_back(std::move(neurons));
      result.populations.push_back(std::move(population));
    }
  }
  if (result.populations.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("recording ", recording.name, ": no population is left",
                     result.notes.empty() ? "" : " (", absl::StrJoin(result.notes, "; "),
                     result.notes.empty() ? "" : ")"));
  }

  std::vector<bool> usable(recording.stimulus_ids.size(), true);
  size_t poorest = 0, most_missing = 0;
  for (size_t p = 0; p < neurons_of.size(); ++p) {
    const std::vector<bool> own = UsableStimuli(recording, neurons_of[p]);
    const size_t missing = std::count(own.begin(), own.end(), false);
    if (missing > most_missing) {
      most_missing = missing;
      poorest = p;
    }
    for (size_t i = 0; i < usable.size(); ++i) usable[i] = usable[i] && own[i];
  }
  std::vector<int64_t> stimuli;
  for (size_t i = 0; i < usable.size(); ++i) {
    if (!usable[i]) continue;
    stimuli.push_back(static_cast<int64_t>(i));
    result.stimulus_ids.push_back(recording.stimulus_ids[i]);
  }
  const std::string lacking =
      absl::StrCat(result.populations[poorest].animal, " ",
                   result.populations[poorest].area, " lacks ", most_missing);
  if (stimuli.size() < kFewestStimuli) {
    return absl::InvalidArgumentError(absl::StrCat(
        "recording ", recording.name, ": ", stimuli.size(), " of ",
        recording.stimulus_ids.size(),
        " stimuli have 2 trials or more in every neuron of every animal; expected at "
        "least 4 (",
        lacking, "); name animals that saw the same stimuli"));
  }
  if (stimuli.size() < usable.size()) {
    result.notes.push_back(absl::StrCat(
        usable.size() - stimuli.size(), " of ", usable.size(),
        " stimuli left out: fewer than 2 trials in some neuron (", lacking, ")"));
  }
  for (size_t p = 0; p < neurons_of.size(); ++p) {
    result.populations[p].trials = TrialsOf(recording, stimuli, neurons_of[p]);
  }
  return result;
}

absl::StatusOr<Population> PopulationOf(const ActivationFile& file, const Tap& tap,
                                        const std::vector<std::string>& stimulus_ids) {
  std::map<std::string, int64_t> row_of;
  for (size_t i = 0; i < file.stimulus_ids().size(); ++i) {
    row_of[file.stimulus_ids()[i]] = static_cast<int64_t>(i);
  }
  IAT_ASSIGN_OR_RETURN(const ActivationMatrix values, file.Read(tap));
  Population population;
  population.animal = file.metadata().animal;
  population.area = tap.layer;
  population.stage = tap.stage;
  for (Eigen::Index j = 0; j < values.cols(); ++j) {
    population.unit_ids.push_back(absl::StrCat(j));
  }
  Eigen::MatrixXd rows(stimulus_ids.size(), values.cols());
  for (size_t i = 0; i < stimulus_ids.size(); ++i) {
    const auto found = row_of.find(stimulus_ids[i]);
    if (found == row_of.end()) {
      return absl::NotFoundError(absl::StrCat(
          file.path().string(), ": no stimulus \"", stimulus_ids[i],
          "\", which the recording has; extract the pictures that the animals saw"));
    }
    rows.row(i) = values.row(found->second).cast<double>();
  }
  population.trials.push_back(std::move(rows));
  return population;
}

}  // namespace iat
