// Linear probes (training/linear_probe.h) of one animal, kept beside its weights.
//
//   FOLDER/probe.csv   one row a layer, and the fingerprint of what made it

#ifndef IAT_TRAINING_ANIMAL_PROBE_H_
#define IAT_TRAINING_ANIMAL_PROBE_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/csv.h"
#include "images/packed_set.h"
#include "models/model_options.h"
#include "training/probe_options.h"

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

// OK once folder/probe.csv is in place; works on one thread. InvalidArgument: images
// without labels, a layer the architecture does not have; errors of reading the weights.
absl::Status ProbeAnimal(const ProbeJob& job);

// All animals' rows under one heading, without fingerprints.
absl::StatusOr<CsvTable> GatherProbes(const std::vector<std::filesystem::path>& folders);

}  // namespace iat

#endif  // IAT_TRAINING_ANIMAL_PROBE_H_
