#include "extraction/extract.h"

#include <torch/torch.h>

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/fingerprint.h"
#include "base/status.h"
#include "models/safetensors.h"

namespace iat {
namespace {

// The part of a tap's values that the scope asks for, images x units, on the CPU.
torch::Tensor Select(const torch::Tensor& values, const std::string& scope) {
  torch::Tensor selected = values;
  if (values.dim() == 4 && scope == "hypercolumn") {
    selected = values.select(3, values.size(3) / 2).select(2, values.size(2) / 2);
  }
  // On the device first, so that a hypercolumn does not move whole maps.
  return selected.flatten(1).contiguous().to(torch::kCPU);
}

UnitCoordinates Coordinates(const torch::Tensor& values, const std::string& scope) {
  UnitCoordinates units;
  const auto add = [&](int64_t channel, int64_t row, int64_t column) {
    units.channel.push_back(static_cast<int32_t>(channel));
    units.row.push_back(static_cast<int32_t>(row));
    units.column.push_back(static_cast<int32_t>(column));
  };
  for (int64_t channel = 0; channel < values.size(1); ++channel) {
    if (values.dim() != 4) {
      add(channel, -1, -1);
    } else if (scope == "hypercolumn") {
      add(channel, values.size(2) / 2, values.size(3) / 2);
    } else {
      for (int64_t row = 0; row < values.size(2); ++row) {
        for (int64_t column = 0; column < values.size(3); ++column)
          add(channel, row, column);
      }
    }
  }
  return units;
}

Eigen::Map<const ActivationMatrix> View(const torch::Tensor& matrix) {
  return {matrix.data_ptr<float>(), matrix.size(0), matrix.size(1)};
}

// The digest of the weights: the one their writer noted, or the file's own for
// files of other programs.
absl::StatusOr<std::string> WeightsSha256(const std::filesystem::path& path) {
  IAT_ASSIGN_OR_RETURN(const auto metadata, ReadTensorMetadata(path));
  const auto noted = metadata.find("sha256");
  return noted != metadata.end() ? noted->second : Sha256OfFile(path);
}

class Extraction {
 public:
  Extraction(const ExtractionJob& job, std::string fingerprint,
             std::string weights_sha256)
      : job_(job), device_(job.device) {
    metadata_ = {.animal = job.animal,
                 .architecture = job.model.Name(),
                 .init_seed = job.init_seed,
                 .data_seed = job.data_seed,
                 .weights_sha256 = std::move(weights_sha256),
                 .stimuli_sha256 = job.stimuli->Fingerprint(),
                 .scope = job.options.scope,
                 .preprocessing = job.stimuli->preprocessing(),
                 .fingerprint = std::move(fingerprint),
                 .simulated = false};
  }

  absl::Status LoadModel() {
    IAT_ASSIGN_OR_RETURN(model_, CreateModel(job_.model, /*init_seed=*/0));
    IAT_ASSIGN_OR_RETURN(const TensorFile weights, ReadTensors(job_.weights));
    IAT_RETURN_IF_ERROR(LoadStateDict(*model_, weights.tensors, job_.weights.string()));
    for (const std::string& layer : job_.options.layers) {
      const auto layers = model_->layers();
      if (std::find(layers.begin(), layers.end(), layer) == layers.end()) {
        return absl::InvalidArgumentError(absl::StrCat(
            "extraction.layers: ", job_.model.architecture, " has no layer \"", layer,
            "\"; it has ", absl::StrJoin(layers, ", ")));
      }
      for (const std::string& name : job_.options.stages) {
        IAT_ASSIGN_OR_RETURN(const Stage stage, ParseStage(name));
        taps_.push_back({layer, stage});
      }
      // Both are read, whichever is stored: the pair proves itself.
      for (const Stage stage : {Stage::kPreRelu, Stage::kPostRelu}) {
        read_.push_back({layer, stage});
      }
    }
    model_->to(device_);
    model_->eval();
    return absl::OkStatus();
  }

  absl::Status Write(const std::filesystem::path& path) {
    const torch::NoGradGuard no_grad;
    std::optional<ActivationWriter> writer;
    const int64_t n = job_.stimuli->size();
    for (int64_t begin = 0; begin < n; begin += job_.options.batch_size) {
      if (job_.stop != nullptr && job_.stop->load()) {
        return absl::CancelledError("stopped; the same command goes on from there");
      }
      const int64_t rows = std::min(job_.options.batch_size, n - begin);
      TapRecorder recorder(read_);
      model_->Forward(Images(begin, rows), {.recorder = &recorder});
      if (!writer) {
        IAT_ASSIGN_OR_RETURN(writer, Open(path, recorder));
      }
      IAT_RETURN_IF_ERROR(WriteBatch(recorder, begin, rows, *writer));
      if (job_.progress) job_.progress(begin + rows, n);
    }
    return writer->Close();
  }

 private:
  // The last batch is filled up with black images, so that all have one shape.
  torch::Tensor Images(int64_t begin, int64_t rows) const {
    auto images = torch::zeros({job_.options.batch_size, 3, kInputSide, kInputSide});
    for (int64_t i = 0; i < rows; ++i) {
      NormalizeInto(job_.stimuli->pixels(begin + i), job_.stimuli->height(),
                    job_.stimuli->width(), images[i].data_ptr<float>());
    }
    return images.to(device_);
  }

  absl::StatusOr<ActivationWriter> Open(const std::filesystem::path& path,
                                        const TapRecorder& recorder) const {
    std::vector<ActivationWriter::Layer> layers;
    for (const std::string& name : job_.options.layers) {
      ActivationWriter::Layer layer{
          .name = name,
          .units = Coordinates(recorder.Get({name, Stage::kPreRelu}), job_.options.scope),
          .stages = {}};
      for (const Tap& tap : taps_) {
        if (tap.layer == name) layer.stages.push_back(tap.stage);
      }
      layers.push_back(std::move(layer));
    }
    IAT_RETURN_IF_ERROR(CheckDisk(path, layers));
    return ActivationWriter::Create(path, job_.stimuli->ids(), layers, metadata_);
  }

  // HDF5 reports a full disk as "HDF error", after the work.
  absl::Status CheckDisk(const std::filesystem::path& path,
                         const std::vector<ActivationWriter::Layer>& layers) const {
    int64_t bytes = 0;
    for (const auto& layer : layers) {
      bytes += static_cast<int64_t>(sizeof(float) * layer.units.channel.size() *
                                    layer.stages.size()) *
               job_.stimuli->size();
    }
    std::error_code error;
    const auto space = std::filesystem::space(path.parent_path(), error);
    if (error || static_cast<int64_t>(space.available) > bytes + bytes / 50) {
      return absl::OkStatus();
    }
    return absl::ResourceExhaustedError(
        absl::StrCat(job_.output.string(), " needs ", bytes / 1000000 + 1, " MB, ",
                     path.parent_path().string(), " has ", space.available / 1000000,
                     " MB left; free some space or choose another --out"));
  }

  absl::Status WriteBatch(const TapRecorder& recorder, int64_t begin, int64_t rows,
                          ActivationWriter& writer) const {
    for (const std::string& layer : job_.options.layers) {
      const auto pre = Select(recorder.Get({layer, Stage::kPreRelu}), job_.options.scope);
      const auto post =
          Select(recorder.Get({layer, Stage::kPostRelu}), job_.options.scope);
      for (const Tap& tap : taps_) {
        if (tap.layer != layer) continue;
        const auto& values = tap.stage == Stage::kPreRelu ? pre : post;
        IAT_RETURN_IF_ERROR(writer.Write(tap, begin, View(values).topRows(rows)));
      }
      // After writing: NaN equals nothing, and the writer says where it is.
      if (!torch::equal(post, pre.clamp_min(0))) {
        return absl::InternalError(absl::StrCat(
            job_.animal, ": ", layer, ": post_relu is not max(pre_relu, 0) at ",
            "stimuli from \"", job_.stimuli->ids()[begin], "\""));
      }
    }
    return absl::OkStatus();
  }

  const ExtractionJob& job_;
  torch::Device device_;
  ActivationMetadata metadata_;
  std::shared_ptr<VisionModel> model_;
  std::vector<Tap> taps_, read_;
};

}  // namespace

void ExtractionOptions::Describe(OptionVisitor& visitor) {
  visitor.Choices("layers", layers,
                  {"conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"},
                  "layers whose activations are stored");
  visitor.Choices("stages", stages, {"pre_relu", "post_relu"},
                  "before the ReLU, after it, or both");
  visitor.Choice("scope", scope, {"hypercolumn", "layer"},
                 "all channels at the map's centre, or every position");
  visitor.Integer("batch_size", batch_size, {.min = 1, .max = 1 << 16},
                  "stimuli a forward pass; part of the result, to the last bits");
}

absl::StatusOr<std::string> ExtractionFingerprint(const ExtractionJob& job) {
  IAT_ASSIGN_OR_RETURN(const std::string weights, WeightsSha256(job.weights));
  return Sha256(absl::StrCat(OptionsText(job.model), OptionsText(job.options),
                             "animal = ", job.animal, "\nweights = ", weights,
                             "\nstimuli = ", job.stimuli->Fingerprint(),
                             "\npreprocessing = ", job.stimuli->preprocessing(),
                             "\ndevice = ", job.device.substr(0, 4), "\n"));
}

bool IsExtracted(const ExtractionJob& job) {
  const auto fingerprint = ExtractionFingerprint(job);
  if (!fingerprint.ok() || !std::filesystem::exists(job.output)) return false;
  const auto file = ActivationFile::Open(job.output);
  return file.ok() && file->metadata().fingerprint == *fingerprint;
}

absl::Status Extract(const ExtractionJob& job) {
  IAT_ASSIGN_OR_RETURN(const std::string fingerprint, ExtractionFingerprint(job));
  IAT_ASSIGN_OR_RETURN(std::string weights, WeightsSha256(job.weights));
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
  torch::set_num_threads(1);
  try {
    Extraction extraction(job, fingerprint, std::move(weights));
    IAT_RETURN_IF_ERROR(extraction.LoadModel());
    return WriteAtomically(job.output, [&](const std::filesystem::path& temporary) {
      return extraction.Write(temporary);
    });
  } catch (const c10::Error& error) {
    return absl::InternalError(
        absl::StrCat(job.animal, ": ", error.what_without_backtrace()));
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat(job.animal, ": ", error.what()));
  }
}

}  // namespace iat
