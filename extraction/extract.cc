#include "extraction/extract.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "base/fingerprint.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/status.h"
#include "extraction/animal_runner.h"
#include "extraction/parts.h"
#include "images/pixel_pages.h"
#include "models/tensor_metadata.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

// The digest of the weights: the one their writer noted, or the file's own for
// files of other programs.
absl::StatusOr<std::string> WeightsSha256(const fs::path& path) {
  IAT_ASSIGN_OR_RETURN(const auto metadata, ReadTensorMetadata(path));
  const auto noted = metadata.find("sha256");
  return noted != metadata.end() ? noted->second : Sha256OfFile(path);
}

absl::StatusOr<PartedFile> Parted(const ExtractionJob& job,
                                  const ExtractionAnimal& animal) {
  IAT_ASSIGN_OR_RETURN(std::string fingerprint, ExtractionFingerprint(job, animal));
  IAT_ASSIGN_OR_RETURN(std::string weights, WeightsSha256(animal.weights));
  return PartedFile{.output = animal.output,
                    .stimulus_ids = &job.stimuli->ids(),
                    .metadata = {.animal = animal.name,
                                 .architecture = animal.model.Name(),
                                 .init_seed = animal.init_seed,
                                 .data_seed = animal.data_seed,
                                 .weights_sha256 = std::move(weights),
                                 .stimuli_sha256 = job.stimuli->Fingerprint(),
                                 .scope = job.options.scope,
                                 .preprocessing = job.stimuli->preprocessing(),
                                 .fingerprint = std::move(fingerprint),
                                 .simulated = false,
                                 .precision = job.options.precision},
                    .options = job.options};
}

// Bytes a stimulus takes in a file, before any compression.
int64_t BytesPerStimulus(const std::vector<LayerUnits>& layers,
                         const ExtractionOptions& options) {
  if (!options.StoresActivations()) return 0;
  int64_t units = 0;
  for (const LayerUnits& layer : layers) {
    units += static_cast<int64_t>(layer.units.channel.size());
  }
  return units * static_cast<int64_t>(options.stages.size() * sizeof(float));
}

std::string Megabytes(int64_t bytes) {
  return absl::StrCat(bytes / 1'000'000 + 1, " MB");
}

// One animal in the making.
struct Making {
  const ExtractionAnimal* animal = nullptr;
  PartedFile file;
  std::vector<int64_t> missing = {};  // parts of this rank's share
  std::unique_ptr<AnimalRunner> runner = nullptr;
  std::vector<UnitResponses> responses = {};
  bool is_dropped = false;
};

class Extraction {
 public:
  explicit Extraction(const ExtractionJob& job) : job_(job) {
    for (const std::string& name : job.options.stages) {
      stages_.push_back(*ParseStage(name));
    }
  }

  absl::Status Run() {
    for (const ExtractionAnimal& animal : job_.animals) {
      if (IsExtracted(job_, animal)) continue;
      Making making{.animal = &animal, .file = {}};
      auto file = Parted(job_, animal);
      if (!file.ok()) {
        if (first_failure_.ok()) first_failure_ = file.status();
        continue;
      }
      making.file = *std::move(file);
      for (int64_t part = 0; part < making.file.num_parts(); ++part) {
        if (TakesChunk(job_.rank, part) && !HasPart(making.file, part)) {
          making.missing.push_back(part);
        }
      }
      IAT_RETURN_IF_ERROR(MakeFolder(animal.output.parent_path()));
      makings_.push_back(std::move(making));
    }
    for (Making& making : makings_) {
      if (making.missing.empty()) continue;
      auto runner = AnimalRunner::Load(making.animal->model, making.animal->weights,
                                       job_.options, job_.device);
      if (!runner.ok()) {
        Drop(making, runner.status());
        continue;
      }
      making.runner = *std::move(runner);
      for (const int64_t part : making.missing) {
        total_ += making.file.end(part) - making.file.begin(part);
      }
    }
    IAT_RETURN_IF_ERROR(CheckDisk());
    IAT_RETURN_IF_ERROR(MakeParts());
    // Networks and their maps make room for the files' own buffers.
    for (Making& making : makings_) {
      making.runner = nullptr;
      making.responses = {};
    }
    ReturnFreedMemory();
    for (Making& making : makings_) {
      if (making.is_dropped) continue;
      if (const absl::Status status = Finish(making); !status.ok()) Drop(making, status);
    }
    return first_failure_;
  }

 private:
  // One animal's trouble is not the others'.
  void Drop(Making& making, const absl::Status& why) {
    if (first_failure_.ok()) first_failure_ = why;
    making.is_dropped = true;
    making.runner = nullptr;
    making.missing.clear();
  }

  // HDF5 reports a full disk as "HDF error", after the work.
  absl::Status CheckDisk() const {
    int64_t needed = 0, largest = 0;
    const Making* first = nullptr;
    for (const Making& making : makings_) {
      if (making.runner == nullptr) continue;
      if (first == nullptr) first = &making;
      const int64_t a_stimulus = BytesPerStimulus(making.runner->layers(), job_.options);
      const int64_t whole = a_stimulus * making.file.num_stimuli();
      int64_t present = 0;
      for (int64_t part = 0; part < making.file.num_parts(); ++part) {
        if (fs::exists(making.file.PartPath(part))) {
          present += a_stimulus * (making.file.end(part) - making.file.begin(part));
        }
      }
      needed += whole - present;
      largest = std::max(largest, whole);
    }
    if (first == nullptr) return absl::OkStatus();
    if (job_.message && job_.rank.index == 0) {
      job_.message(absl::StrFormat("%d stimuli in %d chunks, %d animals, up to %s a file",
                                   first->file.num_stimuli(), first->file.num_parts(),
                                   makings_.size(), Megabytes(largest)));
    }
    // The parts of all, and one file beside the parts it is assembled from.
    const int64_t bytes = needed + largest;
    std::error_code error;
    const fs::path folder = first->file.output.parent_path();
    const auto space = fs::space(folder, error);
    if (error || static_cast<int64_t>(space.available) > bytes + bytes / 50) {
      return absl::OkStatus();
    }
    return absl::ResourceExhaustedError(
        absl::StrCat(first->file.output.string(), " and ", makings_.size() - 1,
                     " more need ", Megabytes(bytes), " while they are made, ",
                     folder.string(), " has ", space.available / 1'000'000,
                     " MB left; free some space or choose another --out"));
  }

  absl::Status MakeParts() {
    std::set<int64_t> parts;
    for (const Making& making : makings_) {
      parts.insert(making.missing.begin(), making.missing.end());
    }
    for (const int64_t part : parts) {
      for (Making& making : makings_) {
        const auto& missing = making.missing;
        if (!std::binary_search(missing.begin(), missing.end(), part)) continue;
        const absl::Status status =
            WriteAtomically(making.file.PartPath(part), [&](const fs::path& temporary) {
              return WritePart(making, part, temporary);
            });
        if (absl::IsCancelled(status)) return status;
        if (!status.ok()) Drop(making, status);
      }
    }
    return absl::OkStatus();
  }

  absl::Status WritePart(Making& making, int64_t part, const fs::path& temporary) {
    const PartedFile& file = making.file;
    const int64_t begin = file.begin(part), end = file.end(part);
    std::vector<ActivationWriter::Layer> layers;
    std::vector<UnitSummary> summaries;
    for (const LayerUnits& layer : making.runner->layers()) {
      layers.push_back(
          {.name = layer.layer,
           .units = layer.units,
           .stages = job_.options.StoresActivations() ? stages_ : std::vector<Stage>{}});
      summaries.resize(summaries.size() + stages_.size(),
                       UnitSummary(static_cast<int64_t>(layer.units.channel.size())));
    }
    const std::vector<std::string> ids(file.stimulus_ids->begin() + begin,
                                       file.stimulus_ids->begin() + end);
    IAT_ASSIGN_OR_RETURN(
        ActivationWriter writer,
        ActivationWriter::Create(temporary, ids, layers, file.PartMetadata(part)));
    for (const LayerUnits& layer : making.runner->layers()) {
      for (const FieldVariable& field : layer.fields) {
        IAT_RETURN_IF_ERROR(
            writer.WriteByUnit(layer.layer, field.name, field.meaning, field.values));
      }
    }
    std::vector<const uint8_t*> pixels;
    for (int64_t first = begin; first < end; first += job_.options.batch_size) {
      if (job_.stop != nullptr && job_.stop->load()) {
        return absl::CancelledError("stopped; the same command goes on from there");
      }
      const int64_t rows = std::min(job_.options.batch_size, end - first);
      pixels.clear();
      for (int64_t i = 0; i < rows; ++i)
        pixels.push_back(job_.stimuli->pixels(first + i));
      IAT_RETURN_IF_ERROR(
          Annotate(making.runner->Run(pixels, making.responses), making.animal->name));
      ForgetPixels(*job_.stimuli, first, first + rows);
      IAT_RETURN_IF_ERROR(WriteBatch(making, first, rows, begin, writer, summaries));
      done_ += rows;
      if (job_.progress) job_.progress(done_, total_);
    }
    if (job_.options.StoresSummary()) {
      size_t s = 0;
      for (const LayerUnits& layer : making.runner->layers()) {
        for (const Stage stage : stages_) {
          IAT_RETURN_IF_ERROR(
              WriteSummaryState({layer.layer, stage}, summaries[s++], writer));
        }
      }
    }
    return writer.Close();
  }

  absl::Status WriteBatch(const Making& making, int64_t first, int64_t rows,
                          int64_t part_begin, ActivationWriter& writer,
                          std::vector<UnitSummary>& summaries) const {
    const auto& layers = making.runner->layers();
    for (size_t l = 0; l < layers.size(); ++l) {
      const UnitResponses& responses = making.responses[l];
      for (size_t s = 0; s < stages_.size(); ++s) {
        const ActivationMatrix& values =
            stages_[s] == Stage::kPreRelu ? responses.pre : responses.post;
        const Tap tap{layers[l].layer, stages_[s]};
        if (!values.topRows(rows).allFinite()) {
          return NotFinite(values.topRows(rows), tap, first);
        }
        if (job_.options.StoresActivations()) {
          IAT_RETURN_IF_ERROR(
              writer.Write(tap, first - part_begin, values.topRows(rows)));
        }
        if (job_.options.StoresSummary()) {
          summaries[l * stages_.size() + s].Add(values.topRows(rows));
        }
      }
      if ((responses.post.array() != responses.pre.array().max(0.0f)).any()) {
        return absl::InternalError(absl::StrCat(
            making.animal->name, ": ", layers[l].layer, ": post_relu is not ",
            "max(pre_relu, 0) at stimuli from \"", job_.stimuli->ids()[first], "\""));
      }
    }
    return absl::OkStatus();
  }

  absl::Status NotFinite(const ActivationMatrix& values, const Tap& tap,
                         int64_t first) const {
    for (Eigen::Index i = 0; i < values.size(); ++i) {
      if (std::isfinite(values.data()[i])) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          tap.Name(), ": stimulus \"", job_.stimuli->ids()[first + i / values.cols()],
          "\", unit ", i % values.cols(), " is ", values.data()[i],
          "; expected a finite number"));
    }
    return absl::OkStatus();
  }

  // Assembles the file when all parts are there. Another process may be at it.
  absl::Status Finish(const Making& making) const {
    for (int64_t part = 0; part < making.file.num_parts(); ++part) {
      if (!HasPart(making.file, part)) return absl::OkStatus();
    }
    const fs::path& output = making.file.output;
    const auto lock = FileLock::TryAcquire(
        output.parent_path() / absl::StrCat(".", output.stem().string(), ".lock"),
        FileLock::Mode::kExclusive);
    if (absl::IsFailedPrecondition(lock.status())) return absl::OkStatus();
    IAT_RETURN_IF_ERROR(lock.status());
    if (IsExtracted(job_, *making.animal)) return absl::OkStatus();
    return Assemble(making.file);
  }

  const ExtractionJob& job_;
  std::vector<Stage> stages_;
  std::vector<Making> makings_;
  int64_t done_ = 0, total_ = 0;
  absl::Status first_failure_;
};

}  // namespace

absl::StatusOr<std::string> ExtractionFingerprint(const ExtractionJob& job,
                                                  const ExtractionAnimal& animal) {
  IAT_ASSIGN_OR_RETURN(const std::string weights, WeightsSha256(animal.weights));
  return Sha256(absl::StrCat(OptionsText(animal.model), OptionsText(job.options),
                             "animal = ", animal.name, "\nweights = ", weights,
                             "\nstimuli = ", job.stimuli->Fingerprint(),
                             "\npreprocessing = ", job.stimuli->preprocessing(),
                             "\ndevice = ", job.device.substr(0, 4), "\n"));
}

bool IsExtracted(const ExtractionJob& job, const ExtractionAnimal& animal) {
  if (!fs::exists(animal.output)) return false;
  const auto fingerprint = ExtractionFingerprint(job, animal);
  if (!fingerprint.ok()) return false;
  const auto file = ActivationFile::Open(animal.output);
  return file.ok() && file->metadata().fingerprint == *fingerprint;
}

absl::Status Extract(const ExtractionJob& job) {
  IAT_RETURN_IF_ERROR(job.options.Validate());
  const PackedSet& stimuli = *job.stimuli;
  if (stimuli.size() == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(stimuli.folder().string(), ": no stimuli"));
  }
  if (stimuli.height() != kInputSide || stimuli.width() != kInputSide) {
    return absl::InvalidArgumentError(
        absl::StrCat(stimuli.folder().string(), ": its images are ", stimuli.width(),
                     " x ", stimuli.height(), "; the networks take ", kInputSide, " x ",
                     kInputSide, ": pack the stimuli with size = ", kInputSide));
  }
  SetBlasThreads(1);
  return Extraction(job).Run();
}

}  // namespace iat
