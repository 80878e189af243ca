#include "base/activation_file.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/half.h"
#include "base/netcdf.h"
#include "base/status.h"
#include "base/version.h"

namespace iat {
namespace {

constexpr int64_t kFormatVersion = 1;

// About 1 MiB a chunk: large enough for streaming, small enough that reading a
// few stimuli does not read the file.
constexpr size_t kChunkBytes = 1 << 20;

// zlib's level for what is compressed.
constexpr int kFastest = 1;

std::string VariableName(const Tap& tap) {
  return absl::StrCat(tap.layer, "_", StageName(tap.stage));
}

// The text attributes, once for reading and writing.
template <typename Metadata, typename Visit>
absl::Status ForEachText(Metadata& metadata, Visit visit) {
  IAT_RETURN_IF_ERROR(visit("animal", metadata.animal));
  IAT_RETURN_IF_ERROR(visit("architecture", metadata.architecture));
  IAT_RETURN_IF_ERROR(visit("weights_sha256", metadata.weights_sha256));
  IAT_RETURN_IF_ERROR(visit("stimuli_sha256", metadata.stimuli_sha256));
  IAT_RETURN_IF_ERROR(visit("scope", metadata.scope));
  IAT_RETURN_IF_ERROR(visit("preprocessing", metadata.preprocessing));
  return visit("fingerprint", metadata.fingerprint);
}

// `id_of(i)` names the stimulus of row i.
template <typename IdOf>
absl::Status CheckFinite(const ActivationMatrix& rows, const std::string& where,
                         const IdOf& id_of) {
  // Summing 0 * x is a branch-free scan: finite values give exactly zero.
  if ((rows.array() * 0.0f).sum() == 0.0f) return absl::OkStatus();
  for (Eigen::Index i = 0; i < rows.rows(); ++i) {
    for (Eigen::Index j = 0; j < rows.cols(); ++j) {
      if (std::isfinite(rows(i, j))) continue;
      return absl::InvalidArgumentError(absl::StrCat(where, ": stimulus \"", id_of(i),
                                                     "\", unit ", j, " is ", rows(i, j),
                                                     "; expected a finite number"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::string StageName(Stage stage) {
  switch (stage) {
    case Stage::kPreRelu:
      return "pre_relu";
    case Stage::kPostRelu:
      return "post_relu";
    case Stage::kRecorded:
      return "recorded";
  }
  IAT_CHECK(false, "unknown stage");
}

absl::StatusOr<Stage> ParseStage(absl::string_view name) {
  for (const Stage stage : {Stage::kPreRelu, Stage::kPostRelu, Stage::kRecorded}) {
    if (StageName(stage) == name) return stage;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "stage is \"", name, "\"; expected \"pre_relu\", \"post_relu\" or \"recorded\""));
}

std::string Tap::Name() const { return absl::StrCat(layer, "/", StageName(stage)); }

struct ActivationWriter::State {
  NetcdfFile file;
  int64_t num_stimuli;
  int id_variable = -1;  // stimulus_id: the ids are in the file, there may be millions
  struct Variable {
    Tap tap;
    int id;
    int64_t num_units;
    int64_t rows_written = 0;
  };
  std::vector<Variable> variables = {};
  std::map<std::string, int> unit_dimensions = {};  // by layer
  bool is_half = false;

  // For messages.
  std::string StimulusId(int64_t row) const {
    const auto id = file.ReadString(id_variable, static_cast<size_t>(row));
    return id.ok() ? *id : absl::StrCat("number ", row);
  }
};

ActivationWriter::ActivationWriter(std::unique_ptr<State> state)
    : state_(std::move(state)) {}
ActivationWriter::ActivationWriter(ActivationWriter&&) noexcept = default;
ActivationWriter& ActivationWriter::operator=(ActivationWriter&&) noexcept = default;
ActivationWriter::~ActivationWriter() = default;

absl::StatusOr<ActivationWriter> ActivationWriter::Create(
    const std::filesystem::path& path, const std::vector<std::string>& stimulus_ids,
    const std::vector<Layer>& layers, const ActivationMetadata& metadata) {
  if (stimulus_ids.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(path.string(), ": no stimuli"));
  }
  {
    std::vector<absl::string_view> sorted(stimulus_ids.begin(), stimulus_ids.end());
    std::sort(sorted.begin(), sorted.end());
    const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
    if (sorted.front().empty() || twice != sorted.end()) {
      const bool is_empty = sorted.front().empty();
      return absl::InvalidArgumentError(
          absl::StrCat(path.string(), ": stimulus id \"", is_empty ? "" : *twice, "\" ",
                       is_empty ? "is empty" : "appears twice"));
    }
  }
  IAT_ASSIGN_OR_RETURN(NetcdfFile file, NetcdfFile::Create(path));
  IAT_RETURN_IF_ERROR(file.SetAttribute(NC_GLOBAL, "title", "iat activations"));
  IAT_RETURN_IF_ERROR(file.SetAttribute(NC_GLOBAL, "format_version", kFormatVersion));
  IAT_RETURN_IF_ERROR(file.SetAttribute(NC_GLOBAL, "iat_version", Version()));
  IAT_RETURN_IF_ERROR(
      ForEachText(metadata, [&](const char* name, const std::string& value) {
        return file.SetAttribute(NC_GLOBAL, name, absl::string_view(value));
      }));
  IAT_RETURN_IF_ERROR(file.SetAttribute(NC_GLOBAL, "init_seed", metadata.init_seed));
  IAT_RETURN_IF_ERROR(file.SetAttribute(NC_GLOBAL, "data_seed", metadata.data_seed));
  IAT_RETURN_IF_ERROR(file.SetAttribute(
      NC_GLOBAL, "simulated", absl::string_view(metadata.simulated ? "yes" : "no")));
  IAT_RETURN_IF_ERROR(
      file.SetAttribute(NC_GLOBAL, "precision", absl::string_view(metadata.precision)));

  auto state = std::make_unique<State>(
      State{.file = std::move(file),
            .num_stimuli = static_cast<int64_t>(stimulus_ids.size()),
            .is_half = metadata.precision == "float16"});
  NetcdfFile& out = state->file;
  IAT_ASSIGN_OR_RETURN(const int stimulus,
                       out.AddDimension("stimulus", stimulus_ids.size()));
  {
    const std::lock_guard<std::mutex> lock(NetcdfMutex());
    IAT_RETURN_IF_ERROR(out.Check(
        nc_def_var(out.id(), "stimulus_id", NC_STRING, 1, &stimulus, &state->id_variable),
        "stimulus_id"));
  }
  IAT_RETURN_IF_ERROR(out.WriteStrings(state->id_variable, stimulus_ids));

  std::set<std::string> names;
  for (const Layer& layer : layers) {
    if (!names.insert(layer.name).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(path.string(), ": layer ", layer.name, " is given twice"));
    }
    const size_t num_units = layer.units.channel.size();
    IAT_CHECK(
        layer.units.row.size() == num_units && layer.units.column.size() == num_units,
        "unit coordinates differ in length");
    IAT_ASSIGN_OR_RETURN(const int unit,
                         out.AddDimension(absl::StrCat(layer.name, "_unit"), num_units));
    state->unit_dimensions[layer.name] = unit;
    const std::lock_guard<std::mutex> lock(NetcdfMutex());
    const std::pair<const char*, const std::vector<int32_t>*> coordinates[] = {
        {"channel", &layer.units.channel},
        {"row", &layer.units.row},
        {"column", &layer.units.column}};
    for (const auto& [suffix, values] : coordinates) {
      const std::string name = absl::StrCat(layer.name, "_", suffix);
      int variable = -1;
      IAT_RETURN_IF_ERROR(out.Check(
          nc_def_var(out.id(), name.c_str(), NC_INT, 1, &unit, &variable), name));
      IAT_RETURN_IF_ERROR(
          out.Check(nc_put_var_int(out.id(), variable, values->data()), name));
    }
    for (const Stage stage : layer.stages) {
      const Tap tap{layer.name, stage};
      const std::string name = VariableName(tap);
      const int dimensions[] = {stimulus, unit};
      const size_t rows_per_chunk = std::clamp<size_t>(
          kChunkBytes / (sizeof(float) * std::max<size_t>(num_units, 1)), 1,
          stimulus_ids.size());
      const size_t chunk[] = {rows_per_chunk, num_units};
      int variable = -1;
      IAT_RETURN_IF_ERROR(out.Check(
          nc_def_var(out.id(), name.c_str(), NC_FLOAT, 2, dimensions, &variable), name));
      IAT_RETURN_IF_ERROR(
          out.Check(nc_def_var_chunking(out.id(), variable, NC_CHUNKED, chunk), name));
      IAT_RETURN_IF_ERROR(
          out.Check(nc_def_var_fletcher32(out.id(), variable, NC_FLETCHER32), name));
      if (state->is_half) {
        IAT_RETURN_IF_ERROR(out.Check(
            nc_def_var_deflate(out.id(), variable, NC_SHUFFLE, 1, kFastest), name));
      }
      // Rows come in order, so the chunk being filled is enough; netCDF's own cache
      // would grow with the number of stimuli, for every variable.
      const size_t chunk_bytes = rows_per_chunk * num_units * sizeof(float);
      constexpr size_t kSlots = 31;
      constexpr float kPreemption = 1.0f;
      IAT_RETURN_IF_ERROR(out.Check(
          nc_set_var_chunk_cache(out.id(), variable, chunk_bytes, kSlots, kPreemption),
          name));
      const std::string coordinate_names =
          absl::StrCat("stimulus_id ", layer.name, "_channel ", layer.name, "_row ",
                       layer.name, "_column");
      IAT_RETURN_IF_ERROR(
          out.Check(nc_put_att_text(out.id(), variable, "coordinates",
                                    coordinate_names.size(), coordinate_names.data()),
                    name));
      state->variables.push_back({tap, variable, static_cast<int64_t>(num_units)});
    }
  }
  return ActivationWriter(std::move(state));
}

absl::Status ActivationWriter::Write(const Tap& tap, int64_t first_row,
                                     const ActivationMatrix& rows) {
  const auto variable = std::find_if(state_->variables.begin(), state_->variables.end(),
                                     [&](const auto& v) { return v.tap == tap; });
  IAT_CHECK(variable != state_->variables.end(), "a tap that was not declared");
  IAT_CHECK(rows.cols() == variable->num_units && first_row >= 0 &&
                first_row + rows.rows() <= state_->num_stimuli,
            "rows do not fit the file");
  IAT_RETURN_IF_ERROR(
      CheckFinite(rows, absl::StrCat(state_->file.path().string(), ": ", tap.Name()),
                  [&](int64_t i) { return state_->StimulusId(first_row + i); }));
  ActivationMatrix rounded;
  if (state_->is_half) {
    rounded = rows.unaryExpr(&RoundToHalf);
    for (Eigen::Index i = 0; i < rows.size(); ++i) {
      if (std::isfinite(rounded.data()[i])) continue;
      return absl::OutOfRangeError(
          absl::StrCat(state_->file.path().string(), ": ", tap.Name(), ": stimulus \"",
                       state_->StimulusId(first_row + i / rows.cols()), "\", unit ",
                       i % rows.cols(), " is ", rows.data()[i], ", beyond float16's ",
                       kLargestHalf, "; store float32"));
    }
  }
  const float* const values = state_->is_half ? rounded.data() : rows.data();
  const size_t start[] = {static_cast<size_t>(first_row), 0};
  const size_t count[] = {static_cast<size_t>(rows.rows()),
                          static_cast<size_t>(rows.cols())};
  const std::lock_guard<std::mutex> lock(NetcdfMutex());
  IAT_RETURN_IF_ERROR(state_->file.Check(
      nc_put_vara_float(state_->file.id(), variable->id, start, count, values),
      absl::StrCat("cannot write ", tap.Name())));
  variable->rows_written += rows.rows();
  return absl::OkStatus();
}

absl::Status ActivationWriter::WriteByUnit(absl::string_view layer,
                                           absl::string_view name,
                                           absl::string_view meaning,
                                           const std::vector<double>& values) {
  const auto dimension = state_->unit_dimensions.find(std::string(layer));
  IAT_CHECK(dimension != state_->unit_dimensions.end(), "a layer that was not declared");
  const NetcdfFile& out = state_->file;
  const std::string variable_name = absl::StrCat(layer, "_", name);
  int variable = -1;
  {
    const std::lock_guard<std::mutex> lock(NetcdfMutex());
    size_t num_units = 0;
    IAT_RETURN_IF_ERROR(
        out.Check(nc_inq_dimlen(out.id(), dimension->second, &num_units), variable_name));
    IAT_CHECK(values.size() == num_units, "not one value a unit");
    IAT_RETURN_IF_ERROR(out.Check(nc_def_var(out.id(), variable_name.c_str(), NC_DOUBLE,
                                             1, &dimension->second, &variable),
                                  variable_name));
    // Positions and fields repeat a lot.
    IAT_RETURN_IF_ERROR(out.Check(
        nc_def_var_deflate(out.id(), variable, NC_SHUFFLE, 1, kFastest), variable_name));
    IAT_RETURN_IF_ERROR(
        out.Check(nc_put_var_double(out.id(), variable, values.data()), variable_name));
  }
  return state_->file.SetAttribute(variable, "long_name", meaning);
}

absl::Status ActivationWriter::Close() {
  for (const auto& variable : state_->variables) {
    if (variable.rows_written != state_->num_stimuli) {
      return absl::FailedPreconditionError(
          absl::StrCat(state_->file.path().string(), ": ", variable.tap.Name(), " has ",
                       variable.rows_written, " of ", state_->num_stimuli, " stimuli"));
    }
  }
  return state_->file.Close();
}

struct ActivationFile::State {
  NetcdfFile file;
  std::vector<std::string> stimulus_ids;
  ActivationMetadata metadata;
  std::vector<Tap> taps;
};

ActivationFile::ActivationFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
ActivationFile::ActivationFile(ActivationFile&&) noexcept = default;
ActivationFile& ActivationFile::operator=(ActivationFile&&) noexcept = default;
ActivationFile::~ActivationFile() = default;

absl::StatusOr<ActivationFile> ActivationFile::Open(const std::filesystem::path& path) {
  IAT_ASSIGN_OR_RETURN(NetcdfFile file, NetcdfFile::Open(path));
  const auto title = file.TextAttribute(NC_GLOBAL, "title");
  if (!title.ok() || *title != "iat activations") {
    return absl::InvalidArgumentError(
        absl::StrCat(path.string(),
                     ": not an activation file (its attribute title is not \"iat "
                     "activations\"); iat extract makes them"));
  }
  IAT_ASSIGN_OR_RETURN(const int64_t format,
                       file.IntegerAttribute(NC_GLOBAL, "format_version"));
  if (format != kFormatVersion) {
    return absl::InvalidArgumentError(absl::StrCat(path.string(), ": format_version is ",
                                                   format, "; this program reads ",
                                                   kFormatVersion));
  }
  auto state = std::make_unique<State>(State{std::move(file), {}, {}, {}});
  const NetcdfFile& in = state->file;
  ActivationMetadata& metadata = state->metadata;
  IAT_RETURN_IF_ERROR(
      ForEachText(metadata, [&](const char* name, std::string& value) -> absl::Status {
        IAT_ASSIGN_OR_RETURN(value, in.TextAttribute(NC_GLOBAL, name));
        return absl::OkStatus();
      }));
  IAT_ASSIGN_OR_RETURN(metadata.init_seed, in.IntegerAttribute(NC_GLOBAL, "init_seed"));
  IAT_ASSIGN_OR_RETURN(metadata.data_seed, in.IntegerAttribute(NC_GLOBAL, "data_seed"));
  IAT_ASSIGN_OR_RETURN(const std::string simulated,
                       in.TextAttribute(NC_GLOBAL, "simulated"));
  metadata.simulated = simulated != "no";
  // Files of earlier versions do not say: they hold float32.
  if (const auto precision = in.TextAttribute(NC_GLOBAL, "precision"); precision.ok()) {
    metadata.precision = *precision;
  }
  IAT_ASSIGN_OR_RETURN(state->stimulus_ids, in.ReadStrings("stimulus_id"));
  IAT_ASSIGN_OR_RETURN(const std::vector<std::string> names, in.VariableNames());
  for (const std::string& name : names) {
    for (const Stage stage : {Stage::kPreRelu, Stage::kPostRelu, Stage::kRecorded}) {
      absl::string_view layer = name;
      if (absl::ConsumeSuffix(&layer, absl::StrCat("_", StageName(stage)))) {
        state->taps.push_back({std::string(layer), stage});
      }
    }
  }
  return ActivationFile(std::move(state));
}

const std::filesystem::path& ActivationFile::path() const { return state_->file.path(); }
const std::vector<std::string>& ActivationFile::stimulus_ids() const {
  return state_->stimulus_ids;
}
const ActivationMetadata& ActivationFile::metadata() const { return state_->metadata; }
std::vector<Tap> ActivationFile::taps() const { return state_->taps; }
bool ActivationFile::Has(const Tap& tap) const {
  return std::find(state_->taps.begin(), state_->taps.end(), tap) != state_->taps.end();
}

absl::StatusOr<UnitCoordinates> ActivationFile::Units(absl::string_view layer) const {
  UnitCoordinates units;
  IAT_ASSIGN_OR_RETURN(units.channel,
                       state_->file.ReadIntegers(absl::StrCat(layer, "_channel")));
  IAT_ASSIGN_OR_RETURN(units.row, state_->file.ReadIntegers(absl::StrCat(layer, "_row")));
  IAT_ASSIGN_OR_RETURN(units.column,
                       state_->file.ReadIntegers(absl::StrCat(layer, "_column")));
  return units;
}

absl::StatusOr<ActivationMatrix> ActivationFile::Read(const Tap& tap) const {
  return ReadRows(tap, 0, static_cast<int64_t>(state_->stimulus_ids.size()));
}

absl::StatusOr<ActivationMatrix> ActivationFile::ReadRows(const Tap& tap, int64_t first,
                                                          int64_t count) const {
  const NetcdfFile& file = state_->file;
  if (!Has(tap)) {
    std::vector<std::string> names;
    for (const Tap& t : state_->taps) names.push_back(t.Name());
    return absl::NotFoundError(absl::StrCat(path().string(), ": no ", tap.Name(),
                                            "; it holds ", absl::StrJoin(names, ", ")));
  }
  IAT_CHECK(first >= 0 && count >= 0 &&
                first + count <= static_cast<int64_t>(state_->stimulus_ids.size()),
            "rows that are not in the file");
  IAT_ASSIGN_OR_RETURN(const int variable, file.Variable(VariableName(tap)));
  IAT_ASSIGN_OR_RETURN(const size_t num_units,
                       file.DimensionSize(absl::StrCat(tap.layer, "_unit")));
  ActivationMatrix values(count, num_units);
  {
    const std::lock_guard<std::mutex> lock(NetcdfMutex());
    const auto read = [&](int64_t from, int64_t rows) {
      const size_t start[] = {static_cast<size_t>(from), 0};
      const size_t size[] = {static_cast<size_t>(rows), num_units};
      return nc_get_vara_float(file.id(), variable, start, size,
                               values.data() + (from - first) * num_units);
    };
    const std::string what = absl::StrCat("cannot read ", tap.Name());
    if (const int code = read(first, count); code != NC_NOERR) {
      // Which stimuli: the first chunk of rows that fails by itself.
      size_t chunk[2] = {0, 0};
      int storage = NC_CONTIGUOUS;
      (void)nc_inq_var_chunking(file.id(), variable, &storage, chunk);
      const int64_t step = static_cast<int64_t>(std::max<size_t>(chunk[0], 1));
      for (int64_t from = first - first % step; from < first + count; from += step) {
        const int64_t begin = std::max(from, first);
        const int64_t end = std::min(from + step, first + count);
        if (read(begin, end - begin) == NC_NOERR) continue;
        return file.Check(code, absl::StrCat(what, " of stimuli ", begin, " to ", end - 1,
                                             " (\"", state_->stimulus_ids[begin],
                                             "\" ...), the chunk is "
                                             "damaged"));
      }
      return file.Check(code, what);
    }
  }
  IAT_RETURN_IF_ERROR(CheckFinite(
      values, absl::StrCat(path().string(), ": ", tap.Name()),
      [&](int64_t i) -> const std::string& { return state_->stimulus_ids[first + i]; }));
  return values;
}

std::vector<std::string> ActivationFile::layers() const {
  std::vector<std::string> layers;
  const auto names = state_->file.VariableNames();
  if (!names.ok()) return layers;
  for (const std::string& name : *names) {
    absl::string_view layer = name;
    if (absl::ConsumeSuffix(&layer, "_channel") &&
        state_->file.DimensionSize(absl::StrCat(layer, "_unit")).ok()) {
      layers.emplace_back(layer);
    }
  }
  return layers;
}

std::vector<std::pair<std::string, std::string>> ActivationFile::ByUnitNames(
    absl::string_view layer) const {
  std::vector<std::pair<std::string, std::string>> found;
  const auto names = state_->file.VariableNames();
  if (!names.ok()) return found;
  for (const std::string& name : *names) {
    absl::string_view rest = name;
    if (!absl::ConsumePrefix(&rest, absl::StrCat(layer, "_"))) continue;
    const auto variable = state_->file.Variable(name);
    if (!variable.ok()) continue;
    const auto meaning = state_->file.TextAttribute(*variable, "long_name");
    if (meaning.ok()) found.emplace_back(rest, *meaning);
  }
  return found;
}

absl::StatusOr<std::vector<double>> ActivationFile::ReadByUnit(
    absl::string_view layer, absl::string_view name) const {
  const std::string variable_name = absl::StrCat(layer, "_", name);
  IAT_ASSIGN_OR_RETURN(const int variable, state_->file.Variable(variable_name));
  IAT_ASSIGN_OR_RETURN(const size_t num_units,
                       state_->file.DimensionSize(absl::StrCat(layer, "_unit")));
  std::vector<double> values(num_units);
  const std::lock_guard<std::mutex> lock(NetcdfMutex());
  int num_dimensions = 0, dimension = -1;
  size_t length = 0;
  IAT_RETURN_IF_ERROR(state_->file.Check(
      nc_inq_varndims(state_->file.id(), variable, &num_dimensions), variable_name));
  if (num_dimensions == 1) {
    IAT_RETURN_IF_ERROR(state_->file.Check(
        nc_inq_vardimid(state_->file.id(), variable, &dimension), variable_name));
    IAT_RETURN_IF_ERROR(state_->file.Check(
        nc_inq_dimlen(state_->file.id(), dimension, &length), variable_name));
  }
  if (length != num_units) {
    return absl::InvalidArgumentError(
        absl::StrCat(path().string(), ": ", variable_name, " is not one value a unit"));
  }
  IAT_RETURN_IF_ERROR(state_->file.Check(
      nc_get_var_double(state_->file.id(), variable, values.data()), variable_name));
  return values;
}

}  // namespace iat
