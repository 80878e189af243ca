#include "similarity/subsample_world.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <set>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/fingerprint.h"
#include "base/status.h"

namespace iat {
namespace {

// Raised when a change of the engine changes results, so that old parts are redone.
constexpr int kEngineVersion = 5;

// Smallest sizes of the default grids.
constexpr int64_t kFewestStimuli = 8, kFewestUnits = 4;

absl::Status CheckSameStimulusSet(const ActivationFile& first,
                                  const ActivationFile& other) {
  const std::string &a = first.metadata().stimuli_sha256,
                    &b = other.metadata().stimuli_sha256;
  // Sets that differ in their ids may still share stimuli.
  std::set<std::string> ids(first.stimulus_ids().begin(), first.stimulus_ids().end());
  for (const std::string& id : other.stimulus_ids()) ids.erase(id);
  if (a == b || !ids.empty() ||
      first.stimulus_ids().size() != other.stimulus_ids().size()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      other.path().string(), ": the stimulus set's SHA-256 is ", b, ", that of ",
      first.path().string(), " is ", a, "; extract both with the same stimulus list"));
}

absl::Status LoadAnimals(const SubsampleInput& input, SubsampleWorld& world) {
  std::set<std::string> names;
  for (const std::filesystem::path& path : input.animals) {
    IAT_ASSIGN_OR_RETURN(ActivationFile file, ActivationFile::Open(path));
    IAT_ASSIGN_OR_RETURN(std::string sha256, Sha256OfFile(path));
    if (!names.insert(file.metadata().animal).second) {
      return absl::InvalidArgumentError(absl::StrCat(
          path.string(), ": animal \"", file.metadata().animal, "\" occurs twice"));
    }
    if (!world.animals.empty()) {
      IAT_RETURN_IF_ERROR(CheckSameStimulusSet(world.animals.front().file, file));
    }
    world.animals.push_back({std::move(file), std::move(sha256), {}});
  }
  if (world.animals.size() < 2) {
    return absl::InvalidArgumentError(absl::StrCat(
        "subsampling needs at least 2 animals; there are ", world.animals.size()));
  }
  return absl::OkStatus();
}

// The stimuli that all animals have, and where each has them.
absl::Status MatchStimuli(absl::string_view stimuli, SubsampleWorld& world) {
  std::vector<std::unordered_map<std::string, int64_t>> rows(world.animals.size());
  for (size_t a = 0; a < world.animals.size(); ++a) {
    const std::vector<std::string>& ids = world.animals[a].file.stimulus_ids();
    for (size_t i = 0; i < ids.size(); ++i) {
      rows[a].emplace(ids[i], static_cast<int64_t>(i));
    }
  }
  for (const std::string& id : world.animals.front().file.stimulus_ids()) {
    if (std::any_of(rows.begin(), rows.end(),
                    [&](const auto& row) { return row.count(id) == 0; })) {
      continue;
    }
    world.stimulus_ids.push_back(id);
    for (size_t a = 0; a < rows.size(); ++a) {
      world.animals[a].row_of_stimulus.push_back(rows[a].at(id));
    }
  }
  if (!world.stimulus_ids.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(stimuli, ": no stimulus is common to all ", world.animals.size(),
                   " animals; ", world.animals.front().name(), " has \"",
                   world.animals.front().file.stimulus_ids().front(), "\", ..."));
}

// Layers of any animal that are stored at one of the stages, in order of appearance.
absl::StatusOr<std::vector<std::string>> FindLayers(const SubsampleOptions& options,
                                                    const std::vector<Stage>& stages,
                                                    const SubsampleWorld& world) {
  std::vector<std::string> layers;
  for (const ComparedAnimal& animal : world.animals) {
    for (const Tap& tap : animal.file.taps()) {
      if (std::find(stages.begin(), stages.end(), tap.stage) != stages.end() &&
          std::find(layers.begin(), layers.end(), tap.layer) == layers.end()) {
        layers.push_back(tap.layer);
      }
    }
  }
  if (options.layers.empty()) return layers;
  for (const std::string& layer : options.layers) {
    if (std::find(layers.begin(), layers.end(), layer) == layers.end()) {
      return absl::NotFoundError(
          absl::StrCat("subsample.layers has \"", layer, "\"; the animals hold ",
                       absl::StrJoin(layers, ", "), " at subsample.stages (",
                       absl::StrJoin(options.stages, ", "), ")"));
    }
  }
  return options.layers;
}

// The animals that have a tap. Models among them agree in what they are.
absl::StatusOr<std::vector<size_t>> AnimalsWith(const SubsampleWorld& world,
                                                const Tap& tap) {
  std::vector<size_t> members;
  for (size_t a = 0; a < world.animals.size(); ++a) {
    if (!world.animals[a].file.Has(tap)) continue;
    if (tap.stage != Stage::kRecorded && !members.empty()) {
      IAT_RETURN_IF_ERROR(
          SameFamily(world.animals[members.front()].file, world.animals[a].file));
    }
    members.push_back(a);
  }
  return members;
}

// The sizes that LogisticRidge runs on: every so many of the grid, counted from its end.
std::vector<int64_t> Thinned(const std::vector<int64_t>& sizes, int64_t count) {
  const int64_t size = static_cast<int64_t>(sizes.size());
  if (count >= size) return sizes;
  std::vector<int64_t> thinned;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t place =
        count > 1 ? (i * (size - 1) + (count - 1) / 2) / (count - 1) : size - 1;
    thinned.push_back(sizes[place]);
  }
  return thinned;
}

class CellMaker {
 public:
  CellMaker(const SubsampleOptions& options, const SubsampleInput& input,
            SubsampleWorld& world)
      : options_(options), input_(input), world_(world) {
    common_ = Sha256(absl::StrJoin(world.stimulus_ids, "\n"));
  }

  // All cells of a tap.
  absl::Status Add(const Tap& tap, const std::vector<size_t>& ring) {
    IAT_RETURN_IF_ERROR(SortMappings(tap.stage));
    const size_t num_animals = ring.size();
    for (const std::string& axis : options_.axes) {
      const size_t num_sources =
          axis == "stimuli" ? 1
                            : std::min(static_cast<size_t>(options_.num_pooled_sources),
                                       num_animals - 1);
      std::vector<SubsampleCell> targets;
      int64_t smallest_pool = std::numeric_limits<int64_t>::max();
      for (size_t place = 0; place < num_animals; ++place) {
        SubsampleCell& cell = targets.emplace_back();
        cell.tap = tap;
        cell.axis = axis;
        cell.target = ring[place];
        for (size_t s = 1; s <= num_sources; ++s) {
          cell.sources.push_back(ring[(place + s) % num_animals]);
        }
        IAT_ASSIGN_OR_RETURN(const int64_t pool, PoolSize(cell));
        smallest_pool = std::min(smallest_pool, pool);
      }
      IAT_ASSIGN_OR_RETURN(const std::vector<int64_t> sizes,
                           SizesOf(axis, tap.layer, smallest_pool));
      for (SubsampleCell& cell : targets) {
        cell.sizes = sizes;
        for (const int64_t split_seed : options_.split_seeds) {
          cell.split_seed = split_seed;
          IAT_RETURN_IF_ERROR(AddGroups(cell));
        }
      }
    }
    return absl::OkStatus();
  }

 private:
  // The mappings that accept targets of this stage.
  absl::Status SortMappings(Stage stage) {
    cheap_.clear();
    logistic_.clear();
    for (const std::string& name : options_.mappings) {
      IAT_ASSIGN_OR_RETURN(const std::unique_ptr<Mapping> mapping,
                           MakeMapping(name, options_.mapping));
      if (!mapping->CheckTargetStage(stage).ok()) continue;
      (IsLogisticMapping(name) ? logistic_ : cheap_).push_back(name);
    }
    return absl::OkStatus();
  }

  // Sizes of a layer's curves: the same for every target, so that means over animals are
  // over the same animals at every size.
  absl::StatusOr<std::vector<int64_t>> SizesOf(const std::string& axis,
                                               const std::string& layer,
                                               int64_t smallest_pool) const {
    if (axis == "stimuli") {
      const int64_t most = options_.num_fit_stimuli;
      if (options_.stimulus_sizes.empty()) {
        return LogSizes(std::min(kFewestStimuli, most), most, options_.num_sizes);
      }
      return options_.stimulus_sizes;
    }
    if (options_.unit_sizes.empty()) {
      return LogSizes(std::min(kFewestUnits, smallest_pool), smallest_pool,
                      options_.num_sizes);
    }
    std::vector<int64_t> sizes;
    for (const int64_t size : options_.unit_sizes) {
      if (size <= smallest_pool) sizes.push_back(size);
    }
    if (!sizes.empty()) return sizes;
    return absl::InvalidArgumentError(absl::StrCat(
        "subsample.unit_sizes begins with ", options_.unit_sizes.front(),
        ", but the smallest pool of ", layer, " has ", smallest_pool, " units"));
  }

  absl::StatusOr<int64_t> PoolSize(const SubsampleCell& cell) const {
    int64_t size = 0;
    for (const size_t source : cell.sources) {
      IAT_ASSIGN_OR_RETURN(const int64_t num_units,
                           NumUnits(world_.animals[source].file, cell.tap.layer));
      size += num_units;
    }
    return size;
  }

  // The subsamples of one target on a split: cheap mappings on all its units,
  // LogisticRidge on a sample of them.
  absl::Status AddGroups(const SubsampleCell& prototype) {
    const ComparedAnimal& target = world_.animals[prototype.target];
    IAT_ASSIGN_OR_RETURN(const int64_t num_units,
                         NumUnits(target.file, prototype.tap.layer));
    std::vector<int64_t> all(num_units);
    std::iota(all.begin(), all.end(), 0);
    SubsampleCell cell = prototype;
    cell.units = all;
    cell.mappings = cheap_;
    AddGroup(cell, options_.num_samples);
    if (options_.permuted &&
        std::find(cheap_.begin(), cheap_.end(), "ridge") != cheap_.end()) {
      cell.permuted = true;
      cell.mappings = {"ridge"};
      AddGroup(cell, options_.num_samples);
      cell.permuted = false;
    }
    if (logistic_.empty()) return absl::OkStatus();
    cell.units = SampleUnits(
        all, options_.logistic_max_target_units, 0,
        absl::StrCat("logistic target units/", target.name(), "/", cell.tap.layer));
    // On the same units the cheap mappings have their rows already.
    cell.mappings = cell.units.size() == all.size() ? std::vector<std::string>{} : cheap_;
    cell.mappings.insert(cell.mappings.end(), logistic_.begin(), logistic_.end());
    cell.sizes = Thinned(prototype.sizes, options_.logistic_max_sizes);
    AddGroup(cell, std::min(options_.num_samples, options_.logistic_num_samples));
    return absl::OkStatus();
  }

  void AddGroup(SubsampleCell cell, int64_t num_samples) {
    if (cell.mappings.empty()) return;
    std::vector<size_t> group;
    for (int64_t sample_seed = 0; sample_seed < num_samples; ++sample_seed) {
      cell.sample_seed = sample_seed;
      cell.fingerprint = Fingerprint(cell);
      group.push_back(world_.cells.size());
      world_.cells.push_back(cell);
    }
    world_.groups.push_back(std::move(group));
  }

  std::string Fingerprint(const SubsampleCell& cell) const {
    std::string text = absl::StrCat("subsample engine ", kEngineVersion, "\nstimuli ",
                                    input_.stimuli, " ", common_, "\ntarget ",
                                    world_.animals[cell.target].sha256, "\nsources");
    for (const size_t source : cell.sources) {
      absl::StrAppend(&text, " ", world_.animals[source].sha256);
    }
    absl::StrAppend(
        &text, "\ntap ", cell.tap.Name(), "\naxis ", cell.axis, "\nsplit ",
        cell.split_seed, " ", options_.num_fit_stimuli, " ", options_.num_test_stimuli,
        "\nsample ", cell.sample_seed, "\npermuted ", cell.permuted, "\nunits ",
        absl::StrJoin(cell.units, " "), "\nsizes ", absl::StrJoin(cell.sizes, " "),
        "\nmappings ", absl::StrJoin(cell.mappings, " "), "\n");
    // Only what the cell's own mappings read.
    const auto is_ridge = [](const std::string& name) {
      return name == "ridge" || name == "ridge_clamped";
    };
    absl::StrAppend(&text,
                    std::all_of(cell.mappings.begin(), cell.mappings.end(), is_ridge)
                        ? OptionsText(options_.mapping.ridge)
                        : OptionsText(options_.mapping));
    return Sha256(text);
  }

  const SubsampleOptions& options_;
  const SubsampleInput& input_;
  SubsampleWorld& world_;
  std::string common_;  // stimuli
  std::vector<std::string> cheap_, logistic_;
};

}  // namespace

std::string SubsampleCell::Name(const std::vector<ComparedAnimal>& animals) const {
  return absl::StrCat(tap.Name(), " ", PoolName(animals, sources), " -> ",
                      animals[target].name(), " split ", split_seed, " ", axis,
                      " sample ", sample_seed);
}

std::filesystem::path SubsampleCell::PartPath(const std::filesystem::path& table) const {
  return SubsamplePartsFolder(table) / absl::StrCat(fingerprint.substr(0, 32), ".part");
}

const Split& SubsampleWorld::SplitOf(const SubsampleCell& cell) const {
  return *std::find_if(splits.begin(), splits.end(), [&](const Split& split) {
    return split.split_seed == cell.split_seed;
  });
}

std::string PoolName(const std::vector<ComparedAnimal>& animals,
                     const std::vector<size_t>& sources) {
  return absl::StrJoin(sources, "+", [&](std::string* out, size_t source) {
    out->append(animals[source].name());
  });
}

std::filesystem::path SubsamplePartsFolder(const std::filesystem::path& table) {
  return table.parent_path() / absl::StrCat(table.stem().string(), "-parts");
}

absl::StatusOr<SubsampleWorld> MakeSubsampleWorld(const SubsampleOptions& options,
                                                  const SubsampleInput& input) {
  IAT_RETURN_IF_ERROR(options.Validate());
  SubsampleWorld world;
  IAT_RETURN_IF_ERROR(LoadAnimals(input, world));
  IAT_RETURN_IF_ERROR(MatchStimuli(input.stimuli, world));
  for (const int64_t split_seed : options.split_seeds) {
    auto split = MakeSplit(world.stimulus_ids, {.split_seed = split_seed,
                                                .num_fit = options.num_fit_stimuli,
                                                .num_test = options.num_test_stimuli});
    if (!split.ok()) return Annotate(split.status(), input.stimuli);
    world.splits.push_back(*std::move(split));
  }
  std::vector<Stage> stages;
  for (const std::string& name : options.stages) {
    IAT_ASSIGN_OR_RETURN(stages.emplace_back(), ParseStage(name));
  }
  IAT_ASSIGN_OR_RETURN(const std::vector<std::string> layers,
                       FindLayers(options, stages, world));
  CellMaker maker(options, input, world);
  for (const std::string& layer : layers) {
    for (const Stage stage : stages) {
      IAT_ASSIGN_OR_RETURN(const std::vector<size_t> ring,
                           AnimalsWith(world, {layer, stage}));
      if (ring.size() >= 2) {
        IAT_RETURN_IF_ERROR(maker.Add({layer, stage}, ring));
      } else if (!options.layers.empty()) {
        return absl::NotFoundError(
            absl::StrCat("subsample.layers has \"", layer, "\", but ", ring.size(),
                         " of ", world.animals.size(), " animals have ",
                         Tap{layer, stage}.Name(), "; expected at least 2"));
      }
    }
  }
  if (world.cells.empty()) {
    return absl::InvalidArgumentError(
        "nothing to subsample: no layer of two animals has targets that "
        "subsample.mappings accept at subsample.stages");
  }
  return world;
}

}  // namespace iat
