#include "app/show.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "app/neural_stage.h"
#include "base/activation_file.h"
#include "base/file.h"
#include "base/netcdf.h"
#include "base/score_table.h"
#include "base/status.h"
#include "images/contact_sheet.h"
#include "models/tensor_metadata.h"
#include "similarity/r2.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

// A block of stimuli at a time: a file may be larger than the memory.
absl::Status ShowResponses(const ActivationFile& file) {
  constexpr int64_t kBlock = 4096;
  if (file.taps().empty()) return absl::OkStatus();
  std::printf("%-18s %7s %10s %10s %10s %9s\n", "tap", "units", "min", "mean", "max",
              "positive");
  const auto num_stimuli = static_cast<int64_t>(file.stimulus_ids().size());
  for (const Tap& tap : file.taps()) {
    float min = std::numeric_limits<float>::infinity(), max = -min;
    double sum = 0.0, num_positive = 0.0;
    int64_t num_units = 0;
    for (int64_t first = 0; first < num_stimuli; first += kBlock) {
      IAT_ASSIGN_OR_RETURN(
          const ActivationMatrix values,
          file.ReadRows(tap, first, std::min(kBlock, num_stimuli - first)));
      num_units = values.cols();
      min = std::min(min, values.minCoeff());
      max = std::max(max, values.maxCoeff());
      sum += values.cast<double>().sum();
      num_positive += (values.array() > 0).cast<double>().sum();
    }
    const double count = static_cast<double>(num_stimuli * num_units);
    std::printf("%-18s %7lld %10.4g %10.4g %10.4g %8.1f%%\n", tap.Name().c_str(),
                static_cast<long long>(num_units), min, sum / count, max,
                100.0 * num_positive / count);
  }
  return absl::OkStatus();
}

double MedianOfNumbers(std::vector<double> values) {
  std::erase_if(values, [](double value) { return std::isnan(value); });
  return Quantile(std::move(values), 0.5);
}

// What extraction.store = "summary" or "both" has left: a number a unit, of which the
// median unit's is shown.
absl::Status ShowSummaries(const ActivationFile& file) {
  bool is_first = true;
  for (const std::string& layer : file.layers()) {
    std::set<std::string> names;
    for (const auto& [name, unused] : file.ByUnitNames(layer)) names.insert(name);
    for (const Stage stage : {Stage::kPreRelu, Stage::kPostRelu}) {
      const std::string prefix = StageName(stage) + "_";
      if (!names.contains(prefix + "dead")) continue;
      if (is_first) {
        std::printf(
            "over the stimuli, the median unit's:\n%-18s %7s %10s %10s %10s %10s "
            "%7s\n",
            "tap", "units", "mean", "sd", "silent", "lifetime", "dead");
        is_first = false;
      }
      std::vector<double> medians;
      for (const char* name : {"mean", "sd", "sparsity", "lifetime_sparseness"}) {
        IAT_ASSIGN_OR_RETURN(std::vector<double> values,
                             file.ReadByUnit(layer, prefix + name));
        medians.push_back(MedianOfNumbers(std::move(values)));
      }
      IAT_ASSIGN_OR_RETURN(const std::vector<double> dead,
                           file.ReadByUnit(layer, prefix + "dead"));
      std::printf("%-18s %7zu %10.4g %10.4g %9.1f%% %10.4g %7lld\n",
                  Tap{layer, stage}.Name().c_str(), dead.size(), medians[0], medians[1],
                  100.0 * medians[2], medians[3],
                  static_cast<long long>(std::count(dead.begin(), dead.end(), 1.0)));
    }
  }
  if (!is_first) {
    std::printf(
        "silent: share of stimuli with a response <= 0; lifetime: sparseness of "
        "the positive\npart, of units that are not dead; dead: units that no "
        "stimulus drives above 0\n");
  }
  return absl::OkStatus();
}

absl::Status ShowActivations(const std::string& path) {
  IAT_ASSIGN_OR_RETURN(const ActivationFile file, ActivationFile::Open(path));
  const ActivationMetadata& about = file.metadata();
  std::printf("activations of %s (%s) to %zu stimuli%s\n", about.animal.c_str(),
              about.architecture.c_str(), file.stimulus_ids().size(),
              about.simulated ? ", SIMULATED" : "");
  std::printf("scope %s; preprocessing: %s\n", about.scope.c_str(),
              about.preprocessing.c_str());
  std::printf("weights %.12s, stimuli %.12s (first \"%s\")\n",
              about.weights_sha256.c_str(), about.stimuli_sha256.c_str(),
              file.stimulus_ids().front().c_str());
  IAT_RETURN_IF_ERROR(ShowResponses(file));
  return ShowSummaries(file);
}

// Activations and recordings are both netCDF files; their titles tell them apart.
bool IsRecording(const std::string& path) {
  const auto file = NetcdfFile::Open(path);
  return file.ok() &&
         file->TextAttribute(NC_GLOBAL, "title").value_or("") == "iat recording";
}

absl::Status ShowRecording(const std::string& path) {
  IAT_ASSIGN_OR_RETURN(const std::string text, RecordingText(path));
  std::fputs(text.c_str(), stdout);
  return absl::OkStatus();
}

absl::Status ShowScores(const std::string& path) {
  IAT_ASSIGN_OR_RETURN(const std::vector<ScoreRow> rows, ReadScores(path));
  std::set<std::string> stimuli, animals, mappings, layers;
  for (const ScoreRow& row : rows) {
    stimuli.insert(row.stimuli);
    animals.insert(row.source_animal);
    mappings.insert(row.mapping);
    layers.insert(row.target_layer);
  }
  std::printf("%zu scores\nstimuli: %s\nanimals: %s\nlayers: %s\nmappings: %s\n",
              rows.size(), absl::StrJoin(stimuli, ", ").c_str(),
              absl::StrJoin(animals, ", ").c_str(), absl::StrJoin(layers, ", ").c_str(),
              absl::StrJoin(mappings, ", ").c_str());
  return absl::OkStatus();
}

}  // namespace

absl::Status Show(const std::string& path) {
  if (!fs::exists(path)) {
    return absl::NotFoundError(absl::StrCat(path, ": No such file or folder"));
  }
  if (fs::is_directory(path)) {
    if (PackedSet::IsPacked(path)) {
      IAT_ASSIGN_OR_RETURN(const PackedSet set, PackedSet::Open(path));
      std::fputs(DescribeImages(set).c_str(), stdout);
      return absl::OkStatus();
    }
    const fs::path config = fs::path(path) / "config.toml";
    if (fs::exists(config)) {
      IAT_ASSIGN_OR_RETURN(const std::string text, ReadFile(config));
      std::printf("a run folder; its config:\n\n%s", text.c_str());
      return absl::OkStatus();
    }
  }
  if (absl::EndsWith(path, ".nc")) {
    return IsRecording(path) ? ShowRecording(path) : ShowActivations(path);
  }
  if (absl::EndsWith(path, ".safetensors")) {
    IAT_ASSIGN_OR_RETURN(const std::string text, DescribeTensors(path));
    std::fputs(text.c_str(), stdout);
    return absl::OkStatus();
  }
  if (absl::EndsWith(path, ".csv")) return ShowScores(path);
  return absl::InvalidArgumentError(absl::StrCat(
      path,
      ": expected an activation file or a recording (.nc), weights (.safetensors), a "
      "score table (.csv), a packed image set or a run folder"));
}

}  // namespace iat
