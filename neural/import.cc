#include "neural/import.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/config.h"
#include "base/file.h"
#include "base/fingerprint.h"
#include "base/npy.h"
#include "base/status.h"
#include "neural/array_store.h"
#include "neural/contained.h"
#include "neural/selection.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

// Changes with what the readers make of the same file and options.
constexpr int kReaderVersion = 1;

void DescribeTop(Description& description, OptionVisitor& visitor) {
  visitor.Choice("kind", description.kind, {"table", "neuropixels", "two_photon"},
                 "which reader");
  visitor.Text("unit", description.unit, "unit of the responses, in words");
  visitor.Text("source", description.source, "where the data come from, in words");
  visitor.Text("images", description.images,
               "dataset of the pictures in the first file, uint8; empty: none");
}

absl::Status DescribeKind(Description& description, ConfigDocument& document) {
  const std::string& kind = description.kind;
  absl::Status valid;
  if (kind == "table") {
    document.Read(kind, description.table);
    valid = description.table.Validate();
  } else if (kind == "neuropixels") {
    document.Read(kind, description.neuropixels);
    valid = description.neuropixels.Validate();
  } else {
    document.Read(kind, description.two_photon);
    valid = description.two_photon.Validate();
  }
  IAT_RETURN_IF_ERROR(document.Finish());
  if (valid.ok()) return valid;
  return Annotate(valid, document.Place(kind, ""));
}

std::string OptionsOf(const Description& description) {
  if (description.kind == "table") return OptionsText(description.table);
  if (description.kind == "neuropixels") return OptionsText(description.neuropixels);
  return OptionsText(description.two_photon);
}

// The pictures as NAME.npy, in the order of the stimuli.
absl::Status WriteImages(const Description& description, const Recording& recording,
                         const fs::path& path) {
  const std::string& file = description.files()[0];
  IAT_ASSIGN_OR_RETURN(const ArrayStore store, ArrayStore::Open(file));
  IAT_ASSIGN_OR_RETURN(NumberArray array, store.Read(description.images));
  const std::string where = absl::StrCat(file, ": ", description.images);
  if (array.shape.size() == 3) array.shape.push_back(1);
  if (array.shape.size() != 4 || (array.shape[3] != 1 && array.shape[3] != 3)) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, " is ", absl::StrJoin(array.shape, " x "),
                     "; expected images x height x width, x 3 for colours"));
  }
  if (array.shape[0] != static_cast<int64_t>(recording.stimulus_ids.size())) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, " has ", array.shape[0], " images; the recording has ",
                     recording.stimulus_ids.size(), " stimuli"));
  }
  const std::string name = path.stem().string();
  for (size_t i = 0; i < recording.stimulus_ids.size(); ++i) {
    const std::string id = absl::StrFormat("%s-%06d", name, i);
    if (recording.stimulus_ids[i] == id) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("stimulus ", i, " is \"", recording.stimulus_ids[i],
                     "\", its picture in ", path.filename().string(), " would be \"", id,
                     "\"; set stimulus_id to \"", name, "-{:06d}\""));
  }
  std::string pixels(array.values.size(), '\0');
  for (size_t i = 0; i < pixels.size(); ++i) {
    constexpr double kWhite = 255.0;
    const double value = array.values[i];
    if (!(value >= 0.0 && value <= kWhite) || value != std::floor(value)) {
      return absl::InvalidArgumentError(absl::StrCat(
          where, ": value ", i, " is ", value, "; expected whole numbers 0 to 255"));
    }
    pixels[i] = static_cast<char>(static_cast<uint8_t>(value));
  }
  const std::string header = NpyHeaderText("|u1", array.shape);
  return WriteFileAtomically(path, std::vector<absl::string_view>{header, pixels});
}

}  // namespace

const std::vector<std::string>& Description::files() const {
  if (kind == "table") return table.files;
  return kind == "neuropixels" ? neuropixels.files : two_photon.files;
}

absl::StatusOr<Description> Description::Load(const fs::path& path,
                                              const std::vector<std::string>& overrides) {
  IAT_ASSIGN_OR_RETURN(ConfigDocument document, ConfigDocument::Load(path, overrides));
  Description description;
  document.Read("recording",
                [&](OptionVisitor& visitor) { DescribeTop(description, visitor); });
  document.Read("reliability", description.reliability);
  IAT_RETURN_IF_ERROR(DescribeKind(description, document));
  if (description.unit.empty() || description.source.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        document.Place("recording", description.unit.empty() ? "unit" : "source"),
        " is \"\"; expected the ",
        description.unit.empty() ? "responses' unit" : "source", " in words"));
  }
  return description;
}

absl::StatusOr<std::string> Description::Fingerprint() const {
  Description copy = *this;
  OptionLister lister;
  DescribeTop(copy, lister);
  std::string text = absl::StrCat("import ", kReaderVersion, "\n", lister.text(),
                                  OptionsText(reliability), OptionsOf(*this));
  for (const std::string& file : files()) {
    std::error_code error;
    const auto size = fs::file_size(file, error);
    if (error) {
      return absl::NotFoundError(absl::StrCat(file, ": ", error.message()));
    }
    const auto time = fs::last_write_time(file, error).time_since_epoch().count();
    absl::StrAppend(&text, "# ", file, " ", size, " ", time, "\n");
  }
  return Sha256(text);
}

absl::StatusOr<Recording> ReadDescribed(const Description& description, int jobs,
                                        SelectionRecord& record) {
  absl::StatusOr<Recording> recording =
      description.kind == "table"
          ? ReadTable(description.table, description.reliability, jobs, record)
      : description.kind == "neuropixels"
          ? ReadNeuropixels(description.neuropixels, description.reliability, jobs,
                            record)
          : ReadTwoPhoton(description.two_photon, description.reliability, jobs, record);
  if (!recording.ok()) return recording;
  recording->unit = description.unit;
  recording->source = description.source;
  recording->selection = record.InWords();
  recording->simulated = false;
  IAT_ASSIGN_OR_RETURN(recording->fingerprint, description.Fingerprint());
  return recording;
}

absl::StatusOr<std::string> ImportRecording(const Description& description,
                                            const fs::path& output, int jobs) {
  const auto work = [&]() -> absl::StatusOr<std::string> {
    SelectionRecord record;
    IAT_ASSIGN_OR_RETURN(Recording recording, ReadDescribed(description, jobs, record));
    recording.name = output.stem().string();
    if (!description.images.empty()) {
      IAT_RETURN_IF_ERROR(WriteImages(description, recording,
                                      fs::path(output).replace_extension(".npy")));
    }
    IAT_RETURN_IF_ERROR(WriteRecording(output, recording));
    return absl::StrCat(record.Table(), "\n", DescribeRecording(recording));
  };
  return RunContained(absl::StrJoin(description.files(), ", "), work);
}

std::string DescribeRecording(const Recording& recording) {
  std::string text = absl::StrFormat(
      "%s%s: %d neurons of %d animals in %d areas, %d stimuli, up to %d trials, in %s\n",
      recording.simulated ? "SIMULATED recording " : "recording ", recording.name,
      recording.neurons.size(), recording.animals().size(), recording.areas().size(),
      recording.stimulus_ids.size(), recording.num_trials, recording.unit);
  absl::StrAppendFormat(&text, "%-24s %-8s %8s %7s %8s %12s %12s %8s\n", "animal", "area",
                        "neurons", "trials", "stimuli", "reliability", "mean response",
                        "missing");
  std::map<std::pair<std::string, std::string>, std::vector<int64_t>> groups;
  for (size_t i = 0; i < recording.neurons.size(); ++i) {
    groups[{recording.neurons[i].animal, recording.neurons[i].area}].push_back(
        static_cast<int64_t>(i));
  }
  const auto num_stimuli = static_cast<int64_t>(recording.stimulus_ids.size());
  const auto reliability = recording.by_neuron.find("reliability");
  for (const auto& [key, members] : groups) {
    int64_t trials = 0, stimuli = 0, missing = 0, present = 0;
    double sum = 0.0;
    std::vector<bool> seen(num_stimuli, false);
    for (int64_t t = 0; t < recording.num_trials; ++t) {
      bool has_trial = false;
      for (int64_t s = 0; s < num_stimuli; ++s) {
        for (const int64_t n : members) {
          const float value = recording.at(t, s, n);
          if (std::isnan(value)) {
            ++missing;
            continue;
          }
          sum += value;
          ++present;
          has_trial = seen[s] = true;
        }
      }
      if (has_trial) ++trials;
    }
    stimuli = std::count(seen.begin(), seen.end(), true);
    std::string median = "-";
    if (reliability != recording.by_neuron.end()) {
      std::vector<double> values;
      for (const int64_t n : members) {
        if (!std::isnan(reliability->second[n])) values.push_back(reliability->second[n]);
      }
      if (!values.empty()) median = absl::StrFormat("%.3f", Percentile(values, 50.0));
    }
    absl::StrAppendFormat(
        &text, "%-24s %-8s %8d %7d %8d %12s %12.4g %7.1f%%\n", key.first, key.second,
        members.size(), trials, stimuli, median,
        present > 0 ? sum / static_cast<double>(present) : 0.0,
        100.0 * static_cast<double>(missing) / static_cast<double>(missing + present));
  }
  if (!recording.source.empty())
    absl::StrAppend(&text, "source: ", recording.source, "\n");
  if (!recording.selection.empty()) {
    absl::StrAppend(&text, "selection: ", recording.selection, "\n");
  }
  return text;
}

}  // namespace iat
