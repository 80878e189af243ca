#include "similarity/subsample.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/status.h"
#include "similarity/score_part.h"
#include "similarity/subsample_runner.h"
#include "similarity/subsample_world.h"

namespace iat {
namespace {

// Layers of the networks, and the visual areas that the Allen recordings name.
const AllowedNames& LayerNames() {
  static const auto* const names =
      new AllowedNames{"conv1", "conv2", "conv3", "conv4", "conv5", "fc6",  "fc7",
                       "VISp",  "VISl",  "VISal", "VISrl", "VISpm", "VISam"};
  return *names;
}

absl::Status CheckSizes(absl::string_view name, const std::vector<int64_t>& sizes,
                        int64_t least) {
  int64_t last = least - 1;
  for (const int64_t size : sizes) {
    if (size <= last) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, " is ", absl::StrJoin(sizes, ", "),
                       "; expected rising numbers from ", least));
    }
    last = size;
  }
  return absl::OkStatus();
}

std::string TimingsCsv(const SubsampleWorld& world, absl::string_view stimuli,
                       const std::vector<SamplingPart>& parts) {
  std::string text =
      "stimuli,source_animal,target_animal,layer,stage,axis,split_seed,sample_seed,"
      "num_target_units,mappings,seconds\n";
  for (size_t c = 0; c < world.cells.size(); ++c) {
    const SubsampleCell& cell = world.cells[c];
    absl::StrAppend(
        &text,
        CsvLine({std::string(stimuli), PoolName(world.animals, cell.sources),
                 world.animals[cell.target].name(), cell.tap.layer,
                 StageName(cell.tap.stage), cell.axis, absl::StrCat(cell.split_seed),
                 absl::StrCat(cell.sample_seed), absl::StrCat(cell.units.size()),
                 absl::StrCat(absl::StrJoin(cell.mappings, " "),
                              cell.permuted ? "_permuted" : ""),
                 absl::StrFormat("%.3f", parts[c].seconds)}),
        "\n");
  }
  return text;
}

absl::StatusOr<std::vector<SamplingRow>> Assemble(const SubsampleWorld& world,
                                                  const SubsampleInput& input,
                                                  const std::filesystem::path& table) {
  std::vector<SamplingPart> parts;
  std::vector<SamplingRow> rows;
  std::set<std::string> wanted;
  for (const SubsampleCell& cell : world.cells) {
    const std::filesystem::path path = cell.PartPath(table);
    wanted.insert(path.filename().string());
    IAT_ASSIGN_OR_RETURN(SamplingPart part, ReadSamplingPart(path, cell.fingerprint));
    rows.insert(rows.end(), part.rows.begin(), part.rows.end());
    parts.push_back(std::move(part));
  }
  std::sort(rows.begin(), rows.end());
  IAT_RETURN_IF_ERROR(WriteFileAtomically(
      table.parent_path() / absl::StrCat(table.stem().string(), "-timings.csv"),
      TimingsCsv(world, input.stimuli, parts)));
  IAT_RETURN_IF_ERROR(WriteSampling(table, rows));
  IAT_RETURN_IF_ERROR(RemoveOtherParts(SubsamplePartsFolder(table), wanted));
  return rows;
}

}  // namespace

void SubsampleOptions::Describe(OptionVisitor& visitor) {
  visitor.Choices("axes", axes, {"stimuli", "units"}, "what is subsampled");
  visitor.Choices("layers", layers, LayerNames(),
                  "layers or areas; none: every one that two animals have");
  visitor.Choices("stages", stages, {"pre_relu", "post_relu", "recorded"},
                  "before or after the ReLU, or recorded; both animals at the same");
  visitor.Choices("mappings", mappings, MappingNames(),
                  "mapping classes to fit; one that has no meaning for a stage is left "
                  "out there");
  visitor.Integers("stimulus_sizes", stimulus_sizes, {.min = 2},
                   "numbers of fit stimuli, rising; none: num_sizes on a log scale up to "
                   "num_fit_stimuli");
  visitor.Integers("unit_sizes", unit_sizes, {.min = 1},
                   "numbers of pooled source units, rising; a layer leaves out what its "
                   "pool has not; none: num_sizes on a log scale up to the whole pool");
  visitor.Integer("num_sizes", num_sizes, {.min = 2, .max = 1000},
                  "sizes of the default grids");
  visitor.Integer("num_samples", num_samples, {.min = 1, .max = 100000},
                  "random subsamples a size");
  visitor.Integer("num_fit_stimuli", num_fit_stimuli, {.min = 2},
                  "most stimuli that mappings are fitted on; all of them on axis units");
  visitor.Integer("num_test_stimuli", num_test_stimuli, {.min = 0},
                  "stimuli that mappings are scored on; 0: all the rest");
  visitor.Integers("split_seeds", split_seeds, {.min = 0},
                   "one split of the stimuli for each");
  visitor.Integer("num_pooled_sources", num_pooled_sources, {.min = 1},
                  "animals whose units are pooled on axis units; all others where there "
                  "are fewer");
  visitor.Integer("logistic_max_target_units", logistic_max_target_units, {.min = 0},
                  "seeded sample of target units for LogisticRidge, on which the other "
                  "mappings are scored too; 0: all");
  visitor.Integer("logistic_max_sizes", logistic_max_sizes, {.min = 1},
                  "sizes of LogisticRidge, spread over the grid");
  visitor.Integer("logistic_num_samples", logistic_num_samples, {.min = 1},
                  "subsamples of LogisticRidge, the first of num_samples");
  visitor.Flag("permuted", permuted,
               "also ridge curves of targets whose stimuli are shuffled, which nothing "
               "can predict");
  mapping.Describe(visitor);
}

absl::Status SubsampleOptions::Validate() const {
  for (const auto& [name, empty] :
       std::vector<std::pair<const char*, bool>>{{"axes", axes.empty()},
                                                 {"stages", stages.empty()},
                                                 {"mappings", mappings.empty()},
                                                 {"split_seeds", split_seeds.empty()}}) {
    if (empty) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, " is empty; expected at least one entry"));
    }
  }
  for (const std::string& axis : axes) {
    if (axis != "stimuli" && axis != "units") {
      return absl::InvalidArgumentError(
          absl::StrCat("axes has \"", axis, "\"; expected stimuli or units"));
    }
  }
  if (std::set<int64_t>(split_seeds.begin(), split_seeds.end()).size() !=
      split_seeds.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "split_seeds is ", absl::StrJoin(split_seeds, ", "), "; expected no seed twice"));
  }
  IAT_RETURN_IF_ERROR(CheckSizes("stimulus_sizes", stimulus_sizes, 2));
  IAT_RETURN_IF_ERROR(CheckSizes("unit_sizes", unit_sizes, 1));
  if (!stimulus_sizes.empty() && stimulus_sizes.back() > num_fit_stimuli) {
    return absl::InvalidArgumentError(
        absl::StrCat("stimulus_sizes has ", stimulus_sizes.back(),
                     "; expected at most num_fit_stimuli (", num_fit_stimuli, ")"));
  }
  return mapping.Validate();
}

std::vector<int64_t> LogSizes(int64_t least, int64_t most, int64_t count) {
  IAT_CHECK(least >= 1 && least <= most && count >= 1, "a grid of sizes that is none");
  std::vector<int64_t> sizes;
  const double ratio = static_cast<double>(most) / static_cast<double>(least);
  for (int64_t i = 0; i < count; ++i) {
    const double share =
        count > 1 ? static_cast<double>(i) / static_cast<double>(count - 1) : 1.0;
    const int64_t size =
        std::llround(static_cast<double>(least) * std::pow(ratio, share));
    if (sizes.empty() || size > sizes.back()) sizes.push_back(size);
  }
  return sizes;
}

absl::StatusOr<ComparePlan> PlanSubsample(const SubsampleOptions& options,
                                          const SubsampleInput& input,
                                          const std::filesystem::path& table) {
  IAT_ASSIGN_OR_RETURN(const SubsampleWorld world, MakeSubsampleWorld(options, input));
  ComparePlan plan;
  plan.num_cells = static_cast<int64_t>(world.cells.size());
  plan.num_complete = NumFinishedSubsamples(world, table);
  return plan;
}

absl::StatusOr<SubsampleResult> RunSubsample(const SubsampleOptions& options,
                                             const SubsampleInput& input,
                                             const std::filesystem::path& table,
                                             const CompareControl& control) {
  SetBlasThreads(1);
  KeepFreedMatrices();
  IAT_ASSIGN_OR_RETURN(const SubsampleWorld world, MakeSubsampleWorld(options, input));
  const std::filesystem::path parts = SubsamplePartsFolder(table);
  IAT_RETURN_IF_ERROR(MakeFolder(parts));
  SubsampleResult result;
  result.num_cells = static_cast<int64_t>(world.cells.size());
  result.num_reused = NumFinishedSubsamples(world, table);
  IAT_RETURN_IF_ERROR(RunMissingSubsamples(options, input, world, table, control));
  // Two ranks that end together both find every part, and write the same bytes.
  IAT_ASSIGN_OR_RETURN(const FileLock lock, LockForAssembly(parts / "assemble.lock"));
  result.complete = NumFinishedSubsamples(world, table) == result.num_cells;
  if (result.complete) {
    IAT_ASSIGN_OR_RETURN(result.rows, Assemble(world, input, table));
  }
  return result;
}

}  // namespace iat
