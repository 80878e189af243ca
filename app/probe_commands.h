// iat probe: linear probes of every animal of a run (training/linear_probe.h).
//
//   models/ANIMAL/probe.csv  one row a layer, and the fingerprint of what made it
//   scores/probe.csv         all animals: animal,layer,stage,num_features,num_images,
//                            num_test_images,num_correct,top1,low,high,chance,
//                            l2_penalty,penalty_at_edge,iterations,converged

#ifndef IAT_APP_PROBE_COMMANDS_H_
#define IAT_APP_PROBE_COMMANDS_H_

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/csv.h"
#include "images/packed_set.h"
#include "models/vision_model.h"
#include "training/linear_probe.h"

namespace iat {

struct ProbeJob {
  std::string animal;
  std::filesystem::path folder;  // with weights.safetensors
  ModelOptions model;
  ProbeOptions options;
  // Held out of training as for the nearest-neighbour accuracy: training.knn_images.
  int64_t num_test_images = 0;
  const PackedSet* images = nullptr;
  std::string device = "cpu";
  std::function<void(int64_t layers_done, int64_t num_layers)> progress;
};

// True when folder/probe.csv was made from exactly this job.
bool IsProbed(const ProbeJob& job);

// OK once folder/probe.csv is in place. InvalidArgument: images without labels, a
// layer the architecture does not have; errors of reading the weights.
absl::Status ProbeAnimal(const ProbeJob& job);

// All animals' rows under one heading, without fingerprints.
absl::StatusOr<CsvTable> GatherProbes(const std::vector<std::filesystem::path>& folders);

// The table for people, and as JSON.
std::string ProbeText(const CsvTable& table);
std::string ProbeJson(const CsvTable& table);

}  // namespace iat

#endif  // IAT_APP_PROBE_COMMANDS_H_
