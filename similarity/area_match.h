// Which layer of the networks belongs to a recorded area?
//
// Explicit pairs from the config, or by name (a simulated animal's area is named by the
// layer its neurons were drawn from), or else the layer that predicts the area best: for
// every split, network and animal the mapping is fitted from the layer onto the area's
// neurons, and the median R2 over neurons is averaged over splits, networks and animals.
// Source   mouse-vision keeps the best layer of each area likewise (Nayebi, Kong et al.,
//          PLoS Comput Biol 2023).
//
// Example:
//   const auto r2 = AreaPredictivity(job);        // every area and layer
//   const auto pairs = ChooseLayers(areas, layers, {}, *r2);

#ifndef IAT_SIMILARITY_AREA_MATCH_H_
#define IAT_SIMILARITY_AREA_MATCH_H_

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/activation_file.h"
#include "similarity/calibration_text.h"
#include "similarity/mapping.h"

namespace iat {

// Area and layer.
using AreaPair = std::pair<std::string, std::string>;

// "VISp->conv3, VISl->conv4". InvalidArgument naming what is no pair.
absl::StatusOr<std::vector<AreaPair>> ParseAreaPairs(const std::string& text);

struct PredictivityJob {
  std::vector<std::filesystem::path> models, animals;  // on the same stimuli
  std::vector<std::string> areas, layers;
  Stage model_stage = Stage::kPostRelu;
  std::string mapping = "ridge";
  MappingOptions mapping_options;
  std::vector<int64_t> split_seeds;
  int64_t num_fit_stimuli = 0, num_test_stimuli = 0;
  int jobs = 1;
  const std::atomic<bool>* stop = nullptr;  // true ends with Cancelled
};

// One entry an area and layer, areas outermost, nothing chosen. Animals without an area
// are left out of it. Errors as of the files, the splits and the mapping.
absl::StatusOr<std::vector<AreaMatch>> AreaPredictivity(const PredictivityJob& job);

// The pairs to calibrate: `explicit_pairs` where there are any; else each area with the
// layer of its name, or with its best layer in `predictivity`, which is marked. NotFound
// naming an area or layer of a pair that is not there.
absl::StatusOr<std::vector<AreaPair>> ChooseLayers(
    const std::vector<std::string>& areas, const std::vector<std::string>& layers,
    const std::vector<AreaPair>& explicit_pairs, std::vector<AreaMatch>& predictivity);

}  // namespace iat

#endif  // IAT_SIMILARITY_AREA_MATCH_H_
