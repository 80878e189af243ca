#include "similarity/netcdf_matrix.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/netcdf.h"
#include "base/status.h"

namespace iat {
namespace {

// A variable within its group. Everything here is called with NetcdfMutex() held.
struct Place {
  int group = -1, variable = -1;
};

bool IsNumber(nc_type type) {
  return type == NC_BYTE || type == NC_UBYTE || (type >= NC_SHORT && type <= NC_DOUBLE) ||
         (type >= NC_USHORT && type <= NC_UINT64);
}

std::vector<size_t> Shape(const Place& place) {
  int num_dimensions = 0;
  nc_inq_varndims(place.group, place.variable, &num_dimensions);
  std::vector<int> dimensions(num_dimensions);
  nc_inq_vardimid(place.group, place.variable, dimensions.data());
  std::vector<size_t> shape(num_dimensions, 0);
  for (int d = 0; d < num_dimensions; ++d) {
    nc_inq_dimlen(place.group, dimensions[d], &shape[d]);
  }
  return shape;
}

bool IsMatrix(const Place& place) {
  nc_type type = NC_NAT;
  nc_inq_vartype(place.group, place.variable, &type);
  return IsNumber(type) && Shape(place).size() == 2;
}

// Names of all matrices of numbers below a group, as they are asked for.
void ListMatrices(int group, const std::string& prefix, std::vector<std::string>& names) {
  std::array<char, NC_MAX_NAME + 1> name{};
  int count = 0;
  nc_inq_varids(group, &count, nullptr);
  std::vector<int> variables(count);
  nc_inq_varids(group, &count, variables.data());
  for (const int variable : variables) {
    if (!IsMatrix({group, variable})) continue;
    nc_inq_varname(group, variable, name.data());
    names.push_back(absl::StrCat(prefix, name.data()));
  }
  nc_inq_grps(group, &count, nullptr);
  std::vector<int> groups(count);
  nc_inq_grps(group, &count, groups.data());
  for (const int inner : groups) {
    nc_inq_grpname(inner, name.data());
    ListMatrices(inner, absl::StrCat(prefix, name.data(), "/"), names);
  }
}

absl::StatusOr<Place> Find(const NetcdfFile& file, std::string variable) {
  std::vector<std::string> names;
  ListMatrices(file.id(), "", names);
  const std::string held = names.empty()
                               ? "it holds no matrix of numbers"
                               : absl::StrCat("it holds ", absl::StrJoin(names, ", "));
  if (variable.empty()) {
    if (names.size() != 1) {
      return absl::InvalidArgumentError(absl::StrCat(
          file.path().string(), ": which variable? Give FILE:VARIABLE; ", held));
    }
    variable = names.front();
  }
  variable = std::string(absl::StripPrefix(variable, "/"));
  const size_t slash = variable.rfind('/');
  Place place{file.id(), -1};
  int code = NC_NOERR;
  if (slash != std::string::npos) {
    code =
        nc_inq_grp_full_ncid(file.id(), variable.substr(0, slash).c_str(), &place.group);
  }
  const std::string leaf = slash == variable.npos ? variable : variable.substr(slash + 1);
  if (code == NC_NOERR) code = nc_inq_varid(place.group, leaf.c_str(), &place.variable);
  if (code != NC_NOERR) {
    return absl::NotFoundError(
        absl::StrCat(file.path().string(), ": no variable ", variable, "; ", held));
  }
  return place;
}

absl::Status CheckIsMatrix(const std::string& name, const Place& place) {
  nc_type type = NC_NAT;
  nc_inq_vartype(place.group, place.variable, &type);
  if (!IsNumber(type)) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": holds no numbers; expected floats or integers"));
  }
  const std::vector<size_t> shape = Shape(place);
  if (shape.size() == 2) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(name, ": has shape (", absl::StrJoin(shape, ", "),
                   "); expected 2 dimensions, stimuli x units"));
}

// A single number that is an attribute, or `otherwise`.
double NumberAttribute(const Place& place, const char* name, double otherwise) {
  size_t length = 0;
  nc_type type = NC_NAT;
  if (nc_inq_att(place.group, place.variable, name, &type, &length) != NC_NOERR) {
    return otherwise;
  }
  if (length != 1 || !IsNumber(type)) return otherwise;
  double value = otherwise;
  nc_get_att_double(place.group, place.variable, name, &value);
  return value;
}

absl::Status ReadValues(const NetcdfFile& file, const std::string& name,
                        const Place& place, Eigen::MatrixXd& values) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<size_t> shape = Shape(place);
  values.resize(static_cast<Eigen::Index>(shape[0]), static_cast<Eigen::Index>(shape[1]));
  const double missing = NumberAttribute(place, "_FillValue", kNan);
  const double scale = NumberAttribute(place, "scale_factor", 1.0);
  const double offset = NumberAttribute(place, "add_offset", 0.0);
  // About 16 MB at a time, which our columns are filled from.
  const size_t band =
      std::max<size_t>(1, (size_t{1} << 21) / std::max<size_t>(shape[1], 1));
  Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> rows;
  for (size_t first = 0; first < shape[0]; first += band) {
    const size_t count = std::min(band, shape[0] - first);
    rows.resize(static_cast<Eigen::Index>(count), values.cols());
    const size_t start[] = {first, 0}, counts[] = {count, shape[1]};
    const int code =
        nc_get_vara_double(place.group, place.variable, start, counts, rows.data());
    if (code == NC_EHDFERR) {
      return absl::DataLossError(absl::StrCat(name, ": damaged or cut short"));
    }
    IAT_RETURN_IF_ERROR(file.Check(code, name));
    // NaN never equals itself, so without _FillValue nothing is missing.
    rows = (rows.array() == missing).select(kNan, rows);
    if (scale != 1.0 || offset != 0.0) rows = (rows.array() * scale + offset).matrix();
    values.middleRows(static_cast<Eigen::Index>(first), rows.rows()) = rows;
  }
  return absl::OkStatus();
}

// The coordinate stimulus_id of the variable's first dimension, or none.
std::vector<std::string> ReadStimulusIds(const Place& place) {
  int ids = -1;
  int count = 0;
  nc_type type = NC_NAT;
  if (nc_inq_varid(place.group, "stimulus_id", &ids) != NC_NOERR) return {};
  nc_inq_vartype(place.group, ids, &type);
  nc_inq_varndims(place.group, ids, &count);
  if (type != NC_STRING || count != 1) return {};
  int of_ids = -1;
  std::array<int, 2> of_matrix{};
  nc_inq_vardimid(place.group, ids, &of_ids);
  nc_inq_vardimid(place.group, place.variable, of_matrix.data());
  if (of_ids != of_matrix[0]) return {};
  std::vector<char*> pointers(Shape({place.group, ids})[0], nullptr);
  std::vector<std::string> names;
  if (nc_get_var_string(place.group, ids, pointers.data()) != NC_NOERR) return {};
  for (const char* pointer : pointers) names.emplace_back(pointer ? pointer : "");
  nc_free_string(pointers.size(), pointers.data());
  return names;
}

}  // namespace

absl::StatusOr<NetcdfMatrix> ReadNetcdfMatrix(const std::string& path,
                                              const std::string& variable) {
  IAT_ASSIGN_OR_RETURN(const NetcdfFile file, NetcdfFile::Open(path));
  const std::lock_guard<std::mutex> lock(NetcdfMutex());
  IAT_ASSIGN_OR_RETURN(const Place place, Find(file, variable));
  const std::string name = variable.empty() ? path : absl::StrCat(path, ":", variable);
  IAT_RETURN_IF_ERROR(CheckIsMatrix(name, place));
  NetcdfMatrix matrix;
  IAT_RETURN_IF_ERROR(ReadValues(file, name, place, matrix.values));
  matrix.stimulus_ids = ReadStimulusIds(place);
  return matrix;
}

}  // namespace iat
