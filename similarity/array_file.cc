#include "similarity/array_file.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <unordered_map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/status.h"
#include "similarity/netcdf_matrix.h"
#include "similarity/npy.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

enum class Format { kNpy, kNetcdf, kCsv };

struct Source {
  std::string path, variable;
};

// FILE, or FILE:VARIABLE where only what is before a colon exists.
absl::StatusOr<Source> FindFile(const std::string& place) {
  std::error_code error;
  if (fs::is_regular_file(place, error)) return Source{place, ""};
  for (size_t colon = place.rfind(':'); colon != std::string::npos && colon > 0;
       colon = place.rfind(':', colon - 1)) {
    if (fs::is_regular_file(place.substr(0, colon), error)) {
      return Source{place.substr(0, colon), place.substr(colon + 1)};
    }
  }
  return absl::NotFoundError(
      fs::is_directory(place, error)
          ? absl::StrCat(place,
                         ": a folder; expected a .npy or .csv file, or "
                         "FILE:VARIABLE of netCDF or HDF5")
          : absl::StrCat(place, ": no such file"));
}

absl::StatusOr<Format> DetectFormat(const Source& source) {
  std::ifstream file(source.path, std::ios::binary);
  std::array<char, 8> buffer{};
  file.read(buffer.data(), buffer.size());
  const absl::string_view head(buffer.data(), static_cast<size_t>(file.gcount()));
  if (head.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(source.path, ": empty, or cannot be read"));
  }
  if (absl::StartsWith(head, kNpyMagic)) return Format::kNpy;
  if (absl::StartsWith(head, "\x89HDF") || absl::StartsWith(head, "CDF")) {
    return Format::kNetcdf;
  }
  if (absl::StartsWith(head, "PK")) {
    return absl::InvalidArgumentError(
        absl::StrCat(source.path,
                     ": an archive (.npz?); save the one array with "
                     "numpy.save, or both as variables of a netCDF file"));
  }
  if (absl::StartsWith(head, "MATLAB")) {
    return absl::InvalidArgumentError(
        absl::StrCat(source.path, ": a MATLAB file older than 7.3; save it with -v7.3"));
  }
  return Format::kCsv;
}

bool ParseNumber(const std::string& cell, double& value) {
  return absl::SimpleAtod(absl::StripAsciiWhitespace(cell), &value);
}

absl::StatusOr<ResponseArray> ReadCsvArray(const std::string& path) {
  IAT_ASSIGN_OR_RETURN(CsvTable table, ReadCsv(path));
  const bool has_ids = !table.columns.empty() &&
                       (table.columns[0].empty() || table.columns[0] == "stimulus_id");
  double unused = 0.0;
  const bool has_heading =
      has_ids ||
      !std::all_of(table.columns.begin(), table.columns.end(),
                   [&](const auto& cell) { return ParseNumber(cell, unused); });
  if (!has_heading) table.rows.insert(table.rows.begin(), table.columns);
  ResponseArray array;
  const size_t skipped = has_ids ? 1 : 0;
  array.values.resize(static_cast<Eigen::Index>(table.rows.size()),
                      static_cast<Eigen::Index>(table.columns.size() - skipped));
  for (size_t i = 0; i < table.rows.size(); ++i) {
    if (has_ids) array.stimulus_ids.push_back(table.rows[i][0]);
    for (size_t j = skipped; j < table.columns.size(); ++j) {
      const std::string& cell = table.rows[i][j];
      if (ParseNumber(cell, array.values(i, j - skipped))) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          path, ": [", i, ", ", j - skipped, "] is \"", cell, "\"; expected a number"));
    }
  }
  return array;
}

absl::StatusOr<ResponseArray> ReadAny(const Source& source) {
  IAT_ASSIGN_OR_RETURN(const Format format, DetectFormat(source));
  if (format != Format::kNetcdf && !source.variable.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(source.path, ": has no variables such as \"", source.variable,
                     "\"; only netCDF and HDF5 files have"));
  }
  if (format == Format::kCsv) return ReadCsvArray(source.path);
  ResponseArray array;
  if (format == Format::kNpy) {
    IAT_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(source.path));
    IAT_ASSIGN_OR_RETURN(array.values, ParseNpy(file.view(), source.path));
    return array;
  }
  IAT_ASSIGN_OR_RETURN(NetcdfMatrix matrix,
                       ReadNetcdfMatrix(source.path, source.variable));
  array.values = std::move(matrix.values);
  array.stimulus_ids = std::move(matrix.stimulus_ids);
  return array;
}

absl::Status CheckFinite(const ResponseArray& array) {
  if (array.values.allFinite()) return absl::OkStatus();
  for (Eigen::Index i = 0; i < array.values.rows(); ++i) {
    for (Eigen::Index j = 0; j < array.values.cols(); ++j) {
      if (std::isfinite(array.values(i, j))) continue;
      return absl::InvalidArgumentError(absl::StrCat(array.name, ": [", i, ", ", j,
                                                     "] is ", array.values(i, j),
                                                     "; expected finite responses"));
    }
  }
  return absl::OkStatus();
}

using RowOfId = std::unordered_map<std::string, Eigen::Index>;

absl::StatusOr<RowOfId> RowsById(const ResponseArray& array) {
  RowOfId rows;
  for (size_t i = 0; i < array.stimulus_ids.size(); ++i) {
    if (rows.emplace(array.stimulus_ids[i], static_cast<Eigen::Index>(i)).second)
      continue;
    return absl::InvalidArgumentError(absl::StrCat(
        array.name, ": stimulus id \"", array.stimulus_ids[i], "\" occurs twice"));
  }
  return rows;
}

absl::Status CheckHasAll(const ResponseArray& wanted, const ResponseArray& array,
                         const RowOfId& rows) {
  for (const std::string& id : wanted.stimulus_ids) {
    if (rows.count(id) > 0) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(wanted.name, " has ", wanted.values.rows(), " stimuli, ", array.name,
                     " has ", array.values.rows(), " (first missing there: \"", id,
                     "\"); expected responses to the same stimuli"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ResponseArray> ReadArray(const std::string& place) {
  IAT_ASSIGN_OR_RETURN(const Source source, FindFile(place));
  IAT_ASSIGN_OR_RETURN(ResponseArray array, ReadAny(source));
  array.name = place;
  if (array.values.size() == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(place, ": has shape (", array.values.rows(), ", ",
                     array.values.cols(), "): no responses"));
  }
  IAT_RETURN_IF_ERROR(CheckFinite(array));
  IAT_RETURN_IF_ERROR(RowsById(array).status());
  return array;
}

absl::Status MatchStimuli(const ResponseArray& source, ResponseArray& target) {
  if (source.stimulus_ids.empty() || target.stimulus_ids.empty()) {
    if (source.values.rows() == target.values.rows()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        source.name, " has ", source.values.rows(), " stimuli, ", target.name, " has ",
        target.values.rows(), "; expected responses to the same stimuli"));
  }
  IAT_ASSIGN_OR_RETURN(const RowOfId of_source, RowsById(source));
  IAT_ASSIGN_OR_RETURN(const RowOfId of_target, RowsById(target));
  IAT_RETURN_IF_ERROR(CheckHasAll(source, target, of_target));
  IAT_RETURN_IF_ERROR(CheckHasAll(target, source, of_source));
  std::vector<Eigen::Index> rows;
  for (const std::string& id : source.stimulus_ids) rows.push_back(of_target.at(id));
  target.values = target.values(rows, Eigen::all).eval();
  target.stimulus_ids = source.stimulus_ids;
  return absl::OkStatus();
}

}  // namespace iat
