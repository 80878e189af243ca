#include "similarity/compare.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/fingerprint.h"
#include "base/parallel.h"
#include "base/random.h"
#include "base/status.h"
#include "similarity/r2.h"
#include "similarity/score_part.h"
#include "similarity/split.h"
#include "similarity/unit_scores.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

// Raised when a change of the engine changes results, so that old parts are redone.
constexpr int kEngineVersion = 1;

const AllowedNames& StagePairNames() {
  static const auto* const names = new AllowedNames{
      "pre_relu->pre_relu", "post_relu->post_relu", "pre_relu->post_relu",
      "post_relu->pre_relu", "recorded->recorded"};
  return *names;
}

struct StagePair {
  Stage source, target;
};

absl::StatusOr<StagePair> ParseStagePair(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, "->");
  if (parts.size() != 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("stages has \"", text, "\"; expected \"source->target\""));
  }
  StagePair pair;
  IAT_ASSIGN_OR_RETURN(pair.source, ParseStage(parts[0]));
  IAT_ASSIGN_OR_RETURN(pair.target, ParseStage(parts[1]));
  return pair;
}

bool Contains(const std::vector<int64_t>& values, int64_t value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

// An animal's file, its rows in the order of the first animal's stimuli.
struct Animal {
  ActivationFile file;
  std::string sha256;
  std::vector<int64_t> row_of_stimulus;
  const std::string& name() const { return file.metadata().animal; }
};

struct Cell {
  size_t source = 0, target = 0;  // of World::animals
  std::string layer;
  StagePair stages{};
  int64_t split_seed = 0;
  bool permuted = false;
  std::vector<int64_t> units;
  std::vector<std::string> mappings;
  std::string fingerprint;

  std::string Name(const std::vector<Animal>& animals) const {
    const std::string tap = stages.source == stages.target
                                ? Tap{layer, stages.source}.Name()
                                : absl::StrCat(Tap{layer, stages.source}.Name(), "->",
                                               StageName(stages.target));
    return absl::StrCat(tap, " ", animals[source].name(), " -> ", animals[target].name(),
                        " split ", split_seed);
  }
};

// Cells that share a source on a split.
struct Group {
  std::vector<size_t> cells;
};

// Everything that is known before the first fit.
struct World {
  std::vector<Animal> animals;
  std::vector<std::string> stimulus_ids;
  std::vector<Split> splits;
  std::vector<Cell> cells;
  std::vector<Group> groups;
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

// A seeded sample of `cap` of the units in `from` (all when cap is 0), ascending.
std::vector<int64_t> SampleUnits(std::vector<int64_t> from, int64_t cap,
                                 int64_t sample_seed, absl::string_view purpose) {
  if (cap <= 0 || cap >= static_cast<int64_t>(from.size())) return from;
  RandomStream stream(sample_seed, purpose);
  stream.Shuffle(from);
  from.resize(cap);
  std::sort(from.begin(), from.end());
  return from;
}

absl::Status LoadAnimals(const CompareInput& input, const CompareOptions& options,
                         World& world, std::vector<std::vector<size_t>>& families) {
  std::set<std::string> names;
  for (const auto& paths : input.families) {
    const int64_t available = static_cast<int64_t>(paths.size());
    if (options.pairs_from > available) {
      return absl::InvalidArgumentError(
          absl::StrCat("compare.pairs_from is ", options.pairs_from, ", but there are ",
                       available, " animals"));
    }
    const int64_t count = options.pairs_from > 0 ? options.pairs_from : available;
    if (count < 2) {
      return absl::InvalidArgumentError(
          absl::StrCat("a comparison needs at least 2 animals; there are ", count));
    }
    std::vector<size_t>& family = families.emplace_back();
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
      if (!family.empty()) {
        IAT_RETURN_IF_ERROR(SameFamily(world.animals[family.front()].file, file));
      }
      family.push_back(world.animals.size());
      world.animals.push_back({std::move(file), std::move(sha256), {}});
    }
  }
  if (world.animals.empty()) return absl::InvalidArgumentError("no activation files");
  world.stimulus_ids = world.animals.front().file.stimulus_ids();
  for (Animal& animal : world.animals) {
    std::unordered_map<std::string, int64_t> row;
    for (size_t i = 0; i < animal.file.stimulus_ids().size(); ++i) {
      row.emplace(animal.file.stimulus_ids()[i], static_cast<int64_t>(i));
    }
    for (const std::string& id : world.stimulus_ids) {
      animal.row_of_stimulus.push_back(row.at(id));
    }
  }
  return absl::OkStatus();
}

std::string CellFingerprint(const World& world, const Cell& cell,
                            const CompareOptions& options, absl::string_view stimuli) {
  // Only what the cell's own mappings read.
  std::string text = absl::StrCat(
      "engine ", kEngineVersion, "\nstimuli ", stimuli, "\nsource ",
      world.animals[cell.source].sha256, "\ntarget ", world.animals[cell.target].sha256,
      "\nlayer ", cell.layer, "\nstages ", StageName(cell.stages.source), " ",
      StageName(cell.stages.target), "\nsplit ", cell.split_seed, " ",
      options.num_fit_stimuli, " ", options.num_test_stimuli, "\npermuted ",
      cell.permuted, "\nunits ", absl::StrJoin(cell.units, " "), "\nmappings ",
      absl::StrJoin(cell.mappings, " "), "\n", OptionsText(options.mapping.ridge));
  if (cell.permuted) absl::StrAppend(&text, "sample_seed ", options.sample_seed, "\n");
  if (std::any_of(cell.mappings.begin(), cell.mappings.end(), IsLogisticMapping)) {
    absl::StrAppend(&text, OptionsText(options.mapping.logistic_ridge));
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

// All cells of one source, layer, stage pair and split against one target.
absl::Status AddCells(const CompareOptions& options, absl::string_view stimuli,
                      Cell prototype, World& world, Group& group) {
  const Animal& target = world.animals[prototype.target];
  const Tap tap{prototype.layer, prototype.stages.target};
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
      Cell cell = prototype;
      cell.units = units;
      cell.permuted = permuted;
      cell.mappings = permuted ? PermutedMappings(mappings) : mappings;
      if (cell.mappings.empty()) continue;
      cell.fingerprint = CellFingerprint(world, cell, options, stimuli);
      group.cells.push_back(world.cells.size());
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

absl::Status CheckTaps(const World& world, const std::vector<size_t>& family,
                       const std::vector<std::string>& layers,
                       const std::vector<StagePair>& stages) {
  const ActivationFile& first = world.animals[family.front()].file;
  for (const size_t member : family) {
    const ActivationFile& file = world.animals[member].file;
    for (const std::string& layer : layers) {
      for (const StagePair& pair : stages) {
        for (const Stage stage : {pair.source, pair.target}) {
          if (!file.Has({layer, stage})) {
            return absl::NotFoundError(
                absl::StrCat(file.path().string(), ": no ", Tap{layer, stage}.Name()));
          }
        }
      }
      IAT_ASSIGN_OR_RETURN(const int64_t expected, NumUnits(first, layer));
      IAT_ASSIGN_OR_RETURN(const int64_t found, NumUnits(file, layer));
      if (expected != found) {
        return absl::InvalidArgumentError(
            absl::StrCat(file.path().string(), ": ", layer, " has ", found,
                         " units, that of ", first.path().string(), " has ", expected,
                         "; animals of one family must agree"));
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<World> MakeWorld(const CompareOptions& options,
                                const CompareInput& input) {
  IAT_RETURN_IF_ERROR(options.Validate());
  World world;
  std::vector<std::vector<size_t>> families;
  IAT_RETURN_IF_ERROR(LoadAnimals(input, options, world, families));
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
  for (const std::vector<size_t>& family : families) {
    IAT_ASSIGN_OR_RETURN(const std::vector<std::string> layers,
                         FamilyLayers(options, world.animals[family.front()].file));
    IAT_RETURN_IF_ERROR(CheckTaps(world, family, layers, stages));
    // By layer first: its activations are then in memory for a short while only.
    for (const std::string& layer : layers) {
      for (const StagePair& pair : stages) {
        for (const int64_t split_seed : options.split_seeds) {
          for (size_t s = 0; s < family.size(); ++s) {
            Group group;
            for (size_t t = 0; t < family.size(); ++t) {
              if (t == s || (t < s && !options.both_directions)) continue;
              Cell cell;
              cell.source = family[s];
              cell.target = family[t];
              cell.layer = layer;
              cell.stages = pair;
              cell.split_seed = split_seed;
              IAT_RETURN_IF_ERROR(
                  AddCells(options, input.stimuli, std::move(cell), world, group));
            }
            if (!group.cells.empty()) world.groups.push_back(std::move(group));
          }
        }
      }
    }
  }
  if (world.cells.empty()) {
    return absl::InvalidArgumentError(
        "nothing to compare: none of compare.mappings accepts targets of compare.stages");
  }
  return world;
}

fs::path PartPath(const fs::path& scores_folder, const Cell& cell) {
  return scores_folder / "parts" / absl::StrCat(cell.fingerprint.substr(0, 32), ".part");
}

// Activations in memory, read when first wanted, dropped when nobody will want them
// again.
class TapCache {
 public:
  explicit TapCache(const World& world) : world_(world) {}

  // Says that one more Get of this tap is to come.
  void Expect(size_t animal, const Tap& tap) {
    ++entries_[{animal, tap.Name()}].expected;
  }

  absl::StatusOr<std::shared_ptr<const ActivationMatrix>> Get(size_t animal,
                                                              const Tap& tap) {
    const std::lock_guard<std::mutex> lock(mutex_);
    Entry& entry = entries_[{animal, tap.Name()}];
    if (entry.values == nullptr) {
      IAT_ASSIGN_OR_RETURN(ActivationMatrix values,
                           world_.animals[animal].file.Read(tap));
      entry.values = std::make_shared<const ActivationMatrix>(std::move(values));
    }
    std::shared_ptr<const ActivationMatrix> result = entry.values;
    if (--entry.expected == 0) entry.values.reset();
    return result;
  }

 private:
  struct Entry {
    int64_t expected = 0;
    std::shared_ptr<const ActivationMatrix> values;
  };
  const World& world_;
  std::mutex mutex_;
  std::map<std::pair<size_t, std::string>, Entry> entries_;
};

// Stimuli (rows of World::stimulus_ids) x units, in float64.
Eigen::MatrixXd Gather(const ActivationMatrix& values, const Animal& animal,
                       const std::vector<int64_t>& stimuli,
                       const std::vector<int64_t>& units) {
  Eigen::MatrixXd gathered(stimuli.size(), units.size());
  for (size_t i = 0; i < stimuli.size(); ++i) {
    const float* row = values.row(animal.row_of_stimulus[stimuli[i]]).data();
    for (size_t j = 0; j < units.size(); ++j) gathered(i, j) = row[units[j]];
  }
  return gathered;
}

// The target's stimuli in a permuted cell: fit and test rows shuffled together, so
// that the order of the file plays no part.
Split PermutedSplit(const Split& split, const Cell& cell, const Animal& target,
                    int64_t sample_seed) {
  std::vector<int64_t> rows = split.fit;
  rows.insert(rows.end(), split.test.begin(), split.test.end());
  RandomStream stream(sample_seed,
                      absl::StrCat("permuted targets/", target.name(), "/", cell.layer),
                      static_cast<uint64_t>(split.split_seed));
  stream.Shuffle(rows);
  Split permuted = split;
  std::copy_n(rows.begin(), split.fit.size(), permuted.fit.begin());
  std::copy(rows.begin() + static_cast<int64_t>(split.fit.size()), rows.end(),
            permuted.test.begin());
  return permuted;
}

absl::StatusOr<ScorePart> ScoreCell(const CompareOptions& options, const World& world,
                                    const Cell& cell, const Split& split,
                                    const ActivationMatrix& target_values,
                                    SourceData& source,
                                    const Eigen::MatrixXd& source_test) {
  const Animal& target = world.animals[cell.target];
  const Split rows =
      cell.permuted ? PermutedSplit(split, cell, target, options.sample_seed) : split;
  FitProblem problem(source, Gather(target_values, target, rows.fit, cell.units),
                     cell.stages.target);
  const Eigen::MatrixXd target_test =
      Gather(target_values, target, rows.test, cell.units);
  ScorePart part;
  part.fingerprint = cell.fingerprint;
  part.units = cell.units;
  for (const std::string& name : cell.mappings) {
    IAT_ASSIGN_OR_RETURN(const std::unique_ptr<Mapping> mapping,
                         MakeMapping(name, options.mapping));
    IAT_ASSIGN_OR_RETURN(const std::unique_ptr<FittedMapping> fitted,
                         mapping->Fit(problem));
    IAT_ASSIGN_OR_RETURN(const Eigen::MatrixXd predicted, fitted->Predict(source_test));
    part.mappings.push_back({cell.permuted ? absl::StrCat(name, "_permuted") : name,
                             R2PerUnit(target_test, predicted), fitted->chosen()});
  }
  return part;
}

std::string ProgressLine(const World& world, const Cell& cell, const ScorePart& part) {
  std::string line = absl::StrCat(cell.Name(world.animals), ": median R2");
  const char* separator = " ";
  for (const MappingScores& scores : part.mappings) {
    absl::StrAppendFormat(&line, "%s%s %.3f", separator, scores.mapping,
                          SummariseR2(scores.r2).median);
    separator = ", ";
  }
  absl::StrAppendFormat(&line, " (%.1f s)", part.seconds);
  return line;
}

// Runs the cells that are missing, and fills `parts`, one a cell.
class Runner {
 public:
  Runner(const CompareOptions& options, const World& world, const fs::path& scores_folder,
         const CompareControl& control, std::vector<ScorePart>& parts)
      : options_(options),
        world_(world),
        scores_folder_(scores_folder),
        control_(control),
        parts_(parts),
        cache_(world) {}

  absl::StatusOr<int64_t> Run() {
    std::vector<bool> present(world_.cells.size(), false);
    for (size_t c = 0; c < world_.cells.size(); ++c) {
      auto part = ReadScorePart(PartPath(scores_folder_, world_.cells[c]),
                                world_.cells[c].fingerprint);
      if (!part.ok()) continue;  // absent or unusable: made again
      parts_[c] = *std::move(part);
      present[c] = true;
      ++num_done_;
    }
    const int64_t num_reused = num_done_;
    std::vector<std::vector<size_t>> todo;
    for (const Group& group : world_.groups) {
      std::vector<size_t> missing;
      for (const size_t c : group.cells) {
        if (!present[c]) missing.push_back(c);
      }
      if (missing.empty()) continue;
      const Cell& first = world_.cells[missing.front()];
      cache_.Expect(first.source, {first.layer, first.stages.source});
      for (const size_t c : missing) {
        const Cell& cell = world_.cells[c];
        cache_.Expect(cell.target, {cell.layer, cell.stages.target});
      }
      todo.push_back(std::move(missing));
    }
    IAT_RETURN_IF_ERROR(ParallelFor(control_.jobs, static_cast<int64_t>(todo.size()),
                                    [&](int64_t i) { return RunGroup(todo[i]); }));
    return num_reused;
  }

 private:
  absl::Status RunGroup(const std::vector<size_t>& cells) {
    const Cell& first = world_.cells[cells.front()];
    const Split& split =
        *std::find_if(world_.splits.begin(), world_.splits.end(),
                      [&](const Split& s) { return s.split_seed == first.split_seed; });
    const Animal& animal = world_.animals[first.source];
    IAT_RETURN_IF_ERROR(CheckStop());
    IAT_ASSIGN_OR_RETURN(const std::shared_ptr<const ActivationMatrix> values,
                         cache_.Get(first.source, {first.layer, first.stages.source}));
    std::vector<int64_t> units(values->cols());
    std::iota(units.begin(), units.end(), 0);
    SourceData source(Gather(*values, animal, split.fit, units));
    const Eigen::MatrixXd source_test = Gather(*values, animal, split.test, units);
    for (const size_t c : cells) {
      const Cell& cell = world_.cells[c];
      IAT_RETURN_IF_ERROR(CheckStop());
      const auto start = std::chrono::steady_clock::now();
      IAT_ASSIGN_OR_RETURN(const std::shared_ptr<const ActivationMatrix> target,
                           cache_.Get(cell.target, {cell.layer, cell.stages.target}));
      auto part = ScoreCell(options_, world_, cell, split, *target, source, source_test);
      if (!part.ok()) return Annotate(part.status(), cell.Name(world_.animals));
      part->seconds =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      IAT_RETURN_IF_ERROR(WriteScorePart(PartPath(scores_folder_, cell), *part));
      Report(cell, *part);
      parts_[c] = *std::move(part);
    }
    return absl::OkStatus();
  }

  absl::Status CheckStop() const {
    if (control_.stop != nullptr && control_.stop->load()) {
      return absl::CancelledError("comparing was interrupted; run again to continue");
    }
    return absl::OkStatus();
  }

  void Report(const Cell& cell, const ScorePart& part) {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++num_done_;
    if (control_.progress) {
      control_.progress(num_done_, static_cast<int64_t>(world_.cells.size()),
                        ProgressLine(world_, cell, part));
    }
  }

  const CompareOptions& options_;
  const World& world_;
  const fs::path& scores_folder_;
  const CompareControl& control_;
  std::vector<ScorePart>& parts_;
  TapCache cache_;
  std::mutex mutex_;
  int64_t num_done_ = 0;
};

std::vector<UnitScores> MakeUnitScores(const World& world, const CompareInput& input,
                                       const std::vector<ScorePart>& parts) {
  std::vector<UnitScores> scores;
  for (size_t c = 0; c < world.cells.size(); ++c) {
    const Cell& cell = world.cells[c];
    const Animal &source = world.animals[cell.source],
                 &target = world.animals[cell.target];
    const Split& split = world.splits.front();  // all have the same sizes
    for (const MappingScores& mapping : parts[c].mappings) {
      const R2Summary summary = SummariseR2(mapping.r2);
      UnitScores& entry = scores.emplace_back();
      entry.row.stimuli = input.stimuli;
      entry.row.source_animal = source.name();
      entry.row.target_animal = target.name();
      entry.row.source_layer = entry.row.target_layer = cell.layer;
      entry.row.source_stage = StageName(cell.stages.source);
      entry.row.target_stage = StageName(cell.stages.target);
      entry.row.source_scope = source.file.metadata().scope;
      entry.row.target_scope = target.file.metadata().scope;
      entry.row.mapping = mapping.mapping;
      entry.row.split_seed = cell.split_seed;
      entry.row.num_fit_stimuli = static_cast<int64_t>(split.fit.size());
      entry.row.num_test_stimuli = static_cast<int64_t>(split.test.size());
      entry.row.num_source_units = source.file.Units(cell.layer)->channel.size();
      entry.row.num_target_units = static_cast<int64_t>(cell.units.size());
      entry.row.num_scored_units = summary.num_scored_units;
      entry.row.median_r2 = summary.median;
      entry.row.mean_r2 = summary.mean;
      entry.row.q25_r2 = summary.q25;
      entry.row.q75_r2 = summary.q75;
      entry.units = cell.units;
      entry.r2 = mapping.r2;
      entry.chosen = mapping.chosen;
    }
  }
  std::sort(scores.begin(), scores.end(),
            [](const UnitScores& a, const UnitScores& b) { return a.row < b.row; });
  return scores;
}

std::string TimingsCsv(const World& world, absl::string_view stimuli,
                       const std::vector<ScorePart>& parts) {
  std::string text =
      "stimuli,source_animal,target_animal,layer,source_stage,target_stage,split_seed,"
      "num_target_units,mappings,seconds\n";
  for (size_t c = 0; c < world.cells.size(); ++c) {
    const Cell& cell = world.cells[c];
    std::vector<std::string> mappings;
    for (const MappingScores& m : parts[c].mappings) mappings.push_back(m.mapping);
    absl::StrAppend(
        &text,
        CsvLine({std::string(stimuli), world.animals[cell.source].name(),
                 world.animals[cell.target].name(), cell.layer,
                 StageName(cell.stages.source), StageName(cell.stages.target),
                 absl::StrCat(cell.split_seed), absl::StrCat(cell.units.size()),
                 absl::StrJoin(mappings, " "),
                 absl::StrFormat("%.3f", parts[c].seconds)}),
        "\n");
  }
  return text;
}

// Parts of options that have changed since.
absl::Status RemoveOtherParts(const World& world, const fs::path& scores_folder) {
  std::set<std::string> wanted;
  for (const Cell& cell : world.cells) {
    wanted.insert(PartPath(scores_folder, cell).filename().string());
  }
  std::error_code error;
  std::vector<fs::path> other;
  for (fs::directory_iterator it(scores_folder / "parts", error), end;
       !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".part" &&
        wanted.count(it->path().filename().string()) == 0) {
      other.push_back(it->path());
    }
  }
  for (const fs::path& path : other) fs::remove(path, error);
  if (error) return ErrnoStatus(error.value(), (scores_folder / "parts").string());
  return absl::OkStatus();
}

absl::Status CheckSeedSubset(absl::string_view name, const std::vector<int64_t>& seeds,
                             const std::vector<int64_t>& all) {
  for (const int64_t seed : seeds) {
    if (!Contains(all, seed)) {
      return absl::InvalidArgumentError(absl::StrCat(name, " has ", seed,
                                                     "; expected some of split_seeds (",
                                                     absl::StrJoin(all, ", "), ")"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

void CompareOptions::Describe(OptionVisitor& visitor) {
  visitor.Choices("layers", layers,
                  {"conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"},
                  "layers to compare; none: every layer the activation files hold");
  visitor.Choices("stages", stages, StagePairNames(),
                  "source stage -> target stage, before or after the ReLU");
  visitor.Choices(
      "mappings", mappings, MappingNames(),
      "mapping classes to fit; one that has no meaning for a stage is left out "
      "there");
  visitor.Integer("num_fit_stimuli", num_fit_stimuli, {.min = 2},
                  "stimuli that mappings are fitted on");
  visitor.Integer("num_test_stimuli", num_test_stimuli, {.min = 0},
                  "stimuli that mappings are scored on; 0: all the rest");
  visitor.Integers("split_seeds", split_seeds, {.min = 0},
                   "one split of the stimuli for each");
  visitor.Integer("pairs_from", pairs_from, {.min = 0},
                  "compare the first so many animals of a family; 0: all");
  visitor.Flag("both_directions", both_directions, "map each pair both ways");
  visitor.Integer("max_target_units", max_target_units, {.min = 0},
                  "seeded sample of target units a layer; 0: all");
  visitor.Integer("logistic_max_target_units", logistic_max_target_units, {.min = 0},
                  "the same for cells with LogisticRidge, which score every mapping on "
                  "these units; 0: max_target_units");
  visitor.Integers("logistic_split_seeds", logistic_split_seeds, {.min = 0},
                   "split seeds of LogisticRidge, some of split_seeds; none: all");
  visitor.Flag(
      "permuted", permuted,
      "also score targets whose stimuli are shuffled, which nothing can predict");
  visitor.Integers("permuted_split_seeds", permuted_split_seeds, {.min = 0},
                   "split seeds of the permuted control, some of split_seeds; none: all");
  visitor.Integer("sample_seed", sample_seed, {.min = 0},
                  "seed of the samples of target units and of the permutation");
  mapping.Describe(visitor);
}

absl::Status CompareOptions::Validate() const {
  for (const auto& [name, empty] :
       std::vector<std::pair<const char*, bool>>{{"stages", stages.empty()},
                                                 {"mappings", mappings.empty()},
                                                 {"split_seeds", split_seeds.empty()}}) {
    if (empty) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, " is empty; expected at least one entry"));
    }
  }
  for (const auto& [name, seeds] :
       std::vector<std::pair<const char*, const std::vector<int64_t>*>>{
           {"split_seeds", &split_seeds},
           {"logistic_split_seeds", &logistic_split_seeds},
           {"permuted_split_seeds", &permuted_split_seeds}}) {
    if (std::set<int64_t>(seeds->begin(), seeds->end()).size() != seeds->size()) {
      return absl::InvalidArgumentError(absl::StrCat(
          name, " is ", absl::StrJoin(*seeds, ", "), "; expected no seed twice"));
    }
  }
  IAT_RETURN_IF_ERROR(
      CheckSeedSubset("logistic_split_seeds", logistic_split_seeds, split_seeds));
  IAT_RETURN_IF_ERROR(
      CheckSeedSubset("permuted_split_seeds", permuted_split_seeds, split_seeds));
  return mapping.Validate();
}

absl::StatusOr<ComparePlan> PlanCompare(const CompareOptions& options,
                                        const CompareInput& input,
                                        const fs::path& scores_folder) {
  IAT_ASSIGN_OR_RETURN(const World world, MakeWorld(options, input));
  ComparePlan plan;
  plan.num_cells = static_cast<int64_t>(world.cells.size());
  for (const Cell& cell : world.cells) {
    plan.num_complete +=
        ReadScorePart(PartPath(scores_folder, cell), cell.fingerprint).ok();
  }
  return plan;
}

absl::StatusOr<CompareResult> RunCompare(const CompareOptions& options,
                                         const CompareInput& input,
                                         const fs::path& scores_folder,
                                         const CompareControl& control) {
  SetBlasThreads(1);
  IAT_ASSIGN_OR_RETURN(const World world, MakeWorld(options, input));
  IAT_RETURN_IF_ERROR(MakeFolder(scores_folder / "parts"));
  std::vector<ScorePart> parts(world.cells.size());
  CompareResult result;
  result.num_cells = static_cast<int64_t>(world.cells.size());
  Runner runner(options, world, scores_folder, control, parts);
  IAT_ASSIGN_OR_RETURN(result.num_reused, runner.Run());

  const std::vector<UnitScores> scores = MakeUnitScores(world, input, parts);
  for (const UnitScores& entry : scores) result.rows.push_back(entry.row);
  IAT_RETURN_IF_ERROR(
      WriteFileAtomically(scores_folder / "splits.csv",
                          SplitsCsv(input.stimuli, world.stimulus_ids, world.splits)));
  IAT_RETURN_IF_ERROR(WriteUnitScores(scores_folder / "compare_units.nc", scores));
  IAT_RETURN_IF_ERROR(WriteFileAtomically(scores_folder / "timings.csv",
                                          TimingsCsv(world, input.stimuli, parts)));
  IAT_RETURN_IF_ERROR(WriteScores(scores_folder / "compare.csv", result.rows));
  IAT_RETURN_IF_ERROR(RemoveOtherParts(world, scores_folder));
  return result;
}

}  // namespace iat
