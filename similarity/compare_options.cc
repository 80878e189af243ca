#include "similarity/compare_options.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace iat {
namespace {

const AllowedNames& LayerNames() {
  static const auto* const names =
      new AllowedNames{"conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"};
  return *names;
}

const AllowedNames& LayerPairNames() {
  static const auto* const names = [] {
    auto* all = new AllowedNames{"same", "all"};
    for (const std::string& source : LayerNames()) {
      for (const std::string& target : LayerNames()) {
        all->push_back(absl::StrCat(source, "->", target));
      }
    }
    return all;
  }();
  return *names;
}

const AllowedNames& StagePairNames() {
  static const auto* const names = new AllowedNames{
      "pre_relu->pre_relu", "post_relu->post_relu", "pre_relu->post_relu",
      "post_relu->pre_relu", "recorded->recorded"};
  return *names;
}

absl::Status CheckSeedSubset(absl::string_view name, const std::vector<int64_t>& seeds,
                             const std::vector<int64_t>& all) {
  for (const int64_t seed : seeds) {
    if (std::find(all.begin(), all.end(), seed) == all.end()) {
      return absl::InvalidArgumentError(absl::StrCat(name, " has ", seed,
                                                     "; expected some of split_seeds (",
                                                     absl::StrJoin(all, ", "), ")"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

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

absl::StatusOr<std::vector<LayerPair>> MakeLayerPairs(
    const CompareOptions& options, const std::vector<std::string>& layers) {
  std::set<LayerPair> wanted;
  for (const std::string& entry : options.layer_pairs) {
    const std::vector<std::string> ends = absl::StrSplit(entry, "->");
    if (ends.size() == 2) {
      for (const std::string& layer : ends) {
        if (std::find(layers.begin(), layers.end(), layer) == layers.end()) {
          return absl::NotFoundError(absl::StrCat(
              "compare.layer_pairs has \"", entry, "\", but \"", layer,
              "\" is not among the layers (", absl::StrJoin(layers, ", "), ")"));
        }
      }
      wanted.insert({ends[0], ends[1]});
      continue;
    }
    for (const std::string& source : layers) {
      for (const std::string& target : layers) {
        if (entry == "all" || source == target) wanted.insert({source, target});
      }
    }
  }
  std::vector<LayerPair> pairs;
  for (const std::string& source : layers) {
    for (const std::string& target : layers) {
      if (wanted.count({source, target}) > 0) pairs.push_back({source, target});
    }
  }
  return pairs;
}

void CompareOptions::Describe(OptionVisitor& visitor) {
  // Lists of free text are read as paths are.
  visitor.Paths(
      "stimuli", stimuli,
      "[stimuli.NAME] tables on which animals are compared and subsampled; none: "
      "all. Further sets may serve [calibrate], [neural] and [consistency]");
  visitor.Choices("layers", layers, LayerNames(),
                  "layers to compare; none: every layer the activation files hold");
  visitor.Choices("layer_pairs", layer_pairs, LayerPairNames(),
                  "source layer -> target layer: \"same\" (each onto itself), \"all\" "
                  "(each onto every one), or pairs like \"conv1->conv3\"");
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
                                                 {"layer_pairs", layer_pairs.empty()},
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

}  // namespace iat
