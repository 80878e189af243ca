#include "neural/neural_scores_world.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/random.h"
#include "base/status.h"

namespace iat {
namespace {

std::string DigestOf(const Population& population) {
  Sha256Digest digest;
  digest.Add(absl::StrCat(population.animal, "/", population.area, "/",
                          StageName(population.stage), "\n",
                          absl::StrJoin(population.unit_ids, "\n"), "\n"));
  for (const Eigen::MatrixXd& trial : population.trials) {
    digest.Add(absl::string_view(reinterpret_cast<const char*>(trial.data()),
                                 static_cast<size_t>(trial.size()) * sizeof(double)));
  }
  return digest.Finish();
}

absl::Status AddModels(const NeuralScoresOptions& options, const NeuralScoresInput& input,
                       NeuralWorld& world) {
  if (input.model_files.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "recording ", input.name,
        ": directions has models, but there are no activation files; run iat extract"));
  }
  for (const auto& path : input.model_files) {
    IAT_ASSIGN_OR_RETURN(const ActivationFile file, ActivationFile::Open(path));
    for (const std::string& layer : options.layers) {
      const auto layers = file.layers();
      if (std::find(layers.begin(), layers.end(), layer) == layers.end()) {
        return absl::NotFoundError(absl::StrCat(path.string(), ": no layer \"", layer,
                                                "\"; it holds ",
                                                absl::StrJoin(layers, ", ")));
      }
    }
    bool any = false;
    for (const Tap& tap : file.taps()) {
      const bool layer_wanted = options.layers.empty() ||
                                std::find(options.layers.begin(), options.layers.end(),
                                          tap.layer) != options.layers.end();
      const bool stage_wanted = std::find(options.stages.begin(), options.stages.end(),
                                          StageName(tap.stage)) != options.stages.end();
      if (!layer_wanted || !stage_wanted) continue;
      IAT_ASSIGN_OR_RETURN(Population population,
                           PopulationOf(file, tap, world.stimulus_ids));
      world.populations.push_back(std::move(population));
      any = true;
    }
    if (!any) {
      return absl::NotFoundError(absl::StrCat(path.string(),
                                              ": no activations of stages ",
                                              absl::StrJoin(options.stages, ", ")));
    }
  }
  return absl::OkStatus();
}

// Groups of the run, in a fixed order.
class GroupMaker {
 public:
  GroupMaker(const NeuralScoresOptions& options, NeuralWorld& world)
      : options_(options), world_(world) {
    for (size_t p = 0; p < world.populations.size(); ++p) {
      (world.populations[p].is_model() ? models_ : recorded_).push_back(p);
    }
  }

  void Make() {
    if (options_.Wants("animals->animals")) {
      for (const size_t source : recorded_)
        Add("animals->animals", One(source), recorded_);
    }
    if (options_.Wants("others->animals")) AddPools();
    if (options_.Wants("models->animals")) {
      for (const size_t source : models_) Add("models->animals", One(source), recorded_);
    }
    if (options_.Wants("animals->models")) {
      for (const size_t source : recorded_) Add("animals->models", One(source), models_);
    }
  }

 private:
  const Population& At(size_t p) const { return world_.populations[p]; }

  NeuralSource One(size_t member) const {
    return {.members = {member}, .units = {}, .num_pooled_units = At(member).num_units()};
  }

  void Add(const std::string& direction, NeuralSource source,
           const std::vector<size_t>& candidates) {
    NeuralGroup group{direction, std::move(source), {}, options_.num_bootstraps};
    if (group.source.sample_seed >= 0) group.num_bootstraps = 0;
    const Population& first = world_.First(group.source);
    for (const size_t target : candidates) {
      const bool same_animal = std::any_of(
          group.source.members.begin(), group.source.members.end(),
          [&](size_t member) { return At(member).animal == At(target).animal; });
      const bool both_recorded = !first.is_model() && !At(target).is_model();
      if (same_animal || !world_.mappings_of.contains(At(target).stage) ||
          (both_recorded && options_.area_pairs == "same" &&
           At(target).area != first.area)) {
        continue;
      }
      group.targets.push_back(target);
    }
    if (!group.targets.empty()) world_.groups.push_back(std::move(group));
  }

  void AddPools() {
    std::vector<std::string> animals, areas;
    for (const size_t p : recorded_) {
      if (animals.empty() || animals.back() != At(p).animal) {
        animals.push_back(At(p).animal);
      }
      if (std::find(areas.begin(), areas.end(), At(p).area) == areas.end()) {
        areas.push_back(At(p).area);
      }
    }
    for (const std::string& animal : animals) {
      std::vector<size_t> targets;
      for (const size_t p : recorded_) {
        if (At(p).animal == animal) targets.push_back(p);
      }
      for (const std::string& area : areas) AddPool(animal, area, targets);
    }
  }

  void AddPool(const std::string& left_out, const std::string& area,
               const std::vector<size_t>& targets) {
    NeuralSource pool;
    for (const size_t p : recorded_) {
      if (At(p).area != area || At(p).animal == left_out) continue;
      pool.members.push_back(p);
      pool.num_pooled_units += At(p).num_units();
    }
    if (pool.members.empty()) return;
    if (pool.members.size() == 1) {
      // One other animal is animals->animals already.
      world_.notes.push_back(absl::StrCat("others->animals onto ", left_out, " from ",
                                          area, " left out: only one other animal has ",
                                          area));
      return;
    }
    Add("others->animals", pool, targets);
    for (int64_t sample = 0; sample < options_.num_pool_samples; ++sample) {
      const int64_t seed = options_.sample_seed + sample;
      RandomStream stream(seed, absl::StrCat("pooled neurons/", left_out, "/", area));
      const std::vector<int64_t> order = stream.Permutation(pool.num_pooled_units);
      for (const int64_t size : options_.pool_sizes) {
        if (size >= pool.num_pooled_units) continue;
        NeuralSource part = pool;
        part.sample_seed = seed;
        part.units.assign(order.begin(), order.begin() + size);
        std::sort(part.units.begin(), part.units.end());
        Add("others->animals", std::move(part), targets);
      }
    }
  }

  const NeuralScoresOptions& options_;
  NeuralWorld& world_;
  std::vector<size_t> recorded_, models_;
};

absl::Status AddMappings(const NeuralScoresOptions& options, NeuralWorld& world) {
  for (const Population& population : world.populations) {
    if (world.mappings_of.contains(population.stage)) continue;
    NamedMappings accepted;
    for (const std::string& name : options.mappings) {
      IAT_ASSIGN_OR_RETURN(std::unique_ptr<Mapping> mapping,
                           MakeMapping(name, options.mapping));
      if (!mapping->CheckTargetStage(population.stage).ok()) {
        world.notes.push_back(absl::StrCat(name, " left out for targets that are ",
                                           StageName(population.stage),
                                           ": it has no meaning there"));
        continue;
      }
      accepted.names.push_back(name);
      accepted.mappings.push_back(std::move(mapping));
    }
    if (!accepted.names.empty()) {
      world.mappings_of.emplace(population.stage, std::move(accepted));
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::string NeuralWorld::SourceAnimal(const NeuralSource& source) const {
  std::vector<std::string> names;
  for (const size_t member : source.members) names.push_back(populations[member].animal);
  return absl::StrJoin(names, "+");
}

Eigen::MatrixXd NeuralWorld::SideBySide(
    const NeuralSource& source, const std::vector<Eigen::MatrixXd>& of_members) const {
  Eigen::MatrixXd all(of_members[0].rows(), source.num_pooled_units);
  Eigen::Index column = 0;
  for (const Eigen::MatrixXd& member : of_members) {
    all.middleCols(column, member.cols()) = member;
    column += member.cols();
  }
  if (source.units.empty()) return all;
  return all(Eigen::all, source.units);
}

std::string NeuralWorld::Name(const NeuralGroup& group) const {
  const auto population = [](const Population& p) {
    return p.is_model() ? absl::StrCat(p.animal, " ", p.area, "/", StageName(p.stage))
                        : absl::StrCat(p.animal, " ", p.area);
  };
  const NeuralSource& source = group.source;
  return absl::StrCat(
      source.members.size() == 1
          ? population(First(source))
          : absl::StrCat(source.members.size(), " animals' ", First(source).area),
      source.units.empty() ? "" : absl::StrCat(" (", source.units.size(), " units)"),
      " -> ",
      group.targets.size() == 1 ? population(populations[group.targets[0]])
                                : absl::StrCat(group.targets.size(), " populations"));
}

absl::StatusOr<std::vector<Split>> MakeBlockSplits(
    const std::vector<std::string>& stimulus_ids, const NeuralScoresOptions& options) {
  const int64_t num_stimuli = static_cast<int64_t>(stimulus_ids.size());
  const int64_t size = options.block_size;
  if (num_stimuli % size != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "block_size is ", size, ", which does not divide the ", num_stimuli, " stimuli"));
  }
  const int64_t num_blocks = num_stimuli / size;
  const int64_t num_fit =
      options.num_fit_stimuli > 0 ? options.num_fit_stimuli / size : num_blocks / 2;
  std::vector<std::string> blocks;
  for (int64_t b = 0; b < num_blocks; ++b) {
    // A block of one stimulus is that stimulus, whatever the order of the recording.
    blocks.push_back(size == 1 ? stimulus_ids[b] : absl::StrFormat("block-%09d", b));
  }
  std::vector<Split> splits;
  for (const int64_t seed : options.split_seeds) {
    auto split = MakeSplit(blocks, {.split_seed = seed, .num_fit = num_fit});
    if (!split.ok()) {
      return Annotate(split.status(),
                      absl::StrCat("splits of ", num_blocks, " blocks of ", size));
    }
    const auto expand = [&](const std::vector<int64_t>& of_blocks) {
      std::vector<int64_t> rows;
      for (int64_t place = 0; place < size; ++place) {
        for (const int64_t block : of_blocks) rows.push_back(block * size + place);
      }
      return rows;
    };
    splits.push_back({seed, expand(split->fit), expand(split->test)});
    if (splits.back().test.size() < 3) {
      return absl::InvalidArgumentError(absl::StrCat(
          "num_fit_stimuli is ", options.num_fit_stimuli, " of ", num_stimuli,
          " stimuli; expected at least 3 to be left for the test"));
    }
  }
  return splits;
}

absl::StatusOr<NeuralWorld> MakeNeuralWorld(const NeuralScoresOptions& options,
                                            const NeuralScoresInput& input) {
  IAT_RETURN_IF_ERROR(options.Validate());
  IAT_ASSIGN_OR_RETURN(
      Populations recorded,
      PopulationsOf(*input.recording, {.animals = options.animals,
                                       .areas = options.areas,
                                       .min_neurons = options.min_neurons}));
  NeuralWorld world;
  world.stimulus_ids = std::move(recorded.stimulus_ids);
  world.populations = std::move(recorded.populations);
  world.notes = std::move(recorded.notes);
  if (options.WantsModels()) IAT_RETURN_IF_ERROR(AddModels(options, input, world));
  for (const Population& population : world.populations) {
    world.means.push_back(MeanOverTrials(population.trials));
    world.digests.push_back(DigestOf(population));
  }
  IAT_ASSIGN_OR_RETURN(world.splits, MakeBlockSplits(world.stimulus_ids, options));
  IAT_RETURN_IF_ERROR(AddMappings(options, world));
  GroupMaker(options, world).Make();
  if (world.groups.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("recording ", input.name, ": nothing to score: no two animals for ",
                     absl::StrJoin(options.directions, ", "), " with mappings ",
                     absl::StrJoin(options.mappings, ", ")));
  }
  return world;
}

}  // namespace iat
