#include "models/weight_import.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "models/safetensors.h"
#include "models/state_dict_file.h"
#include "models/torch.h"

namespace iat {
namespace {

using Dictionary = StateDictFile::Dictionary;

// Every architecture begins with this tensor; its name shows the prefix.
constexpr char kFirstWeight[] = "features.0.weight";
constexpr double kFirstChannels = 64.0;
// The widest layer tells the width most exactly.
constexpr char kWidestWeight[] = "classifier.1.weight";
constexpr double kWidestUnits = 4096.0;
constexpr double kLargestWidth = 8.0;

constexpr size_t kMostListed = 5;

// What people call the dictionary that matters, best first.
constexpr const char* kUsualPlaces[] = {
    "", "state_dict", "model_state_dict", "model", "network", "net", "weights"};

size_t Rank(const std::string& place) {
  return std::find(std::begin(kUsualPlaces), std::end(kUsualPlaces), place) -
         std::begin(kUsualPlaces);
}

std::string PlaceText(const std::string& place) {
  return place.empty() ? "its top level" : absl::StrCat("\"", place, "\"");
}

std::string SizesText(const std::vector<int64_t>& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

std::string FirstOf(std::vector<std::string> names, absl::string_view separator) {
  const size_t count = names.size();
  names.resize(std::min(count, kMostListed));
  return absl::StrCat(absl::StrJoin(names, separator),
                      count > kMostListed
                          ? absl::StrCat(separator, "and ", count - kMostListed, " more")
                          : "");
}

bool IsCounter(const std::string& name) {
  return absl::EndsWith(name, ".num_batches_tracked");
}

std::string TypeName(torch::ScalarType type) {
  switch (type) {
    case torch::kFloat16:
      return "float16";
    case torch::kBFloat16:
      return "bfloat16";
    case torch::kFloat32:
      return "float32";
    case torch::kFloat64:
      return "float64";
    default:
      return std::string(c10::toString(type));
  }
}

struct Source {
  std::vector<Dictionary> dictionaries;
  std::map<std::string, std::string> metadata;
};

absl::StatusOr<Source> ReadSource(const std::filesystem::path& path) {
  Source source;
  if (absl::EndsWithIgnoreCase(path.string(), ".safetensors")) {
    IAT_ASSIGN_OR_RETURN(TensorFile file, ReadTensors(path));
    source.dictionaries.push_back(
        {.place = "", .tensors = {file.tensors.begin(), file.tensors.end()}});
    source.metadata = std::move(file.metadata);
    source.metadata.erase("sha256");
    source.metadata.erase("header_sha256");
  } else {
    IAT_ASSIGN_OR_RETURN(StateDictFile file, ReadStateDictFile(path));
    source.dictionaries = std::move(file.dictionaries);
  }
  return source;
}

// One way to read a dictionary as a network.
struct Fit {
  const Dictionary* dictionary = nullptr;
  std::map<std::string, torch::Tensor> tensors;  // by the file's names
  std::string prefix;
  ModelOptions model;
  std::map<std::string, std::vector<int64_t>> shapes;
  std::vector<std::string> problems;

  auto Order() const {
    return std::make_tuple(problems.size(), Rank(dictionary->place), prefix.size());
  }
};

void FindProblems(Fit& fit) {
  for (const auto& [name, shape] : fit.shapes) {
    const std::string full = fit.prefix + name;
    const auto found = fit.tensors.find(full);
    if (found == fit.tensors.end()) {
      if (!IsCounter(name))
        fit.problems.push_back(absl::StrCat("\"", full, "\" is missing"));
      continue;
    }
    const std::vector<int64_t> has = found->second.sizes().vec();
    if (has != shape) {
      fit.problems.push_back(absl::StrCat("\"", full, "\" has shape ", SizesText(has),
                                          "; expected ", SizesText(shape)));
    } else if (!IsCounter(name) && !found->second.is_floating_point()) {
      fit.problems.push_back(absl::StrCat("\"", full, "\" holds ",
                                          TypeName(found->second.scalar_type()),
                                          "; expected floating-point numbers"));
    }
  }
}

std::vector<double> Widths(const Fit& fit,
                           const std::map<std::string, std::string>& metadata) {
  std::vector<double> widths;
  // A width that was noted is exact; what shapes tell is rounded to whole units.
  double noted = 0.0;
  if (const auto found = metadata.find("width");
      found != metadata.end() && absl::SimpleAtod(found->second, &noted)) {
    widths.push_back(noted);
  }
  for (const auto& [name, units] : {std::pair{kWidestWeight, kWidestUnits},
                                    std::pair{kFirstWeight, kFirstChannels}}) {
    const auto found = fit.tensors.find(fit.prefix + name);
    if (found == fit.tensors.end() || found->second.dim() == 0) continue;
    widths.push_back(static_cast<double>(found->second.size(0)) / units);
  }
  std::erase_if(widths, [](double w) { return !(w > 0.0 && w <= kLargestWidth); });
  return widths;
}

absl::StatusOr<std::vector<Fit>> FindFits(const Dictionary& dictionary,
                                          const Source& source) {
  std::vector<Fit> fits;
  const std::map<std::string, torch::Tensor> tensors(dictionary.tensors.begin(),
                                                     dictionary.tensors.end());
  for (const auto& [key, unused] : dictionary.tensors) {
    if (!absl::EndsWith(key, kFirstWeight)) continue;
    Fit start;
    start.dictionary = &dictionary;
    start.tensors = tensors;
    start.prefix = key.substr(0, key.size() - std::string(kFirstWeight).size());
    if (!start.prefix.empty() && start.prefix.back() != '.') continue;
    for (const std::string& architecture : ArchitectureNames()) {
      for (const double width : Widths(start, source.metadata)) {
        Fit fit = start;
        fit.model = {.architecture = architecture, .width = width};
        IAT_ASSIGN_OR_RETURN(fit.shapes, StateShapes(fit.model));
        FindProblems(fit);
        fits.push_back(std::move(fit));
        if (fits.back().problems.empty()) break;
      }
    }
  }
  return fits;
}

absl::StatusOr<Fit> BestFit(const Source& source, const std::string& place,
                            const std::string& name,
                            std::vector<std::string>& other_places) {
  std::vector<Fit> fits;
  std::vector<std::string> places, some_names;
  for (const Dictionary& dictionary : source.dictionaries) {
    places.push_back(PlaceText(dictionary.place));
    if (!place.empty() && place != dictionary.place) continue;
    for (const auto& [key, unused] : dictionary.tensors) some_names.push_back(key);
    IAT_ASSIGN_OR_RETURN(std::vector<Fit> more, FindFits(dictionary, source));
    std::move(more.begin(), more.end(), std::back_inserter(fits));
  }
  if (some_names.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": no tensors at \"", place,
                                                   "\"; there are some at ",
                                                   absl::StrJoin(places, ", ")));
  }
  if (fits.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": not an AlexNet: no tensor's name ends in ", kFirstWeight,
                     "; it holds ", FirstOf(some_names, ", ")));
  }
  // Stable: among equals the first in the file, such as MoCo's encoder_q.
  std::stable_sort(fits.begin(), fits.end(),
                   [](const Fit& a, const Fit& b) { return a.Order() < b.Order(); });
  Fit& best = fits.front();
  if (!best.problems.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, ": fits no architecture; the nearest is ", best.model.Name(), " at ",
        PlaceText(best.dictionary->place),
        best.prefix.empty() ? "" : absl::StrCat(" behind \"", best.prefix, "\""), ": ",
        FirstOf(best.problems, "; ")));
  }
  for (const Fit& fit : fits) {
    if (fit.problems.empty() && fit.dictionary != best.dictionary) {
      other_places.push_back(fit.dictionary->place);
    }
  }
  return std::move(best);
}

}  // namespace

std::string ImportedWeights::Text() const {
  std::string text = absl::StrCat(model.Name(), ", ", state.size(), " tensors\n");
  if (!place.empty()) absl::StrAppend(&text, "taken from \"", place, "\" in the file\n");
  if (!other_places.empty()) {
    absl::StrAppend(&text,
                    "fitting as well, not taken: ", absl::StrJoin(other_places, ", "),
                    " (--key chooses)\n");
  }
  if (!prefix.empty()) absl::StrAppend(&text, "prefix \"", prefix, "\" taken off\n");
  for (const auto& [type, count] : converted) {
    absl::StrAppend(&text, count, " tensors of ", type, " converted to float32\n");
  }
  if (!filled_in.empty()) {
    absl::StrAppend(&text, filled_in.size(),
                    " missing batch counters set to 0 (nothing depends on them)\n");
  }
  if (!left_over.empty()) {
    absl::StrAppend(
        &text, left_over.size(),
        " tensors left over, not part of the network: ", FirstOf(left_over, ", "), "\n");
  }
  return text;
}

absl::StatusOr<ImportedWeights> ImportWeights(const std::filesystem::path& path,
                                              const std::string& place) {
  IAT_ASSIGN_OR_RETURN(const Source source, ReadSource(path));
  ImportedWeights weights;
  IAT_ASSIGN_OR_RETURN(const Fit fit,
                       BestFit(source, place, path.string(), weights.other_places));
  weights.model = fit.model;
  weights.place = fit.dictionary->place;
  weights.prefix = fit.prefix;
  weights.metadata = source.metadata;
  std::vector<std::string> not_finite;
  for (const auto& [name, shape] : fit.shapes) {
    const auto found = fit.tensors.find(fit.prefix + name);
    if (found == fit.tensors.end()) {
      weights.filled_in.push_back(name);
      weights.state[name] = torch::zeros(shape, torch::kInt64);
      continue;
    }
    const torch::ScalarType type = IsCounter(name) ? torch::kInt64 : torch::kFloat32;
    if (found->second.scalar_type() != type && !IsCounter(name)) {
      ++weights.converted[TypeName(found->second.scalar_type())];
    }
    weights.state[name] =
        found->second.to(type, /*non_blocking=*/false, /*copy=*/true).contiguous();
    if (!torch::isfinite(weights.state[name]).all().item<bool>()) {
      not_finite.push_back(absl::StrCat("\"", found->first, "\""));
    }
  }
  if (!not_finite.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path.string(), ": values that are not finite in float32 in ",
                     FirstOf(not_finite, ", ")));
  }
  for (const auto& [name, unused] : fit.dictionary->tensors) {
    if (!absl::StartsWith(name, fit.prefix) ||
        !fit.shapes.contains(name.substr(fit.prefix.size()))) {
      weights.left_over.push_back(name);
    }
  }
  return weights;
}

}  // namespace iat
