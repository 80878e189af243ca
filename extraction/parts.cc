#include "extraction/parts.h"

#include <algorithm>
#include <map>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "base/status.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

// Rows copied at a time.
constexpr int64_t kBlockRows = 256;

std::string PartPrefix(const fs::path& output) {
  return absl::StrCat(output.stem().string(), ".part-");
}

std::vector<double> Vector(const Eigen::ArrayXd& array) {
  return {array.data(), array.data() + array.size()};
}

// Fields of layers are the same in all parts; the first one has them.
absl::StatusOr<std::vector<ActivationWriter::Layer>> Layers(const PartedFile& file,
                                                            const ActivationFile& part) {
  std::vector<ActivationWriter::Layer> layers;
  for (const std::string& name : file.options.layers) {
    ActivationWriter::Layer layer{.name = name, .units = {}, .stages = {}};
    IAT_ASSIGN_OR_RETURN(layer.units, part.Units(name));
    if (file.options.StoresActivations()) {
      for (const std::string& stage_name : file.options.stages) {
        IAT_ASSIGN_OR_RETURN(const Stage stage, ParseStage(stage_name));
        layer.stages.push_back(stage);
      }
    }
    layers.push_back(std::move(layer));
  }
  return layers;
}

absl::Status CopyFields(const std::string& layer, const ActivationFile& part,
                        ActivationWriter& writer) {
  for (const auto& [name, meaning] : part.ByUnitNames(layer)) {
    if (!absl::StartsWith(name, "rf_")) continue;
    IAT_ASSIGN_OR_RETURN(const std::vector<double> values, part.ReadByUnit(layer, name));
    IAT_RETURN_IF_ERROR(writer.WriteByUnit(layer, name, meaning, values));
  }
  return absl::OkStatus();
}

absl::Status CopyRows(const ActivationFile& part, const Tap& tap, int64_t first_row,
                      int64_t count, ActivationWriter& writer) {
  for (int64_t row = 0; row < count; row += kBlockRows) {
    IAT_ASSIGN_OR_RETURN(const ActivationMatrix rows,
                         part.ReadRows(tap, row, std::min(kBlockRows, count - row)));
    IAT_RETURN_IF_ERROR(writer.Write(tap, first_row + row, rows));
  }
  return absl::OkStatus();
}

absl::Status WriteAssembled(const PartedFile& file, const fs::path& temporary) {
  std::optional<ActivationWriter> writer;
  std::vector<Tap> taps;
  std::vector<UnitSummary> summaries;
  for (int64_t p = 0; p < file.num_parts(); ++p) {
    IAT_ASSIGN_OR_RETURN(const ActivationFile part,
                         ActivationFile::Open(file.PartPath(p)));
    if (!writer) {
      IAT_ASSIGN_OR_RETURN(const auto layers, Layers(file, part));
      IAT_ASSIGN_OR_RETURN(writer, ActivationWriter::Create(temporary, *file.stimulus_ids,
                                                            layers, file.metadata));
      for (const std::string& layer : file.options.layers) {
        IAT_RETURN_IF_ERROR(CopyFields(layer, part, *writer));
        for (const std::string& name : file.options.stages) {
          IAT_ASSIGN_OR_RETURN(const Stage stage, ParseStage(name));
          taps.push_back({layer, stage});
        }
      }
      summaries.resize(taps.size());
    }
    for (size_t t = 0; t < taps.size(); ++t) {
      if (file.options.StoresActivations()) {
        IAT_RETURN_IF_ERROR(
            CopyRows(part, taps[t], file.begin(p), file.end(p) - file.begin(p), *writer));
      }
      if (file.options.StoresSummary()) {
        IAT_ASSIGN_OR_RETURN(const UnitSummary summary, ReadSummaryState(part, taps[t]));
        summaries[t].Merge(summary);
      }
    }
  }
  if (file.options.StoresSummary()) {
    for (size_t t = 0; t < taps.size(); ++t) {
      for (const FieldVariable& column : SummaryVariables(taps[t].stage, summaries[t])) {
        IAT_RETURN_IF_ERROR(writer->WriteByUnit(taps[t].layer, column.name,
                                                column.meaning, column.values));
      }
    }
  }
  return writer->Close();
}

// What processes that were killed while they assembled this file have left of it.
void RemoveLeftovers(const fs::path& output) {
  const std::string prefix = absl::StrCat(".", output.stem().string(), kTemporaryMark);
  std::vector<fs::path> leftovers;
  std::error_code error;
  for (fs::directory_iterator it(output.parent_path(), error), end; !error && it != end;
       it.increment(error)) {
    if (absl::StartsWith(it->path().filename().string(), prefix)) {
      leftovers.push_back(it->path());
    }
  }
  for (const fs::path& path : leftovers) fs::remove(path, error);
}

}  // namespace

fs::path PartedFile::PartPath(int64_t part) const {
  return output.parent_path() / absl::StrFormat("%s%04d%s", PartPrefix(output), part,
                                                output.extension().string());
}

ActivationMetadata PartedFile::PartMetadata(int64_t part) const {
  ActivationMetadata of_part = metadata;
  of_part.fingerprint = Sha256(
      absl::StrCat(metadata.fingerprint, "\npart ", part, " of ", num_parts(), "\n"));
  return of_part;
}

absl::Status RemoveParts(const fs::path& output) {
  const std::string prefix = PartPrefix(output);
  std::error_code error;
  std::vector<fs::path> parts;
  for (fs::directory_iterator it(output.parent_path(), error), end; !error && it != end;
       it.increment(error)) {
    if (absl::StartsWith(it->path().filename().string(), prefix)) {
      parts.push_back(it->path());
    }
  }
  for (const fs::path& part : parts) {
    if (!error) fs::remove(part, error);
  }
  if (error) {
    return ErrnoStatus(error.value(),
                       absl::StrCat("cannot remove the parts of ", output.string()));
  }
  return absl::OkStatus();
}

bool HasPart(const PartedFile& file, int64_t part) {
  const fs::path path = file.PartPath(part);
  if (!fs::exists(path)) return false;
  const auto found = ActivationFile::Open(path);
  return found.ok() &&
         found->metadata().fingerprint == file.PartMetadata(part).fingerprint;
}

absl::Status WriteSummaryState(const Tap& tap, const UnitSummary& summary,
                               ActivationWriter& writer) {
  const auto names = UnitSummary::StateNames();
  const auto state = summary.State();
  for (size_t i = 0; i < names.size(); ++i) {
    IAT_RETURN_IF_ERROR(writer.WriteByUnit(
        tap.layer, absl::StrCat(StageName(tap.stage), "_", names[i].first),
        names[i].second, Vector(state[i])));
  }
  return absl::OkStatus();
}

absl::StatusOr<UnitSummary> ReadSummaryState(const ActivationFile& part, const Tap& tap) {
  std::vector<Eigen::ArrayXd> state;
  for (const auto& [name, unused] : UnitSummary::StateNames()) {
    IAT_ASSIGN_OR_RETURN(
        const std::vector<double> values,
        part.ReadByUnit(tap.layer, absl::StrCat(StageName(tap.stage), "_", name)));
    state.push_back(Eigen::Map<const Eigen::ArrayXd>(
        values.data(), static_cast<Eigen::Index>(values.size())));
  }
  return UnitSummary::FromState(static_cast<int64_t>(part.stimulus_ids().size()),
                                std::move(state));
}

std::vector<FieldVariable> SummaryVariables(Stage stage, const UnitSummary& summary) {
  const std::string prefix = StageName(stage) + "_";
  return {{prefix + "mean", "mean response over the stimuli", Vector(summary.mean())},
          {prefix + "sd", "standard deviation over the stimuli (n - 1)",
           Vector(summary.sd())},
          {prefix + "sparsity", "share of stimuli with a response <= 0",
           Vector(summary.sparsity())},
          {prefix + "lifetime_sparseness",
           "Vinje & Gallant's lifetime sparseness of the positive part; NaN: dead",
           Vector(summary.lifetime_sparseness())},
          {prefix + "dead", "1 where no stimulus gives a response > 0",
           Vector(summary.dead())}};
}

absl::Status Assemble(const PartedFile& file) {
  RemoveLeftovers(file.output);
  const absl::Status written = WriteAtomically(
      file.output,
      [&](const fs::path& temporary) { return WriteAssembled(file, temporary); });
  if (absl::IsDataLoss(written)) {
    return absl::DataLossError(absl::StrCat(
        written.message(), "; delete that file, and the same command makes it again"));
  }
  IAT_RETURN_IF_ERROR(written);
  return RemoveParts(file.output);
}

}  // namespace iat
