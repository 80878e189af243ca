#include "neural/recording.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/activation_file.h"
#include "base/file.h"
#include "base/netcdf.h"
#include "base/status.h"
#include "base/version.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kFormatVersion = 1;
constexpr char kTitle[] = "iat recording";
constexpr char kResponse[] = "response";
constexpr std::array<const char*, 5> kOwnVariables = {kResponse, "stimulus_id", "animal",
                                                      "area", "neuron_id"};
// As in activation files: about 1 MiB a chunk, zlib's fastest level.
constexpr size_t kChunkBytes = 1 << 20;
constexpr int kFastest = 1;
// 16 GiB of responses: a file that claims more is damaged.
constexpr double kMaxValues = 0x1p32;

std::vector<std::string> InOrderOfAppearance(const std::vector<RecordedNeuron>& neurons,
                                             const std::string RecordedNeuron::*which) {
  std::vector<std::string> names;
  for (const RecordedNeuron& neuron : neurons) {
    if (std::find(names.begin(), names.end(), neuron.*which) == names.end()) {
      names.push_back(neuron.*which);
    }
  }
  return names;
}

std::string Describe(const RecordedNeuron& neuron) {
  return absl::StrCat("animal \"", neuron.animal, "\", area \"", neuron.area,
                      "\", neuron \"", neuron.id, "\"");
}

// Animals become file names, areas parts of variable names.
bool IsPlainName(const std::string& name) {
  return !name.empty() && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(),
                     [](char c) {
                       return c != '/' && static_cast<unsigned char>(c) >= ' ' &&
                              c != '\x7f';
                     }) &&
         (absl::ascii_isalnum(name[0]) || name[0] == '_' ||
          static_cast<unsigned char>(name[0]) >= 0x80) &&
         name.back() != ' ';
}

bool IsVariableName(const std::string& name) {
  return !name.empty() && absl::ascii_isalpha(name[0]) &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return absl::ascii_isalnum(c) || c == '_'; });
}

// The text attributes, once for reading and writing.
template <typename Record, typename Visit>
absl::Status ForEachText(Record& recording, Visit visit) {
  IAT_RETURN_IF_ERROR(visit("name", recording.name));
  IAT_RETURN_IF_ERROR(visit("unit", recording.unit));
  IAT_RETURN_IF_ERROR(visit("source", recording.source));
  IAT_RETURN_IF_ERROR(visit("selection", recording.selection));
  return visit("fingerprint", recording.fingerprint);
}

absl::Status WriteTo(const fs::path& path, const Recording& recording) {
  IAT_ASSIGN_OR_RETURN(NetcdfFile file, NetcdfFile::Create(path));
  IAT_RETURN_IF_ERROR(file.SetAttribute(NC_GLOBAL, "title", kTitle));
  IAT_RETURN_IF_ERROR(file.SetAttribute(NC_GLOBAL, "format_version", kFormatVersion));
  IAT_RETURN_IF_ERROR(file.SetAttribute(NC_GLOBAL, "iat_version", Version()));
  IAT_RETURN_IF_ERROR(
      ForEachText(recording, [&](const char* name, const std::string& value) {
        return file.SetAttribute(NC_GLOBAL, name, absl::string_view(value));
      }));
  IAT_RETURN_IF_ERROR(file.SetAttribute(
      NC_GLOBAL, "simulated", absl::string_view(recording.simulated ? "yes" : "no")));

  const size_t num_stimuli = recording.stimulus_ids.size();
  const size_t num_neurons = recording.neurons.size();
  IAT_ASSIGN_OR_RETURN(const int trial, file.AddDimension("trial", recording.num_trials));
  IAT_ASSIGN_OR_RETURN(const int stimulus, file.AddDimension("stimulus", num_stimuli));
  IAT_ASSIGN_OR_RETURN(const int neuron, file.AddDimension("neuron", num_neurons));

  const auto write_strings = [&](const char* name, int dimension,
                                 const std::vector<std::string>& values) -> absl::Status {
    int variable = -1;
    {
      const std::lock_guard<std::mutex> lock(NetcdfMutex());
      IAT_RETURN_IF_ERROR(file.Check(
          nc_def_var(file.id(), name, NC_STRING, 1, &dimension, &variable), name));
    }
    return file.WriteStrings(variable, values);
  };
  std::vector<std::string> animals, areas, ids;
  for (const RecordedNeuron& recorded : recording.neurons) {
    animals.push_back(recorded.animal);
    areas.push_back(recorded.area);
    ids.push_back(recorded.id);
  }
  IAT_RETURN_IF_ERROR(write_strings("stimulus_id", stimulus, recording.stimulus_ids));
  IAT_RETURN_IF_ERROR(write_strings("animal", neuron, animals));
  IAT_RETURN_IF_ERROR(write_strings("area", neuron, areas));
  IAT_RETURN_IF_ERROR(write_strings("neuron_id", neuron, ids));

  int response = -1;
  {
    const std::lock_guard<std::mutex> lock(NetcdfMutex());
    for (const auto& [name, values] : recording.by_neuron) {
      int variable = -1;
      IAT_RETURN_IF_ERROR(file.Check(
          nc_def_var(file.id(), name.c_str(), NC_DOUBLE, 1, &neuron, &variable), name));
      IAT_RETURN_IF_ERROR(
          file.Check(nc_put_var_double(file.id(), variable, values.data()), name));
    }
    const int dimensions[] = {trial, stimulus, neuron};
    const size_t rows =
        std::clamp<size_t>(kChunkBytes / (sizeof(float) * num_neurons), 1, num_stimuli);
    const size_t chunk[] = {1, rows, num_neurons};
    IAT_RETURN_IF_ERROR(file.Check(
        nc_def_var(file.id(), kResponse, NC_FLOAT, 3, dimensions, &response), kResponse));
    IAT_RETURN_IF_ERROR(file.Check(
        nc_def_var_chunking(file.id(), response, NC_CHUNKED, chunk), kResponse));
    IAT_RETURN_IF_ERROR(
        file.Check(nc_def_var_fletcher32(file.id(), response, NC_FLETCHER32), kResponse));
    // Counts and missing trials repeat a lot.
    IAT_RETURN_IF_ERROR(file.Check(
        nc_def_var_deflate(file.id(), response, NC_SHUFFLE, 1, kFastest), kResponse));
  }
  IAT_RETURN_IF_ERROR(
      file.SetAttribute(response, "units", absl::string_view(recording.unit)));
  IAT_RETURN_IF_ERROR(
      file.SetAttribute(response, "coordinates", "stimulus_id animal area neuron_id"));
  {
    const std::lock_guard<std::mutex> lock(NetcdfMutex());
    IAT_RETURN_IF_ERROR(file.Check(
        nc_put_var_float(file.id(), response, recording.responses.data()), kResponse));
  }
  return file.Close();
}

}  // namespace

std::vector<std::string> Recording::animals() const {
  return InOrderOfAppearance(neurons, &RecordedNeuron::animal);
}

std::vector<std::string> Recording::areas() const {
  return InOrderOfAppearance(neurons, &RecordedNeuron::area);
}

absl::Status Recording::Validate() const {
  if (stimulus_ids.empty() || neurons.empty() || num_trials <= 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a recording of ", num_trials, " trials, ", stimulus_ids.size(), " stimuli and ",
        neurons.size(), " neurons; expected at least one of each"));
  }
  std::set<absl::string_view> seen;
  for (const std::string& id : stimulus_ids) {
    if (id.empty() || !seen.insert(id).second) {
      return absl::InvalidArgumentError(absl::StrCat(
          "stimulus id \"", id, "\" ", id.empty() ? "is empty" : "appears twice"));
    }
  }
  std::set<std::pair<absl::string_view, absl::string_view>> of_animal;
  for (const RecordedNeuron& neuron : neurons) {
    for (const std::string* label : {&neuron.animal, &neuron.area}) {
      if (IsPlainName(*label)) continue;
      return absl::InvalidArgumentError(
          absl::StrCat(Describe(neuron),
                       ": expected a name of animal and area that "
                       "starts with a letter, a digit or _ and has no "
                       "slash"));
    }
    if (neuron.id.empty() || !of_animal.insert({neuron.animal, neuron.id}).second) {
      return absl::InvalidArgumentError(absl::StrCat(
          Describe(neuron), neuron.id.empty() ? ": its id is empty" : " appears twice"));
    }
  }
  const size_t expected =
      static_cast<size_t>(num_trials) * stimulus_ids.size() * neurons.size();
  if (responses.size() != expected) {
    return absl::InvalidArgumentError(
        absl::StrCat(responses.size(), " responses; expected ", num_trials, " trials x ",
                     stimulus_ids.size(), " stimuli x ", neurons.size(), " neurons"));
  }
  for (const auto& [variable, values] : by_neuron) {
    if (!IsVariableName(variable) || std::find(kOwnVariables.begin(), kOwnVariables.end(),
                                               variable) != kOwnVariables.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("a variable by neuron is named \"", variable,
                       "\"; expected letters, digits and _, and none of ",
                       absl::StrJoin(kOwnVariables, ", ")));
    }
    if (values.size() != neurons.size()) {
      return absl::InvalidArgumentError(absl::StrCat(variable, " has ", values.size(),
                                                     " values; expected one a neuron, ",
                                                     neurons.size()));
    }
    for (size_t i = 0; i < values.size(); ++i) {
      if (!std::isinf(values[i])) continue;
      return absl::InvalidArgumentError(absl::StrCat(Describe(neurons[i]), ": ", variable,
                                                     " is ", values[i],
                                                     "; expected a number"));
    }
  }
  for (size_t i = 0; i < responses.size(); ++i) {
    if (!std::isinf(responses[i])) continue;
    const size_t row = i / neurons.size();
    return absl::InvalidArgumentError(
        absl::StrCat(Describe(neurons[i % neurons.size()]), ", stimulus \"",
                     stimulus_ids[row % stimulus_ids.size()], "\", trial ",
                     row / stimulus_ids.size(), ": the response is ", responses[i],
                     "; expected a finite number, or NaN where there was no such trial"));
  }
  return absl::OkStatus();
}

absl::Status WriteRecording(const fs::path& path, const Recording& recording) {
  IAT_RETURN_IF_ERROR(Annotate(recording.Validate(), path.string()));
  return WriteAtomically(
      path, [&](const fs::path& temporary) { return WriteTo(temporary, recording); });
}

absl::StatusOr<Recording> ReadRecording(const fs::path& path) {
  IAT_ASSIGN_OR_RETURN(const NetcdfFile file, NetcdfFile::Open(path));
  const auto title = file.TextAttribute(NC_GLOBAL, "title");
  if (!title.ok() || *title != kTitle) {
    return absl::InvalidArgumentError(
        absl::StrCat(path.string(), ": not a recording (its attribute title is not \"",
                     kTitle, "\"); iat neural import makes them"));
  }
  IAT_ASSIGN_OR_RETURN(const int64_t format,
                       file.IntegerAttribute(NC_GLOBAL, "format_version"));
  if (format != kFormatVersion) {
    return absl::InvalidArgumentError(absl::StrCat(path.string(), ": format_version is ",
                                                   format, "; this program reads ",
                                                   kFormatVersion));
  }
  Recording recording;
  IAT_RETURN_IF_ERROR(
      ForEachText(recording, [&](const char* name, std::string& value) -> absl::Status {
        IAT_ASSIGN_OR_RETURN(value, file.TextAttribute(NC_GLOBAL, name));
        return absl::OkStatus();
      }));
  const auto simulated = file.TextAttribute(NC_GLOBAL, "simulated");
  IAT_RETURN_IF_ERROR(simulated.status());
  recording.simulated = *simulated != "no";
  IAT_ASSIGN_OR_RETURN(recording.stimulus_ids, file.ReadStrings("stimulus_id"));
  IAT_ASSIGN_OR_RETURN(const std::vector<std::string> animals,
                       file.ReadStrings("animal"));
  IAT_ASSIGN_OR_RETURN(const std::vector<std::string> areas, file.ReadStrings("area"));
  IAT_ASSIGN_OR_RETURN(const std::vector<std::string> ids, file.ReadStrings("neuron_id"));
  IAT_ASSIGN_OR_RETURN(const size_t num_trials, file.DimensionSize("trial"));
  const size_t num_stimuli = recording.stimulus_ids.size();
  const size_t num_neurons = ids.size();
  if (animals.size() != num_neurons || areas.size() != num_neurons) {
    return absl::InvalidArgumentError(absl::StrCat(
        path.string(), ": ", animals.size(), " animals, ", areas.size(), " areas and ",
        num_neurons, " neuron ids; expected one of each by neuron"));
  }
  for (size_t i = 0; i < num_neurons; ++i) {
    recording.neurons.push_back({animals[i], areas[i], ids[i]});
  }
  recording.num_trials = static_cast<int64_t>(num_trials);

  // The variable's own shape, before anything of its size is asked for.
  const auto check_shape = [&](int variable, absl::string_view name,
                               const std::vector<size_t>& expected) -> absl::Status {
    int rank = 0;
    std::array<int, NC_MAX_VAR_DIMS> dimensions{};
    IAT_RETURN_IF_ERROR(file.Check(nc_inq_varndims(file.id(), variable, &rank), name));
    IAT_RETURN_IF_ERROR(
        file.Check(nc_inq_vardimid(file.id(), variable, dimensions.data()), name));
    std::vector<size_t> shape(rank);
    for (int d = 0; d < rank; ++d) {
      IAT_RETURN_IF_ERROR(
          file.Check(nc_inq_dimlen(file.id(), dimensions[d], &shape[d]), name));
    }
    if (shape == expected) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat(path.string(), ": ", name, " is ", absl::StrJoin(shape, " x "),
                     "; expected ", absl::StrJoin(expected, " x ")));
  };
  IAT_ASSIGN_OR_RETURN(const int response, file.Variable(kResponse));
  IAT_ASSIGN_OR_RETURN(const std::vector<std::string> names, file.VariableNames());
  std::vector<std::pair<std::string, int>> by_neuron;
  for (const std::string& name : names) {
    if (std::find(kOwnVariables.begin(), kOwnVariables.end(), name) !=
        kOwnVariables.end()) {
      continue;
    }
    IAT_ASSIGN_OR_RETURN(const int variable, file.Variable(name));
    by_neuron.emplace_back(name, variable);
  }
  {
    const std::lock_guard<std::mutex> lock(NetcdfMutex());
    IAT_RETURN_IF_ERROR(
        check_shape(response, kResponse, {num_trials, num_stimuli, num_neurons}));
    // Sides are below 2^63 each; their product may not be.
    const double size = static_cast<double>(num_trials) *
                        static_cast<double>(num_stimuli) *
                        static_cast<double>(num_neurons);
    if (size > kMaxValues) {
      return absl::InvalidArgumentError(absl::StrCat(
          path.string(), ": ", size, " responses; expected at most ", kMaxValues));
    }
    recording.responses.resize(num_trials * num_stimuli * num_neurons);
    IAT_RETURN_IF_ERROR(
        file.Check(nc_get_var_float(file.id(), response, recording.responses.data()),
                   "cannot read response"));
    for (const auto& [name, variable] : by_neuron) {
      IAT_RETURN_IF_ERROR(check_shape(variable, name, {num_neurons}));
      std::vector<double>& values = recording.by_neuron[name];
      values.resize(num_neurons);
      IAT_RETURN_IF_ERROR(
          file.Check(nc_get_var_double(file.id(), variable, values.data()), name));
    }
  }
  IAT_RETURN_IF_ERROR(Annotate(recording.Validate(), path.string()));
  return recording;
}

namespace {

// Means of one animal over its trials, as its activation file.
absl::Status WriteAnimalMeans(const Recording& recording, const std::string& animal,
                              const fs::path& path) {
  const auto num_stimuli = static_cast<int64_t>(recording.stimulus_ids.size());
  std::vector<std::string> areas;
  std::map<std::string, std::vector<int64_t>> of_area;
  for (size_t i = 0; i < recording.neurons.size(); ++i) {
    const RecordedNeuron& neuron = recording.neurons[i];
    if (neuron.animal != animal) continue;
    std::vector<int64_t>& members = of_area[neuron.area];
    if (members.empty()) areas.push_back(neuron.area);
    members.push_back(static_cast<int64_t>(i));
  }

  std::map<std::string, ActivationMatrix> means;
  std::vector<bool> has_trial(num_stimuli, false);
  for (const std::string& area : areas) {
    const std::vector<int64_t>& members = of_area.at(area);
    ActivationMatrix& mean = means[area];
    mean.resize(num_stimuli, static_cast<Eigen::Index>(members.size()));
    for (int64_t s = 0; s < num_stimuli; ++s) {
      for (size_t m = 0; m < members.size(); ++m) {
        double sum = 0.0;
        int64_t count = 0;
        for (int64_t t = 0; t < recording.num_trials; ++t) {
          const float value = recording.at(t, s, members[m]);
          if (std::isnan(value)) continue;
          sum += value;
          ++count;
        }
        if (count > 0) has_trial[s] = true;
        mean(s, static_cast<Eigen::Index>(m)) = static_cast<float>(
            count > 0 ? sum / static_cast<double>(count) : std::nan(""));
      }
    }
  }
  std::vector<int64_t> kept;
  std::vector<std::string> ids;
  for (int64_t s = 0; s < num_stimuli; ++s) {
    if (!has_trial[s]) continue;
    kept.push_back(s);
    ids.push_back(recording.stimulus_ids[s]);
  }
  if (kept.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("animal \"", animal, "\" has no trial of any stimulus"));
  }

  std::vector<ActivationWriter::Layer> layers;
  for (const std::string& area : areas) {
    const std::vector<int64_t>& members = of_area.at(area);
    for (size_t m = 0; m < members.size(); ++m) {
      for (const int64_t s : kept) {
        if (!std::isnan(means.at(area)(s, static_cast<Eigen::Index>(m)))) continue;
        return absl::InvalidArgumentError(absl::StrCat(
            Describe(recording.neurons[members[m]]), " has no trial of stimulus \"",
            recording.stimulus_ids[s], "\", which other neurons of the animal have"));
      }
    }
    ActivationWriter::Layer layer{
        .name = area, .units = {}, .stages = {Stage::kRecorded}};
    for (size_t m = 0; m < members.size(); ++m) {
      layer.units.channel.push_back(static_cast<int32_t>(m));
    }
    layer.units.row.assign(members.size(), -1);
    layer.units.column.assign(members.size(), -1);
    layers.push_back(std::move(layer));
  }
  ActivationMetadata metadata;
  metadata.animal = animal;
  metadata.architecture = recording.simulated ? "simulated recording" : "recording";
  metadata.stimuli_sha256 = Sha256(absl::StrJoin(ids, "\n"));
  metadata.scope = "recorded";
  metadata.preprocessing =
      absl::StrCat("mean over trials of ", recording.unit, "; ", recording.source,
                   recording.selection.empty() ? "" : "; ", recording.selection);
  metadata.fingerprint = recording.fingerprint;
  metadata.simulated = recording.simulated;
  return WriteAtomically(path, [&](const fs::path& temporary) -> absl::Status {
    IAT_ASSIGN_OR_RETURN(ActivationWriter writer,
                         ActivationWriter::Create(temporary, ids, layers, metadata));
    for (const std::string& area : areas) {
      const ActivationMatrix& all = means.at(area);
      ActivationMatrix rows(static_cast<Eigen::Index>(kept.size()), all.cols());
      for (size_t i = 0; i < kept.size(); ++i) {
        rows.row(static_cast<Eigen::Index>(i)) = all.row(kept[i]);
      }
      IAT_RETURN_IF_ERROR(writer.Write({area, Stage::kRecorded}, 0, rows));
      for (const auto& [name, values] : recording.by_neuron) {
        std::vector<double> of_members;
        for (const int64_t member : of_area.at(area))
          of_members.push_back(values[member]);
        IAT_RETURN_IF_ERROR(writer.WriteByUnit(
            area, name, absl::StrCat(name, " of each neuron"), of_members));
      }
    }
    return writer.Close();
  });
}

}  // namespace

absl::StatusOr<std::vector<fs::path>> WriteTrialMeans(const Recording& recording,
                                                      const fs::path& folder) {
  IAT_RETURN_IF_ERROR(Annotate(recording.Validate(), recording.name));
  std::vector<fs::path> paths;
  for (const std::string& animal : recording.animals()) {
    paths.push_back(folder / (animal + ".nc"));
    IAT_RETURN_IF_ERROR(
        Annotate(WriteAnimalMeans(recording, animal, paths.back()), recording.name));
  }
  return paths;
}

}  // namespace iat
