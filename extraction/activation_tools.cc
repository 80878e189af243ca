#include "extraction/activation_tools.h"

#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <tuple>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/netcdf.h"
#include "base/npy.h"
#include "base/status.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kBlockRows = 256;

int64_t NumStimuli(const ActivationFile& file) {
  return static_cast<int64_t>(file.stimulus_ids().size());
}

// Layers in the file's order, with the stages chosen from those it holds.
absl::StatusOr<std::vector<ActivationWriter::Layer>> Layers(
    const ActivationFile& file, const ActivationSelection& selection) {
  std::vector<ActivationWriter::Layer> layers;
  const auto chosen = [](const auto& list, const auto& value) {
    return list.empty() || std::find(list.begin(), list.end(), value) != list.end();
  };
  const std::vector<std::string> names = file.layers();
  for (const std::string& name : selection.layers) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      return absl::NotFoundError(absl::StrCat(file.path().string(), ": no layer \"", name,
                                              "\"; it holds ",
                                              absl::StrJoin(names, ", ")));
    }
  }
  for (const std::string& name : names) {
    if (!chosen(selection.layers, name)) continue;
    ActivationWriter::Layer layer{.name = name, .units = {}, .stages = {}};
    IAT_ASSIGN_OR_RETURN(layer.units, file.Units(name));
    for (const Tap& tap : file.taps()) {
      if (tap.layer == name && chosen(selection.stages, tap.stage)) {
        layer.stages.push_back(tap.stage);
      }
    }
    for (const Stage stage : selection.stages) {
      if (!file.Has({name, stage})) {
        return absl::NotFoundError(
            absl::StrCat(file.path().string(), ": no ", Tap{name, stage}.Name()));
      }
    }
    layers.push_back(std::move(layer));
  }
  return layers;
}

std::vector<Tap> Taps(const std::vector<ActivationWriter::Layer>& layers) {
  std::vector<Tap> taps;
  for (const auto& layer : layers) {
    for (const Stage stage : layer.stages) taps.push_back({layer.name, stage});
  }
  return taps;
}

absl::Status CopyByUnit(const ActivationFile& from, const std::string& layer,
                        bool with_summaries, ActivationWriter& to) {
  for (const auto& [name, meaning] : from.ByUnitNames(layer)) {
    if (!with_summaries && !absl::StartsWith(name, "rf_")) continue;
    IAT_ASSIGN_OR_RETURN(const auto values, from.ReadByUnit(layer, name));
    IAT_RETURN_IF_ERROR(to.WriteByUnit(layer, name, meaning, values));
  }
  return absl::OkStatus();
}

// Calls visit(first row, rows) over all stimuli of a tap.
absl::Status ForEachBlock(
    const ActivationFile& file, const Tap& tap,
    const std::function<absl::Status(int64_t, const ActivationMatrix&)>& visit) {
  for (int64_t row = 0; row < NumStimuli(file); row += kBlockRows) {
    IAT_ASSIGN_OR_RETURN(
        const ActivationMatrix rows,
        file.ReadRows(tap, row, std::min(kBlockRows, NumStimuli(file) - row)));
    IAT_RETURN_IF_ERROR(visit(row, rows));
  }
  return absl::OkStatus();
}

absl::Status CheckAlike(const ActivationFile& first, const ActivationFile& other) {
  const ActivationMetadata &a = first.metadata(), &b = other.metadata();
  const std::string taps_a = absl::StrJoin(
      first.taps(), " ", [](std::string* out, const Tap& t) { out->append(t.Name()); });
  const std::string taps_b = absl::StrJoin(
      other.taps(), " ", [](std::string* out, const Tap& t) { out->append(t.Name()); });
  const std::tuple<const char*, const std::string&, const std::string&> same[] = {
      {"animal", a.animal, b.animal},
      {"weights_sha256", a.weights_sha256, b.weights_sha256},
      {"scope", a.scope, b.scope},
      {"preprocessing", a.preprocessing, b.preprocessing},
      {"precision", a.precision, b.precision},
      {"taps", taps_a, taps_b}};
  for (const auto& [what, in_a, in_b] : same) {
    if (in_a == in_b) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        first.path().string(), " and ", other.path().string(),
        " do not go together: ", what, " is \"", in_a, "\" and \"", in_b, "\""));
  }
  for (const std::string& layer : first.layers()) {
    IAT_ASSIGN_OR_RETURN(const UnitCoordinates units_a, first.Units(layer));
    IAT_ASSIGN_OR_RETURN(const UnitCoordinates units_b, other.Units(layer));
    if (units_a.channel == units_b.channel && units_a.row == units_b.row &&
        units_a.column == units_b.column) {
      continue;
    }
    return absl::InvalidArgumentError(
        absl::StrCat(first.path().string(), " and ", other.path().string(),
                     " do not go together: they hold other units of ", layer));
  }
  return absl::OkStatus();
}

std::string UnitName(const UnitCoordinates& units, size_t u) {
  if (units.row[u] < 0) return absl::StrCat(units.channel[u]);
  return absl::StrCat(units.channel[u], "-", units.row[u], "-", units.column[u]);
}

// stimuli.csv and LAYER_units.csv.
absl::Status WriteTables(const ActivationFile& file, const fs::path& folder) {
  CsvTable stimuli{{"row", "stimulus_id"}, {}};
  for (int64_t i = 0; i < NumStimuli(file); ++i) {
    stimuli.rows.push_back({absl::StrCat(i), file.stimulus_ids()[i]});
  }
  IAT_RETURN_IF_ERROR(WriteFileAtomically(folder / "stimuli.csv", CsvText(stimuli)));
  for (const std::string& layer : file.layers()) {
    IAT_ASSIGN_OR_RETURN(const UnitCoordinates units, file.Units(layer));
    CsvTable table{{"unit", "channel", "row", "column"}, {}};
    for (size_t u = 0; u < units.channel.size(); ++u) {
      table.rows.push_back({absl::StrCat(u), absl::StrCat(units.channel[u]),
                            absl::StrCat(units.row[u]), absl::StrCat(units.column[u])});
    }
    for (const auto& [name, unused] : file.ByUnitNames(layer)) {
      IAT_ASSIGN_OR_RETURN(const std::vector<double> values,
                           file.ReadByUnit(layer, name));
      table.columns.push_back(name);
      for (size_t u = 0; u < values.size(); ++u) {
        table.rows[u].push_back(FormatNumber(values[u]));
      }
    }
    IAT_RETURN_IF_ERROR(
        WriteFileAtomically(folder / absl::StrCat(layer, "_units.csv"), CsvText(table)));
  }
  return absl::OkStatus();
}

// Streams `write` into a file that is put in place when complete.
absl::Status WriteStream(const fs::path& path,
                         const std::function<absl::Status(std::ofstream&)>& write) {
  return WriteAtomically(path, [&](const fs::path& temporary) -> absl::Status {
    std::ofstream out(temporary, std::ios::binary);
    IAT_RETURN_IF_ERROR(write(out));
    out.close();
    if (out.good()) return absl::OkStatus();
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot write ", path.string(), "; is the disk full?"));
  });
}

std::string VariableName(const Tap& tap) {
  return absl::StrCat(tap.layer, "_", StageName(tap.stage));
}

// The neuroids of Brain-Score's convention, all taps side by side.
struct Neuroids {
  std::vector<std::string> id, model, layer, stage;
  std::vector<int32_t> channel, row, column;
};

absl::StatusOr<Neuroids> ListNeuroids(const ActivationFile& file) {
  Neuroids neuroids;
  for (const Tap& tap : file.taps()) {
    IAT_ASSIGN_OR_RETURN(const UnitCoordinates units, file.Units(tap.layer));
    for (size_t u = 0; u < units.channel.size(); ++u) {
      neuroids.id.push_back(
          absl::StrCat(file.metadata().animal, ".", tap.Name(), ".", UnitName(units, u)));
      neuroids.model.push_back(file.metadata().animal);
      neuroids.layer.push_back(tap.layer);
      neuroids.stage.push_back(StageName(tap.stage));
    }
    const auto append = [](const auto& from, auto& to) {
      to.insert(to.end(), from.begin(), from.end());
    };
    append(units.channel, neuroids.channel);
    append(units.row, neuroids.row);
    append(units.column, neuroids.column);
  }
  return neuroids;
}

absl::StatusOr<int> DefineVariable(const NetcdfFile& out, const char* name, nc_type type,
                                   const std::vector<int>& dimensions) {
  const std::lock_guard<std::mutex> lock(NetcdfMutex());
  int variable = -1;
  IAT_RETURN_IF_ERROR(
      out.Check(nc_def_var(out.id(), name, type, static_cast<int>(dimensions.size()),
                           dimensions.data(), &variable),
                name));
  return variable;
}

absl::Status WriteBrainScore(const ActivationFile& file, const fs::path& path) {
  IAT_ASSIGN_OR_RETURN(const Neuroids neuroids, ListNeuroids(file));
  IAT_ASSIGN_OR_RETURN(NetcdfFile out, NetcdfFile::Create(path));
  IAT_ASSIGN_OR_RETURN(const int presentation,
                       out.AddDimension("presentation", file.stimulus_ids().size()));
  IAT_ASSIGN_OR_RETURN(const int neuroid,
                       out.AddDimension("neuroid", neuroids.id.size()));
  const std::tuple<const char*, int, const std::vector<std::string>*> texts[] = {
      {"stimulus_id", presentation, &file.stimulus_ids()},
      {"neuroid_id", neuroid, &neuroids.id},
      {"model", neuroid, &neuroids.model},
      {"layer", neuroid, &neuroids.layer},
      {"stage", neuroid, &neuroids.stage}};
  for (const auto& [name, dimension, values] : texts) {
    IAT_ASSIGN_OR_RETURN(const int variable,
                         DefineVariable(out, name, NC_STRING, {dimension}));
    IAT_RETURN_IF_ERROR(out.WriteStrings(variable, *values));
  }
  const std::pair<const char*, const std::vector<int32_t>*> numbers[] = {
      {"channel", &neuroids.channel},
      {"row", &neuroids.row},
      {"column", &neuroids.column}};
  for (const auto& [name, values] : numbers) {
    IAT_ASSIGN_OR_RETURN(const int variable,
                         DefineVariable(out, name, NC_INT, {neuroid}));
    const std::lock_guard<std::mutex> lock(NetcdfMutex());
    IAT_RETURN_IF_ERROR(
        out.Check(nc_put_var_int(out.id(), variable, values->data()), name));
  }
  IAT_ASSIGN_OR_RETURN(const int data,
                       DefineVariable(out, "data", NC_FLOAT, {presentation, neuroid}));
  IAT_RETURN_IF_ERROR(
      out.SetAttribute(data, "coordinates",
                       "stimulus_id neuroid_id model layer stage channel row column"));
  IAT_RETURN_IF_ERROR(
      out.SetAttribute(NC_GLOBAL, "weights_sha256", file.metadata().weights_sha256));
  IAT_RETURN_IF_ERROR(
      out.SetAttribute(NC_GLOBAL, "stimuli_sha256", file.metadata().stimuli_sha256));
  IAT_RETURN_IF_ERROR(
      out.SetAttribute(NC_GLOBAL, "preprocessing", file.metadata().preprocessing));
  size_t first_column = 0;
  for (const Tap& tap : file.taps()) {
    size_t num_units = 0;
    IAT_RETURN_IF_ERROR(ForEachBlock(
        file, tap, [&](int64_t row, const ActivationMatrix& rows) -> absl::Status {
          num_units = static_cast<size_t>(rows.cols());
          const size_t start[] = {static_cast<size_t>(row), first_column};
          const size_t count[] = {static_cast<size_t>(rows.rows()), num_units};
          const std::lock_guard<std::mutex> lock(NetcdfMutex());
          return out.Check(nc_put_vara_float(out.id(), data, start, count, rows.data()),
                           tap.Name());
        }));
    first_column += num_units;
  }
  return out.Close();
}

}  // namespace

absl::Status MergeActivations(const std::vector<fs::path>& inputs,
                              const fs::path& output) {
  if (inputs.empty()) return absl::InvalidArgumentError("no files to merge");
  std::vector<ActivationFile> files;
  std::vector<std::string> ids;
  for (const fs::path& path : inputs) {
    IAT_ASSIGN_OR_RETURN(ActivationFile file, ActivationFile::Open(path));
    ids.insert(ids.end(), file.stimulus_ids().begin(), file.stimulus_ids().end());
    files.push_back(std::move(file));
    IAT_RETURN_IF_ERROR(CheckAlike(files.front(), files.back()));
  }
  ActivationMetadata metadata = files.front().metadata();
  std::string stimuli = "merged", fingerprints = "merged";
  for (const ActivationFile& file : files) {
    absl::StrAppend(&stimuli, "\n", file.metadata().stimuli_sha256);
    absl::StrAppend(&fingerprints, "\n", file.metadata().fingerprint);
    metadata.simulated = metadata.simulated || file.metadata().simulated;
  }
  metadata.stimuli_sha256 = Sha256(stimuli);
  metadata.fingerprint = Sha256(fingerprints);
  IAT_ASSIGN_OR_RETURN(const auto layers, Layers(files.front(), {}));
  return WriteAtomically(output, [&](const fs::path& temporary) -> absl::Status {
    IAT_ASSIGN_OR_RETURN(ActivationWriter writer,
                         ActivationWriter::Create(temporary, ids, layers, metadata));
    for (const auto& layer : layers) {
      IAT_RETURN_IF_ERROR(
          CopyByUnit(files.front(), layer.name, /*with_summaries=*/false, writer));
    }
    int64_t begin = 0;
    for (const ActivationFile& file : files) {
      for (const Tap& tap : Taps(layers)) {
        IAT_RETURN_IF_ERROR(
            ForEachBlock(file, tap, [&](int64_t row, const ActivationMatrix& rows) {
              return writer.Write(tap, begin + row, rows);
            }));
      }
      begin += NumStimuli(file);
    }
    return writer.Close();
  });
}

absl::Status SelectActivations(const fs::path& input,
                               const ActivationSelection& selection,
                               const fs::path& output) {
  IAT_ASSIGN_OR_RETURN(const ActivationFile file, ActivationFile::Open(input));
  IAT_ASSIGN_OR_RETURN(const auto layers, Layers(file, selection));
  const bool all_stimuli = selection.stimulus_ids.empty();
  const std::vector<std::string>& ids =
      all_stimuli ? file.stimulus_ids() : selection.stimulus_ids;
  std::vector<int64_t> rows_of;
  if (!all_stimuli) {
    std::map<absl::string_view, int64_t> row_of_id;
    for (int64_t i = 0; i < NumStimuli(file); ++i) {
      row_of_id.emplace(file.stimulus_ids()[i], i);
    }
    for (const std::string& id : ids) {
      const auto found = row_of_id.find(id);
      if (found == row_of_id.end()) {
        return absl::NotFoundError(
            absl::StrCat(input.string(), ": no stimulus \"", id, "\""));
      }
      rows_of.push_back(found->second);
    }
  }
  ActivationMetadata metadata = file.metadata();
  if (!all_stimuli) {
    metadata.stimuli_sha256 = Sha256(absl::StrCat(
        "selected from ", metadata.stimuli_sha256, "\n", absl::StrJoin(ids, "\n")));
  }
  std::string text =
      absl::StrCat("selected from ", metadata.fingerprint, "\n", metadata.stimuli_sha256);
  for (const Tap& tap : Taps(layers)) absl::StrAppend(&text, "\n", tap.Name());
  metadata.fingerprint = Sha256(text);
  return WriteAtomically(output, [&](const fs::path& temporary) -> absl::Status {
    IAT_ASSIGN_OR_RETURN(ActivationWriter writer,
                         ActivationWriter::Create(temporary, ids, layers, metadata));
    for (const auto& layer : layers) {
      IAT_RETURN_IF_ERROR(CopyByUnit(file, layer.name, all_stimuli, writer));
    }
    for (const Tap& tap : Taps(layers)) {
      if (all_stimuli) {
        IAT_RETURN_IF_ERROR(
            ForEachBlock(file, tap, [&](int64_t row, const ActivationMatrix& rows) {
              return writer.Write(tap, row, rows);
            }));
        continue;
      }
      for (size_t i = 0; i < rows_of.size(); ++i) {
        IAT_ASSIGN_OR_RETURN(const ActivationMatrix row,
                             file.ReadRows(tap, rows_of[i], 1));
        IAT_RETURN_IF_ERROR(writer.Write(tap, static_cast<int64_t>(i), row));
      }
    }
    return writer.Close();
  });
}

absl::Status ExportNpy(const fs::path& input, const fs::path& folder) {
  IAT_ASSIGN_OR_RETURN(const ActivationFile file, ActivationFile::Open(input));
  IAT_RETURN_IF_ERROR(MakeFolder(folder));
  IAT_RETURN_IF_ERROR(WriteTables(file, folder));
  for (const Tap& tap : file.taps()) {
    IAT_ASSIGN_OR_RETURN(const UnitCoordinates units, file.Units(tap.layer));
    const auto num_units = static_cast<int64_t>(units.channel.size());
    IAT_RETURN_IF_ERROR(WriteStream(
        folder / (VariableName(tap) + ".npy"), [&](std::ofstream& out) -> absl::Status {
          out << NpyHeaderText("<f4", {NumStimuli(file), num_units});
          return ForEachBlock(file, tap, [&](int64_t, const ActivationMatrix& rows) {
            out.write(reinterpret_cast<const char*>(rows.data()),
                      static_cast<std::streamsize>(rows.size() * sizeof(float)));
            return absl::OkStatus();
          });
        }));
  }
  return absl::OkStatus();
}

absl::Status ExportCsv(const fs::path& input, const fs::path& folder) {
  IAT_ASSIGN_OR_RETURN(const ActivationFile file, ActivationFile::Open(input));
  IAT_RETURN_IF_ERROR(MakeFolder(folder));
  IAT_RETURN_IF_ERROR(WriteTables(file, folder));
  for (const Tap& tap : file.taps()) {
    IAT_ASSIGN_OR_RETURN(const UnitCoordinates units, file.Units(tap.layer));
    IAT_RETURN_IF_ERROR(WriteStream(
        folder / (VariableName(tap) + ".csv"), [&](std::ofstream& out) -> absl::Status {
          std::vector<std::string> cells = {"stimulus_id"};
          for (size_t u = 0; u < units.channel.size(); ++u) {
            cells.push_back(UnitName(units, u));
          }
          out << CsvLine(cells) << '\n';
          return ForEachBlock(file, tap,
                              [&](int64_t first, const ActivationMatrix& rows) {
                                for (Eigen::Index i = 0; i < rows.rows(); ++i) {
                                  cells[0] = file.stimulus_ids()[first + i];
                                  for (Eigen::Index u = 0; u < rows.cols(); ++u) {
                                    cells[u + 1] = FormatNumber(rows(i, u));
                                  }
                                  out << CsvLine(cells) << '\n';
                                }
                                return absl::OkStatus();
                              });
        }));
  }
  return absl::OkStatus();
}

absl::Status ExportBrainScore(const fs::path& input, const fs::path& output) {
  IAT_ASSIGN_OR_RETURN(const ActivationFile file, ActivationFile::Open(input));
  return WriteAtomically(output, [&](const fs::path& temporary) {
    return WriteBrainScore(file, temporary);
  });
}

}  // namespace iat
