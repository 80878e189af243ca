#include "similarity/compare_world.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/fingerprint.h"
#include "base/random.h"
#include "base/status.h"

namespace iat {
namespace {

// Raised when a change of the engine changes results, so that old parts are redone.
constexpr int kEngineVersion = 6;
// The same for mappings other than ridge and LogisticRidge, whose cells alone it
// concerns.
constexpr int kOtherMappingsVersion = 3;

bool Contains(const std::vector<int64_t>& values, int64_t value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

// The animals of one family, as places in CompareWorld::animals.
struct Family {
  std::vector<size_t> sources, targets;
};

// Names what of `ids` is not in `other`, in the words that every mismatch uses.
absl::Status SameStimuli(const ActivationFile& first, const ActivationFile& other) {
  const auto missing = [](const ActivationFile& a,
                          const ActivationFile& b) -> std::string {
    const std::set<std::string> have(b.stimulus_ids().begin(), b.stimulus_ids().end());
    for (const std::string& id : a.stimulus_ids()) {
      if (have.count(id) == 0) return id;
    }
    return "";
  };
  std::string id = missing(first, other);
  if (id.empty()) id = missing(other, first);
  const bool same_images =
      first.metadata().stimuli_sha256 == other.metadata().stimuli_sha256;
  if (id.empty() && same_images) return absl::OkStatus();
  if (id.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        other.path().string(), ": the stimulus set's SHA-256 is ",
        other.metadata().stimuli_sha256, ", that of ", first.path().string(), " is ",
        first.metadata().stimuli_sha256, "; extract both with the same stimulus list"));
  }
  return absl::InvalidArgumentError(
      absl::StrCat(other.path().string(), ": ", first.metadata().animal, " has ",
                   first.stimulus_ids().size(), " stimuli, ", other.metadata().animal,
                   " has ", other.stimulus_ids().size(), " (first missing: \"", id,
                   "\"); extract both with the same stimulus list"));
}

// One file of each animal that takes part, in order.
absl::StatusOr<std::vector<size_t>> LoadFiles(
    const std::vector<std::filesystem::path>& paths, const CompareOptions& options,
    std::set<std::string>& names, CompareWorld& world) {
  const int64_t available = static_cast<int64_t>(paths.size());
  if (options.pairs_from > available) {
    return absl::InvalidArgumentError(absl::StrCat("compare.pairs_from is ",
                                                   options.pairs_from, ", but there are ",
                                                   available, " animals"));
  }
  const int64_t count = options.pairs_from > 0 ? options.pairs_from : available;
  if (count < 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("a comparison needs at least 2 animals; there are ", count));
  }
  std::vector<size_t> members;
  for (int64_t i = 0; i < count; ++i) {
    IAT_ASSIGN_OR_RETURN(ActivationFile file, ActivationFile::Open(paths[i]));
    IAT_ASSIGN_OR_RETURN(std::string sha256, Sha256OfFile(paths[i]));
    if (!names.insert(file.metadata().animal).second) {
      return absl::InvalidArgumentError(absl::StrCat(
          paths[i].string(), ": animal \"", file.metadata().animal, "\" occurs twice"));
    }
    if (!world.animals.empty()) {
      IAT_RETURN_IF_ERROR(SameStimuli(world.animals.front().file, file));
    }
    if (!members.empty()) {
      IAT_RETURN_IF_ERROR(SameFamily(world.animals[members.front()].file, file));
    }
    members.push_back(world.animals.size());
    world.animals.push_back({std::move(file), std::move(sha256), {}});
  }
  return members;
}

absl::StatusOr<std::vector<Family>> LoadAnimals(const CompareInput& input,
                                                const CompareOptions& options,
                                                CompareWorld& world) {
  if (!input.target_families.empty() &&
      input.target_families.size() != input.families.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("there are ", input.target_families.size(),
                     " families of targets for ", input.families.size(), " of sources"));
  }
  std::vector<Family> families;
  std::set<std::string> source_names, target_names;
  for (size_t f = 0; f < input.families.size(); ++f) {
    Family& family = families.emplace_back();
    IAT_ASSIGN_OR_RETURN(family.sources,
                         LoadFiles(input.families[f], options, source_names, world));
    family.targets = family.sources;
    if (input.target_families.empty()) continue;
    IAT_ASSIGN_OR_RETURN(family.targets, LoadFiles(input.target_families[f], options,
                                                   target_names, world));
    for (size_t i = 0; i < family.sources.size(); ++i) {
      const ComparedAnimal& source = world.animals[family.sources[i]];
      const ComparedAnimal& target = world.animals[family.targets[i]];
      if (source.name() != target.name()) {
        return absl::InvalidArgumentError(
            absl::StrCat(target.file.path().string(), ": is of ", target.name(),
                         "; expected ", source.name(), ", as among the sources"));
      }
    }
  }
  if (world.animals.empty()) return absl::InvalidArgumentError("no activation files");
  world.stimulus_ids = world.animals.front().file.stimulus_ids();
  for (ComparedAnimal& animal : world.animals) {
    std::unordered_map<std::string, int64_t> row;
    for (size_t i = 0; i < animal.file.stimulus_ids().size(); ++i) {
      row.emplace(animal.file.stimulus_ids()[i], static_cast<int64_t>(i));
    }
    for (const std::string& id : world.stimulus_ids) {
      animal.row_of_stimulus.push_back(row.at(id));
    }
  }
  return families;
}

std::string CellFingerprint(const CompareWorld& world, const CompareCell& cell,
                            const CompareOptions& options, absl::string_view stimuli) {
  // Only what the cell's own mappings read.
  std::string text = absl::StrCat(
      "engine ", kEngineVersion, "\nstimuli ", stimuli, "\nsource ",
      world.animals[cell.source].sha256, "\ntarget ", world.animals[cell.target].sha256,
      "\ntaps ", cell.source_tap.Name(), " ", cell.target_tap.Name(), "\nsplit ",
      cell.split_seed, " ", options.num_fit_stimuli, " ", options.num_test_stimuli,
      "\npermuted ", cell.permuted, "\nunits ", absl::StrJoin(cell.units, " "),
      "\nmappings ", absl::StrJoin(cell.mappings, " "), "\n",
      OptionsText(options.mapping.ridge));
  if (cell.permuted) absl::StrAppend(&text, "sample_seed ", options.sample_seed, "\n");
  if (std::any_of(cell.mappings.begin(), cell.mappings.end(), IsLogisticMapping)) {
    absl::StrAppend(&text, OptionsText(options.mapping.logistic_ridge));
  }
  const bool has_others = std::any_of(
      cell.mappings.begin(), cell.mappings.end(), [](const std::string& name) {
        return name != "ridge" && name != "ridge_clamped" && !IsLogisticMapping(name);
      });
  if (has_others) {
    absl::StrAppend(&text, "other mappings ", kOtherMappingsVersion, "\n",
                    OptionsText(options.mapping));
  }
  return Sha256(text);
}

// The mappings that accept targets of this stage, split into cheap and logistic.
absl::Status SortMappings(const CompareOptions& options, Stage target,
                          std::vector<std::string>& cheap,
                          std::vector<std::string>& logistic) {
  for (const std::string& name : options.mappings) {
    IAT_ASSIGN_OR_RETURN(const std::unique_ptr<Mapping> mapping,
                         MakeMapping(name, options.mapping));
    if (!mapping->CheckTargetStage(target).ok()) continue;
    (IsLogisticMapping(name) ? logistic : cheap).push_back(name);
  }
  return absl::OkStatus();
}

std::vector<std::string> PermutedMappings(const std::vector<std::string>& mappings) {
  std::vector<std::string> kept;
  for (const std::string& name : mappings) {
    if (name == "ridge" || name == "logistic_ridge") kept.push_back(name);
  }
  return kept;
}

// All cells of one pair of taps on a split.
absl::Status AddCells(const CompareOptions& options, absl::string_view stimuli,
                      CompareCell prototype, CompareWorld& world,
                      std::vector<size_t>& group) {
  const ComparedAnimal& target = world.animals[prototype.target];
  const Tap& tap = prototype.target_tap;
  IAT_ASSIGN_OR_RETURN(const int64_t num_units, NumUnits(target.file, tap.layer));
  std::vector<int64_t> all(num_units);
  std::iota(all.begin(), all.end(), 0);
  const std::string purpose =
      absl::StrCat("target units/", target.name(), "/", tap.layer);
  all =
      SampleUnits(std::move(all), options.max_target_units, options.sample_seed, purpose);
  const std::vector<int64_t> capped =
      SampleUnits(all, options.logistic_max_target_units, options.sample_seed,
                  absl::StrCat("logistic ", purpose));

  std::vector<std::string> cheap, logistic;
  IAT_RETURN_IF_ERROR(SortMappings(options, tap.stage, cheap, logistic));
  const std::vector<int64_t>& logistic_splits = options.logistic_split_seeds.empty()
                                                    ? options.split_seeds
                                                    : options.logistic_split_seeds;
  const bool with_logistic =
      !logistic.empty() && Contains(logistic_splits, prototype.split_seed);
  std::vector<std::string> both = cheap;
  both.insert(both.end(), logistic.begin(), logistic.end());

  std::vector<std::pair<std::vector<int64_t>, std::vector<std::string>>> sets;
  if (with_logistic && capped.size() == all.size()) {
    sets.push_back({all, both});
  } else {
    sets.push_back({all, cheap});
    if (with_logistic) sets.push_back({capped, both});
  }
  const bool with_permuted =
      options.permuted && (options.permuted_split_seeds.empty() ||
                           Contains(options.permuted_split_seeds, prototype.split_seed));
  for (const auto& [units, mappings] : sets) {
    for (const bool permuted : {false, true}) {
      if (permuted && !with_permuted) continue;
      CompareCell cell = prototype;
      cell.units = units;
      cell.permuted = permuted;
      cell.mappings = permuted ? PermutedMappings(mappings) : mappings;
      if (cell.mappings.empty()) continue;
      cell.fingerprint = CellFingerprint(world, cell, options, stimuli);
      group.push_back(world.cells.size());
      world.cells.push_back(std::move(cell));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> FamilyLayers(const CompareOptions& options,
                                                      const ActivationFile& file) {
  std::vector<std::string> layers;
  for (const Tap& tap : file.taps()) {
    if (std::find(layers.begin(), layers.end(), tap.layer) == layers.end()) {
      layers.push_back(tap.layer);
    }
  }
  if (options.layers.empty()) return layers;
  for (const std::string& layer : options.layers) {
    if (std::find(layers.begin(), layers.end(), layer) == layers.end()) {
      return absl::NotFoundError(absl::StrCat(file.path().string(), ": no layer \"",
                                              layer, "\"; it holds ",
                                              absl::StrJoin(layers, ", ")));
    }
  }
  return options.layers;
}

// Every member has this tap, with as many units as the first.
absl::Status CheckTap(const CompareWorld& world, const std::vector<size_t>& members,
                      const Tap& tap) {
  const ActivationFile& first = world.animals[members.front()].file;
  for (const size_t member : members) {
    const ActivationFile& file = world.animals[member].file;
    if (!file.Has(tap)) {
      return absl::NotFoundError(absl::StrCat(file.path().string(), ": no ", tap.Name()));
    }
    IAT_ASSIGN_OR_RETURN(const int64_t expected, NumUnits(first, tap.layer));
    IAT_ASSIGN_OR_RETURN(const int64_t found, NumUnits(file, tap.layer));
    if (expected != found) {
      return absl::InvalidArgumentError(
          absl::StrCat(file.path().string(), ": ", tap.layer, " has ", found,
                       " units, that of ", first.path().string(), " has ", expected,
                       "; animals of one family must agree"));
    }
  }
  return absl::OkStatus();
}

// The cells of one source animal, tap, stage pair and split, onto every target layer
// that it is paired with and every other animal.
absl::Status AddGroup(const CompareOptions& options, const CompareInput& input,
                      const Family& family, size_t source,
                      const std::vector<std::string>& target_layers, Stage target_stage,
                      const CompareCell& prototype, CompareWorld& world) {
  std::vector<size_t> group;
  for (const std::string& layer : target_layers) {
    for (size_t t = 0; t < family.targets.size(); ++t) {
      if (t == source || (t < source && !options.both_directions)) continue;
      CompareCell cell = prototype;
      cell.source = family.sources[source];
      cell.target = family.targets[t];
      cell.target_tap = {layer, target_stage};
      IAT_RETURN_IF_ERROR(
          AddCells(options, input.stimuli, std::move(cell), world, group));
    }
  }
  if (!group.empty()) world.groups.push_back(std::move(group));
  return absl::OkStatus();
}

absl::Status AddFamily(const CompareOptions& options, const CompareInput& input,
                       const std::vector<StagePair>& stages, const Family& family,
                       CompareWorld& world) {
  IAT_ASSIGN_OR_RETURN(const std::vector<std::string> layers,
                       FamilyLayers(options, world.animals[family.sources.front()].file));
  IAT_ASSIGN_OR_RETURN(const std::vector<LayerPair> pairs,
                       MakeLayerPairs(options, layers));
  for (const auto& [source, target] : pairs) {
    for (const StagePair& pair : stages) {
      IAT_RETURN_IF_ERROR(CheckTap(world, family.sources, {source, pair.source}));
      IAT_RETURN_IF_ERROR(CheckTap(world, family.targets, {target, pair.target}));
    }
  }
  // By source layer first: its activations are then in memory for a short while only.
  for (const std::string& layer : layers) {
    std::vector<std::string> target_layers;
    for (const auto& [source, target] : pairs) {
      if (source == layer) target_layers.push_back(target);
    }
    for (const StagePair& pair : stages) {
      for (const int64_t split_seed : options.split_seeds) {
        CompareCell prototype;
        prototype.source_tap = {layer, pair.source};
        prototype.split_seed = split_seed;
        for (size_t s = 0; s < family.sources.size(); ++s) {
          IAT_RETURN_IF_ERROR(AddGroup(options, input, family, s, target_layers,
                                       pair.target, prototype, world));
        }
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status SameFamily(const ActivationFile& first, const ActivationFile& other) {
  const auto differ = [&](absl::string_view what, absl::string_view a,
                          absl::string_view b) {
    return absl::InvalidArgumentError(absl::StrCat(
        other.path().string(), ": ", what, " is \"", b, "\", that of ",
        first.path().string(), " is \"", a, "\"; animals of one family must agree"));
  };
  const ActivationMetadata &a = first.metadata(), &b = other.metadata();
  if (a.architecture != b.architecture) {
    return differ("architecture", a.architecture, b.architecture);
  }
  if (a.scope != b.scope) return differ("scope", a.scope, b.scope);
  if (a.preprocessing != b.preprocessing) {
    return differ("preprocessing", a.preprocessing, b.preprocessing);
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> NumUnits(const ActivationFile& file, const std::string& layer) {
  IAT_ASSIGN_OR_RETURN(const UnitCoordinates units, file.Units(layer));
  return static_cast<int64_t>(units.channel.size());
}

std::vector<int64_t> SampleUnits(std::vector<int64_t> from, int64_t cap,
                                 int64_t sample_seed, absl::string_view purpose) {
  if (cap <= 0 || cap >= static_cast<int64_t>(from.size())) return from;
  RandomStream stream(sample_seed, purpose);
  stream.Shuffle(from);
  from.resize(cap);
  std::sort(from.begin(), from.end());
  return from;
}

std::string CompareCell::Name(const std::vector<ComparedAnimal>& animals) const {
  std::string taps = source_tap.Name();
  if (source_tap.layer != target_tap.layer) {
    absl::StrAppend(&taps, "->", target_tap.Name());
  } else if (source_tap.stage != target_tap.stage) {
    absl::StrAppend(&taps, "->", StageName(target_tap.stage));
  }
  return absl::StrCat(taps, " ", animals[source].name(), " -> ", animals[target].name(),
                      " split ", split_seed);
}

std::filesystem::path CompareCell::PartPath(
    const std::filesystem::path& scores_folder) const {
  return scores_folder / "parts" / absl::StrCat(fingerprint.substr(0, 32), ".part");
}

const Split& CompareWorld::SplitOf(const CompareCell& cell) const {
  return *std::find_if(splits.begin(), splits.end(), [&](const Split& split) {
    return split.split_seed == cell.split_seed;
  });
}

absl::StatusOr<CompareWorld> MakeCompareWorld(const CompareOptions& options,
                                              const CompareInput& input) {
  IAT_RETURN_IF_ERROR(options.Validate());
  CompareWorld world;
  IAT_ASSIGN_OR_RETURN(const std::vector<Family> families,
                       LoadAnimals(input, options, world));
  for (const int64_t split_seed : options.split_seeds) {
    auto split = MakeSplit(world.stimulus_ids, {.split_seed = split_seed,
                                                .num_fit = options.num_fit_stimuli,
                                                .num_test = options.num_test_stimuli});
    if (!split.ok()) return Annotate(split.status(), input.stimuli);
    world.splits.push_back(*std::move(split));
  }
  std::vector<StagePair> stages;
  for (const std::string& text : options.stages) {
    IAT_ASSIGN_OR_RETURN(stages.emplace_back(), ParseStagePair(text));
  }
  for (const Family& family : families) {
    IAT_RETURN_IF_ERROR(AddFamily(options, input, stages, family, world));
  }
  if (world.cells.empty()) {
    return absl::InvalidArgumentError(
        "nothing to compare: none of compare.mappings accepts targets of compare.stages");
  }
  return world;
}

}  // namespace iat
