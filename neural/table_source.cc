#include "neural/table_source.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/parallel.h"
#include "base/status.h"
#include "neural/array_store.h"
#include "neural/numbered_name.h"
#include "neural/response_block.h"

namespace iat {
namespace {

constexpr float kNone = std::numeric_limits<float>::quiet_NaN();
const AllowedNames kDimensions = {"animal", "trial",  "stimulus",
                                  "time",   "neuron", "presentation"};

// Side and stride of each named dimension; a dimension that is not there has side 1.
struct Axis {
  int64_t side = 1, stride = 0;
};

struct Axes {
  Axis animal, trial, stimulus, time, neuron, presentation;

  Axis& at(const std::string& name) {
    if (name == "animal") return animal;
    if (name == "trial") return trial;
    if (name == "stimulus") return stimulus;
    if (name == "time") return time;
    if (name == "neuron") return neuron;
    return presentation;
  }
};

bool Wanted(const std::vector<std::string>& names, const std::string& name) {
  return names.empty() || std::count(names.begin(), names.end(), name) > 0;
}

class TableReader {
 public:
  TableReader(const TableOptions& options, SelectionRecord& record)
      : options_(options), record_(record) {}

  absl::Status ReadFile(size_t index, std::vector<ResponseBlock>& blocks) {
    const std::filesystem::path path = options_.files[index];
    IAT_ASSIGN_OR_RETURN(const ArrayStore store, ArrayStore::Open(path));
    IAT_ASSIGN_OR_RETURN(const std::vector<FoundArray> found,
                         store.Find(options_.dataset));
    for (const FoundArray& array : found) {
      where_ = absl::StrCat(path.string(), array.path.empty() ? "" : ": ", array.path);
      std::string animal;
      if (array.captured.contains("animal")) {
        animal = array.captured.at("animal");
      } else if (array.captured.contains("*")) {
        animal = array.captured.at("*");
      } else if (!options_.animal_names.empty()) {
        animal = options_.animal_names[index];
      } else {
        animal = path.stem().string();
      }
      IAT_ASSIGN_OR_RETURN(const std::string area, AreaOf(store, array));
      IAT_RETURN_IF_ERROR(ReadArray(store, array, animal, area, blocks));
    }
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<std::string> AreaOf(const ArrayStore& store,
                                     const FoundArray& array) const {
    if (!options_.area_attribute.empty()) {
      IAT_ASSIGN_OR_RETURN(std::string area,
                           store.TextAttribute(array.path, options_.area_attribute));
      // "AM/PM": areas become parts of variable names.
      std::replace(area.begin(), area.end(), '/', '-');
      return area;
    }
    const auto captured = array.captured.find("area");
    if (captured != array.captured.end()) return captured->second;
    return options_.area;
  }

  absl::StatusOr<Axes> FindAxes(const NumberArray& array) const {
    const std::vector<std::string>& names = options_.dimensions;
    if (array.shape.size() != names.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat(where_, " is ", absl::StrJoin(array.shape, " x "), "; expected ",
                       absl::StrJoin(names, " x "), " (table.dimensions)"));
    }
    Axes axes;
    int64_t stride = 1;
    for (size_t d = names.size(); d-- > 0;) {
      axes.at(names[d]) = {array.shape[d], stride};
      stride *= array.shape[d];
    }
    if (array.values.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(where_, " is ", absl::StrJoin(array.shape, " x "), ": empty"));
    }
    return axes;
  }

  absl::Status ReadArray(const ArrayStore& store, const FoundArray& found,
                         const std::string& animal_name, const std::string& area,
                         std::vector<ResponseBlock>& blocks) {
    IAT_ASSIGN_OR_RETURN(NumberArray array, store.Read(found.path));
    IAT_ASSIGN_OR_RETURN(Axes axes, FindAxes(array));
    if (!std::isnan(options_.missing_value)) {
      std::replace(array.values.begin(), array.values.end(), options_.missing_value,
                   std::numeric_limits<double>::quiet_NaN());
    }
    const bool has_animals = axes.animal.stride > 0;
    for (int64_t a = 0; a < axes.animal.side; ++a) {
      std::string animal = animal_name;
      if (has_animals) {
        animal = a < static_cast<int64_t>(options_.animal_names.size())
                     ? options_.animal_names[a]
                     : absl::StrFormat("animal-%03d", a);
      }
      const bool wanted =
          Wanted(options_.animals, animal) && Wanted(options_.areas, area);
      if (!options_.animals.empty() || !options_.areas.empty()) {
        record_.Add("animals and areas asked for", animal, area,
                    wanted ? axes.neuron.side : 0, wanted ? 0 : axes.neuron.side);
      }
      if (!wanted) continue;
      ResponseBlock block;
      block.animal = animal;
      block.area = area;
      IAT_RETURN_IF_ERROR(NameNeurons(store, found, axes, block));
      const double* values = array.values.data() + a * axes.animal.stride;
      if (axes.presentation.stride > 0) {
        IAT_RETURN_IF_ERROR(FillFromPresentations(store, found, axes, values, block));
      } else {
        IAT_RETURN_IF_ERROR(FillFromStimuli(store, found, axes, values, block));
      }
      blocks.push_back(std::move(block));
    }
    return absl::OkStatus();
  }

  absl::Status NameNeurons(const ArrayStore& store, const FoundArray& found,
                           const Axes& axes, ResponseBlock& block) const {
    if (!options_.neuron_ids.empty()) {
      const std::string dataset = FillPattern(options_.neuron_ids, found.captured);
      IAT_ASSIGN_OR_RETURN(block.neuron_ids, store.ReadLabels(dataset));
      if (static_cast<int64_t>(block.neuron_ids.size()) != axes.neuron.side) {
        return absl::InvalidArgumentError(
            absl::StrCat(where_, ": ", dataset, " has ", block.neuron_ids.size(),
                         " ids; expected one a neuron, ", axes.neuron.side));
      }
      return absl::OkStatus();
    }
    for (int64_t n = 0; n < axes.neuron.side; ++n) {
      block.neuron_ids.push_back(absl::StrFormat("%s-%03d", block.area, n));
    }
    return absl::OkStatus();
  }

  // Mean over the time window; NaN where any of it is missing.
  absl::StatusOr<double> TimeMean(const Axes& axes, const double* at) const {
    const int64_t first = options_.first_time_bin;
    const int64_t count =
        options_.num_time_bins > 0 ? options_.num_time_bins : axes.time.side - first;
    if (first >= axes.time.side || first + count > axes.time.side) {
      return absl::InvalidArgumentError(absl::StrCat(
          where_, ": ", axes.time.side, " time bins; table.first_time_bin is ", first,
          " and table.num_time_bins is ", options_.num_time_bins));
    }
    double sum = 0.0;
    for (int64_t b = first; b < first + count; ++b) sum += at[b * axes.time.stride];
    return sum / static_cast<double>(count);
  }

  absl::StatusOr<std::vector<std::string>> StimulusIds(const ArrayStore& store,
                                                       const FoundArray& found,
                                                       int64_t count) const {
    std::vector<std::string> ids;
    std::string from = "table.stimulus_id";
    if (!options_.stimulus_ids_file.empty()) {
      from = options_.stimulus_ids_file;
      IAT_ASSIGN_OR_RETURN(const std::string text, iat::ReadFile(from));
      ids = absl::StrSplit(text, absl::ByAnyChar("\r\n"), absl::SkipWhitespace());
    } else if (!options_.stimulus_ids.empty()) {
      from = FillPattern(options_.stimulus_ids, found.captured);
      IAT_ASSIGN_OR_RETURN(ids, store.ReadLabels(from));
      IAT_RETURN_IF_ERROR(NumberLabels(ids));
    } else {
      for (int64_t s = 0; s < count; ++s) {
        IAT_ASSIGN_OR_RETURN(
            std::string id,
            options_.stimuli_per_block > 0
                ? NumberedName(options_.stimulus_id,
                               {{"block", s / options_.stimuli_per_block},
                                {"within", s % options_.stimuli_per_block}})
                : NumberedName(options_.stimulus_id, s));
        ids.push_back(std::move(id));
      }
    }
    if (static_cast<int64_t>(ids.size()) != count) {
      return absl::InvalidArgumentError(
          absl::StrCat(where_, ": ", from, " has ", ids.size(),
                       " ids; expected one a stimulus, ", count));
    }
    return ids;
  }

  // Labels that are numbers take the form of stimulus_id where there is one.
  absl::Status NumberLabels(std::vector<std::string>& labels) const {
    if (options_.stimulus_id.empty()) return absl::OkStatus();
    for (std::string& label : labels) {
      int64_t number = 0;
      if (!absl::SimpleAtoi(label, &number)) continue;
      IAT_ASSIGN_OR_RETURN(label, NumberedName(options_.stimulus_id, number));
    }
    return absl::OkStatus();
  }

  absl::Status FillFromStimuli(const ArrayStore& store, const FoundArray& found,
                               const Axes& axes, const double* values,
                               ResponseBlock& block) const {
    const int64_t per = options_.bins_per_stimulus;
    if (axes.stimulus.side % per != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(where_, ": ", axes.stimulus.side,
                       " entries along stimulus are no whole number of ", per,
                       " (table.bins_per_stimulus)"));
    }
    const int64_t num_stimuli = axes.stimulus.side / per;
    IAT_ASSIGN_OR_RETURN(block.stimulus_ids, StimulusIds(store, found, num_stimuli));
    block.num_trials = axes.trial.side;
    const double scale = options_.combine_bins == "sum" ? 1.0 : static_cast<double>(per);
    block.responses.reserve(static_cast<size_t>(axes.trial.side) * num_stimuli *
                            axes.neuron.side);
    for (int64_t t = 0; t < axes.trial.side; ++t) {
      for (int64_t s = 0; s < num_stimuli; ++s) {
        for (int64_t n = 0; n < axes.neuron.side; ++n) {
          double sum = 0.0;
          for (int64_t b = s * per; b < (s + 1) * per; ++b) {
            IAT_ASSIGN_OR_RETURN(
                const double value,
                TimeMean(axes, values + t * axes.trial.stride + b * axes.stimulus.stride +
                                   n * axes.neuron.stride));
            sum += value;
          }
          block.responses.push_back(static_cast<float>(sum / scale));
        }
      }
    }
    return absl::OkStatus();
  }

  absl::Status FillFromPresentations(const ArrayStore& store, const FoundArray& found,
                                     const Axes& axes, const double* values,
                                     ResponseBlock& block) const {
    const std::string dataset = FillPattern(options_.presentation_labels, found.captured);
    IAT_ASSIGN_OR_RETURN(std::vector<std::string> labels, store.ReadLabels(dataset));
    IAT_RETURN_IF_ERROR(NumberLabels(labels));
    if (static_cast<int64_t>(labels.size()) != axes.presentation.side) {
      return absl::InvalidArgumentError(
          absl::StrCat(where_, ": ", dataset, " has ", labels.size(),
                       " labels; expected one a presentation, ", axes.presentation.side));
    }
    // Sorted, so that the order of presentation has no say in the order of stimuli.
    std::map<std::string, int64_t> shown;
    for (const std::string& label : labels) {
      block.num_trials = std::max(block.num_trials, ++shown[label]);
    }
    std::map<std::string, int64_t> row_of;
    for (const auto& [label, unused] : shown) {
      row_of[label] = static_cast<int64_t>(block.stimulus_ids.size());
      block.stimulus_ids.push_back(label);
    }
    const auto num_stimuli = static_cast<int64_t>(block.stimulus_ids.size());
    // One stimulus shown a thousand times among a thousand shown once would make a
    // table of mostly nothing.
    constexpr double kMaxValues = 0x1p32;
    if (static_cast<double>(block.num_trials) * static_cast<double>(num_stimuli) *
            static_cast<double>(axes.neuron.side) >
        kMaxValues) {
      return absl::ResourceExhaustedError(
          absl::StrCat(where_, ": ", block.num_trials, " trials x ", num_stimuli,
                       " stimuli x ", axes.neuron.side, " neurons are too many"));
    }
    block.responses.assign(
        static_cast<size_t>(block.num_trials) * num_stimuli * axes.neuron.side, kNone);
    std::vector<int64_t> trial(num_stimuli, 0);
    for (int64_t p = 0; p < axes.presentation.side; ++p) {
      const int64_t row = row_of[labels[p]];
      const int64_t t = trial[row]++;
      for (int64_t n = 0; n < axes.neuron.side; ++n) {
        IAT_ASSIGN_OR_RETURN(const double value,
                             TimeMean(axes, values + p * axes.presentation.stride +
                                                n * axes.neuron.stride));
        block.responses[(t * num_stimuli + row) * axes.neuron.side + n] =
            static_cast<float>(value);
      }
    }
    return absl::OkStatus();
  }

  const TableOptions& options_;
  SelectionRecord& record_;
  std::string where_;  // file and dataset, for errors
};

// Reliability of every neuron, from the trials its own animal has.
absl::Status MeasureReliability(const TrialSplitOptions& split_options, int jobs,
                                std::vector<ResponseBlock>& blocks) {
  for (ResponseBlock& block : blocks) {
    const TrialSplits splits(block.num_trials, split_options);
    const size_t members = block.neuron_ids.size();
    std::vector<double>& reliability = block.by_neuron["reliability"];
    reliability.assign(members, 0.0);
    IAT_RETURN_IF_ERROR(
        ParallelFor(jobs, static_cast<int64_t>(members), [&](int64_t n) -> absl::Status {
          std::vector<float> values(block.responses.size() / members);
          for (size_t i = 0; i < values.size(); ++i) {
            values[i] = block.responses[i * members + n];
          }
          reliability[n] = splits
                               .SplitHalf(values.data(),
                                          static_cast<int64_t>(block.stimulus_ids.size()))
                               .mean;
          return absl::OkStatus();
        }));
  }
  return absl::OkStatus();
}

}  // namespace

void TableOptions::Describe(OptionVisitor& visitor) {
  visitor.Paths("files", files, "HDF5, netCDF-4 or .npy files");
  visitor.Text("dataset", dataset,
               "path of the array, with {animal}, {area} and *; empty for .npy");
  visitor.Choices("dimensions", dimensions, kDimensions, "what the array's sides are");
  visitor.Paths("animal_names", animal_names,
                "one a file, or one an entry along animal; []: see dataset");
  visitor.Paths("animals", animals, "animals to keep; []: all");
  visitor.Paths("areas", areas, "areas to keep; []: all");
  visitor.Text("area", area, "the area of all of it, where dataset has no {area}");
  visitor.Text("area_attribute", area_attribute,
               "text attribute of the dataset that names the area");
  visitor.Text("stimulus_id", stimulus_id,
               "id of a stimulus's number: scene_{:03d}.png; with stimuli_per_block "
               "{block} and {within}");
  visitor.Text("stimulus_ids", stimulus_ids, "dataset of ids along stimulus");
  visitor.Path("stimulus_ids_file", stimulus_ids_file, "text file with an id a line");
  visitor.Text("presentation_labels", presentation_labels,
               "dataset that says which stimulus each presentation shows");
  visitor.Text("neuron_ids", neuron_ids, "dataset of ids along neuron");
  visitor.Integer("bins_per_stimulus", bins_per_stimulus, {.min = 1},
                  "consecutive entries along stimulus that make one stimulus");
  visitor.Choice("combine_bins", combine_bins, {"mean", "sum"}, "how they are combined");
  visitor.Integer("stimuli_per_block", stimuli_per_block, {.min = 0},
                  "stimuli that belong together, by their ids; 0: none do");
  visitor.Integer("first_time_bin", first_time_bin, {.min = 0},
                  "first entry along time that the response is the mean of");
  visitor.Integer("num_time_bins", num_time_bins, {.min = 0},
                  "how many; 0: all the rest");
  visitor.Number("missing_value", missing_value, {},
                 "number that stands for a missing response beside nan");
  visitor.Number("min_reliability", min_reliability, {},
                 "least split-half reliability; -inf: any");
  visitor.Number("specimen_percentile", specimen_percentile, {.min = 0.0, .max = 100.0},
                 "animals below this percentile of neurons leave an area; 0: none");
}

absl::Status TableOptions::Validate() const {
  if (files.empty()) {
    return absl::InvalidArgumentError("files is []; expected at least one file");
  }
  const auto has = [&](const char* name) {
    return std::count(dimensions.begin(), dimensions.end(), name) > 0;
  };
  const bool by_presentation = has("presentation");
  if (!has("neuron") || has("stimulus") == by_presentation ||
      (by_presentation && has("trial"))) {
    return absl::InvalidArgumentError(
        absl::StrCat("dimensions is [", absl::StrJoin(dimensions, ", "),
                     "]; expected neuron, and either stimulus (with trial or without) or "
                     "presentation"));
  }
  if (by_presentation != !presentation_labels.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("presentation_labels is \"", presentation_labels,
                     "\"; expected a dataset exactly when dimensions has presentation"));
  }
  if (by_presentation && bins_per_stimulus != 1) {
    return absl::InvalidArgumentError(
        "bins_per_stimulus goes with the dimension stimulus, not with presentation");
  }
  // An attribute may stand beside {area}: datasets called by other names than areas.
  const bool is_captured = absl::StrContains(dataset, "{area}");
  if (area_attribute.empty() ? is_captured == !area.empty() : !area.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("area is \"", area, "\" and area_attribute is \"", area_attribute,
                     "\"; expected one of them, or {area} in dataset"));
  }
  if (!animal_names.empty() && !has("animal") && animal_names.size() != files.size()) {
    return absl::InvalidArgumentError(absl::StrCat("animal_names has ",
                                                   animal_names.size(),
                                                   " entries; expected one a "
                                                   "file, ",
                                                   files.size()));
  }
  if (!by_presentation && stimulus_ids.empty() && stimulus_ids_file.empty()) {
    if (stimulus_id.empty()) {
      return absl::InvalidArgumentError(
          "expected one of stimulus_id, stimulus_ids and stimulus_ids_file");
    }
    return (stimuli_per_block > 0
                ? NumberedName(stimulus_id, {{"block", 0}, {"within", 0}})
                : NumberedName(stimulus_id, 0))
        .status();
  }
  return stimulus_id.empty() ? absl::OkStatus() : NumberedName(stimulus_id, 0).status();
}

absl::StatusOr<Recording> ReadTable(const TableOptions& options,
                                    const TrialSplitOptions& splits, int jobs,
                                    SelectionRecord& record) {
  IAT_RETURN_IF_ERROR(options.Validate());
  std::vector<ResponseBlock> blocks;
  TableReader reader(options, record);
  for (size_t i = 0; i < options.files.size(); ++i) {
    IAT_RETURN_IF_ERROR(reader.ReadFile(i, blocks));
  }
  if (blocks.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("nothing is left; the steps dropped:\n", record.Table()));
  }
  IAT_RETURN_IF_ERROR(MeasureReliability(splits, jobs, blocks));
  Recording recording = JoinBlocks(blocks);

  const size_t num_neurons = recording.neurons.size();
  std::vector<bool> keep(num_neurons, false);
  for (size_t i = 0; i < recording.responses.size(); ++i) {
    if (!std::isnan(recording.responses[i])) keep[i % num_neurons] = true;
  }
  RecordStep("with a response", recording, keep, record);
  KeepNeurons(keep, recording);
  if (!std::isinf(options.min_reliability)) {
    const std::vector<double>& reliability = recording.by_neuron["reliability"];
    keep.assign(reliability.size(), false);
    for (size_t i = 0; i < keep.size(); ++i) {
      keep[i] = reliability[i] >= options.min_reliability;
    }
    RecordStep(absl::StrFormat("reliability >= %g", options.min_reliability), recording,
               keep, record);
    KeepNeurons(keep, recording);
  }
  if (recording.neurons.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("no neuron is left; the steps dropped:\n", record.Table()));
  }
  ApplySpecimenRule(options.specimen_percentile, recording, record);
  return recording;
}

}  // namespace iat
