#include "app/show.h"

#include <torch/types.h>

#include <cstdio>
#include <filesystem>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "app/neural_commands.h"
#include "base/activation_file.h"
#include "base/file.h"
#include "base/netcdf.h"
#include "base/score_table.h"
#include "base/status.h"
#include "images/contact_sheet.h"
#include "models/safetensors.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

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
  std::printf("%-18s %7s %10s %10s %10s %9s\n", "tap", "units", "min", "mean", "max",
              "positive");
  for (const Tap& tap : file.taps()) {
    IAT_ASSIGN_OR_RETURN(const ActivationMatrix values, file.Read(tap));
    std::printf("%-18s %7lld %10.4g %10.4g %10.4g %8.1f%%\n", tap.Name().c_str(),
                static_cast<long long>(values.cols()), values.minCoeff(),
                values.cast<double>().mean(), values.maxCoeff(),
                100.0 * (values.array() > 0).cast<double>().mean());
  }
  return absl::OkStatus();
}

// Activations and recordings are both netCDF files; their titles tell them apart.
bool IsRecording(const std::string& path) {
  const auto file = NetcdfFile::Open(path);
  return file.ok() &&
         file->TextAttribute(NC_GLOBAL, "title").value_or("") == "iat recording";
}

absl::Status ShowTensors(const std::string& path) {
  IAT_ASSIGN_OR_RETURN(const TensorFile file, ReadTensors(path));
  int64_t total = 0;
  for (const auto& [name, tensor] : file.tensors) total += tensor.numel();
  std::printf("%zu tensors, %lld values\n", file.tensors.size(),
              static_cast<long long>(total));
  for (const auto& [key, value] : file.metadata) {
    if (key != "metrics") std::printf("%s: %s\n", key.c_str(), value.c_str());
  }
  for (const auto& [name, tensor] : file.tensors) {
    std::printf("  %-36s %s\n", name.c_str(),
                absl::StrJoin(tensor.sizes().vec(), " x ").c_str());
  }
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
  if (absl::EndsWith(path, ".safetensors")) return ShowTensors(path);
  if (absl::EndsWith(path, ".csv")) return ShowScores(path);
  return absl::InvalidArgumentError(absl::StrCat(
      path,
      ": expected an activation file or a recording (.nc), weights (.safetensors), a "
      "score table (.csv), a packed image set or a run folder"));
}

}  // namespace iat
