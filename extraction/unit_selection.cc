#include "extraction/unit_selection.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "base/status.h"

namespace iat {
namespace {

// Every channel at rows and columns [top, top + rows) x [left, left + columns).
UnitCoordinates Rectangle(const LayerGeometry& layer, int64_t top, int64_t left,
                          int64_t rows, int64_t columns) {
  UnitCoordinates units;
  for (int64_t channel = 0; channel < layer.channels; ++channel) {
    for (int64_t row = top; row < top + rows; ++row) {
      for (int64_t column = left; column < left + columns; ++column) {
        units.channel.push_back(static_cast<int32_t>(channel));
        units.row.push_back(static_cast<int32_t>(row));
        units.column.push_back(static_cast<int32_t>(column));
      }
    }
  }
  return units;
}

UnitCoordinates WholeLayer(const LayerGeometry& layer) {
  if (layer.side == 0) return Rectangle(layer, -1, -1, 1, 1);
  return Rectangle(layer, 0, 0, layer.side, layer.side);
}

UnitCoordinates Sample(const LayerGeometry& layer, const ExtractionOptions& options) {
  const UnitCoordinates all = WholeLayer(layer);
  const int64_t n = static_cast<int64_t>(all.channel.size());
  if (n <= options.num_units) return all;
  RandomStream stream(options.sample_seed, absl::StrCat("sample_units ", layer.layer));
  std::vector<int64_t> chosen = stream.Permutation(n);
  chosen.resize(options.num_units);
  std::sort(chosen.begin(), chosen.end());
  UnitCoordinates units;
  for (const int64_t unit : chosen) {
    units.channel.push_back(all.channel[unit]);
    units.row.push_back(all.row[unit]);
    units.column.push_back(all.column[unit]);
  }
  return units;
}

// Where a window of `size` around `center` starts in a map.
absl::StatusOr<int64_t> WindowStart(const LayerGeometry& layer, const char* key,
                                    int64_t center, int64_t size) {
  if (size >= layer.side) return 0;
  if (center < 0) center = layer.side / 2;
  const int64_t start = center - size / 2;
  if (start >= 0 && start + size <= layer.side) return start;
  const std::string has =
      absl::StrCat(layer.layer, " has ", key, "s 0 to ", layer.side - 1);
  if (size == 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("extraction.", key, " is ", center, "; ", has));
  }
  return absl::InvalidArgumentError(absl::StrCat("extraction.", key, " is ", center,
                                                 ": a patch of ", size,
                                                 " around it does not fit: ", has));
}

}  // namespace

absl::StatusOr<UnitCoordinates> SelectUnits(const LayerGeometry& layer,
                                            const ExtractionOptions& options) {
  if (options.scope == "sample") return Sample(layer, options);
  if (options.scope == "layer" || layer.side == 0) return WholeLayer(layer);
  const int64_t size = options.scope == "patch" ? options.patch_size : 1;
  IAT_ASSIGN_OR_RETURN(const int64_t top, WindowStart(layer, "row", options.row, size));
  IAT_ASSIGN_OR_RETURN(const int64_t left,
                       WindowStart(layer, "column", options.column, size));
  const int64_t side = std::min(size, layer.side);
  return Rectangle(layer, top, left, side, side);
}

std::vector<FieldVariable> ReceptiveFields(const LayerGeometry& layer,
                                           const UnitCoordinates& units) {
  std::vector<FieldVariable> fields = {
      {"rf_row", "receptive field: centre, row in input pixels", {}},
      {"rf_column", "receptive field: centre, column in input pixels", {}},
      {"rf_size",
       "receptive field: side in input pixels, not cut at the picture's edge",
       {}},
      {"rf_first_row", "first row of the picture that reaches the unit", {}},
      {"rf_last_row", "last row of the picture that reaches the unit", {}},
      {"rf_first_column", "first column of the picture that reaches the unit", {}},
      {"rf_last_column", "last column of the picture that reaches the unit", {}}};
  const auto center = [&](int64_t position) {
    return layer.first_center + static_cast<double>(position * layer.jump);
  };
  for (size_t u = 0; u < units.channel.size(); ++u) {
    const int64_t row = std::max(units.row[u], 0), column = std::max(units.column[u], 0);
    fields[0].values.push_back(center(row));
    fields[1].values.push_back(center(column));
    fields[2].values.push_back(static_cast<double>(layer.field_side));
    fields[3].values.push_back(static_cast<double>(layer.seen[row].first));
    fields[4].values.push_back(static_cast<double>(layer.seen[row].second));
    fields[5].values.push_back(static_cast<double>(layer.seen[column].first));
    fields[6].values.push_back(static_cast<double>(layer.seen[column].second));
  }
  return fields;
}

}  // namespace iat
