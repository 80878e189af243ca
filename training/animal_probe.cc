#include "training/animal_probe.h"

#include <torch/types.h>

#include <algorithm>
#include <exception>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/fingerprint.h"
#include "base/random.h"
#include "base/status.h"
#include "models/vision_model.h"
#include "training/evaluation_images.h"
#include "training/held_out.h"
#include "training/linear_probe.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

constexpr char kFingerprint[] = "fingerprint";
const std::vector<std::string> kColumns = {"animal",
                                           "layer",
                                           "stage",
                                           "num_features",
                                           "num_images",
                                           "num_test_images",
                                           "num_correct",
                                           "top1",
                                           "low",
                                           "high",
                                           "chance",
                                           "l2_penalty",
                                           "penalty_at_edge",
                                           "iterations",
                                           "converged"};

absl::StatusOr<std::string> ProbeFingerprint(const ProbeJob& job) {
  const fs::path weights = job.folder / "weights.safetensors";
  IAT_ASSIGN_OR_RETURN(const auto metadata, ReadTensorMetadata(weights));
  const auto sha256 = metadata.find("sha256");
  return Sha256(absl::StrCat(
      OptionsText(job.model), OptionsText(job.options), "test = ", job.num_test_images,
      "\nweights = ", sha256 == metadata.end() ? "" : sha256->second, "\nimages = ",
      job.images->Fingerprint(), "\ndevice = ", job.device.substr(0, 4), "\n"));
}

absl::Status Probe(const ProbeJob& job) {
  IAT_ASSIGN_OR_RETURN(const std::string fingerprint, ProbeFingerprint(job));
  const PackedSet& images = *job.images;
  if (images.num_labels() < 2) {
    return absl::InvalidArgumentError(absl::StrCat(
        images.folder().string(), ": ", images.num_labels(),
        " labels; a linear probe needs images in at least 2 classes (subfolders)"));
  }
  IAT_ASSIGN_OR_RETURN(const auto model,
                       LoadModel(job.model, job.folder / "weights.safetensors"));
  model->to(torch::Device(job.device));
  HeldOut rows = ChooseHeldOut(images, job.num_test_images);
  // The same images for every animal, in an order that mixes the classes.
  RandomStream(0, "probe-images").Shuffle(rows.training);
  rows.training.resize(std::min<size_t>(rows.training.size(), job.options.num_images));
  IAT_ASSIGN_OR_RETURN(const Stage stage, ParseStage(job.options.stage));
  CsvTable table{.columns = kColumns, .rows = {}};
  table.columns.push_back(kFingerprint);
  const auto layers = model->layers();
  const int64_t num_layers = static_cast<int64_t>(job.options.layers.size());
  for (const std::string& layer : job.options.layers) {
    if (std::find(layers.begin(), layers.end(), layer) == layers.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("probe.layers: ", job.model.architecture, " has no layer \"",
                       layer, "\"; it has ", absl::StrJoin(layers, ", ")));
    }
    const Tap tap{layer, stage};
    const torch::Device device(job.device);
    IAT_ASSIGN_OR_RETURN(
        const ProbeResult probe,
        LinearProbe(FeaturesOf(*model, images, rows.training, device, &tap),
                    LabelsOf(images, rows.training),
                    FeaturesOf(*model, images, rows.test, device, &tap),
                    LabelsOf(images, rows.test), job.options));
    table.rows.push_back(
        {job.animal, layer, job.options.stage, absl::StrCat(probe.num_features),
         absl::StrCat(probe.num_images), absl::StrCat(probe.num_test_images),
         absl::StrCat(probe.num_correct), FormatNumber(probe.top1),
         FormatNumber(probe.low), FormatNumber(probe.high), FormatNumber(probe.chance),
         FormatNumber(probe.l2_penalty), probe.penalty_at_edge ? "1" : "0",
         absl::StrCat(probe.iterations), probe.converged ? "1" : "0", fingerprint});
    if (job.progress) {
      job.progress(static_cast<int64_t>(table.rows.size()), num_layers);
    }
  }
  return WriteFileAtomically(job.folder / "probe.csv", CsvText(table));
}

}  // namespace

bool IsProbed(const ProbeJob& job) {
  const auto fingerprint = ProbeFingerprint(job);
  const auto table = ReadCsv(job.folder / "probe.csv");
  if (!fingerprint.ok() || !table.ok() || table->rows.empty()) return false;
  const int column = table->Column(kFingerprint);
  return column >= 0 && table->rows[0][column] == *fingerprint;
}

absl::Status ProbeAnimal(const ProbeJob& job) {
  torch::set_num_threads(1);
  try {
    return Probe(job);
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat(job.animal, ": ", error.what()));
  }
}

absl::StatusOr<CsvTable> GatherProbes(const std::vector<fs::path>& folders) {
  CsvTable all{.columns = kColumns, .rows = {}};
  for (const fs::path& folder : folders) {
    const fs::path path = folder / "probe.csv";
    IAT_ASSIGN_OR_RETURN(const CsvTable table, ReadCsv(path));
    for (const auto& row : table.rows) {
      std::vector<std::string>& cells = all.rows.emplace_back();
      for (const std::string& column : kColumns) {
        const int at = table.Column(column);
        if (at < 0) {
          return absl::InvalidArgumentError(
              absl::StrCat(path.string(), ": no column \"", column, "\""));
        }
        cells.push_back(row[at]);
      }
    }
  }
  return all;
}

}  // namespace iat
