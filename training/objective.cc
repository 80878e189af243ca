#include "training/objective.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "training/instance_recognition.h"
#include "training/simclr.h"

namespace iat {
namespace {

struct Entry {
  const char* name;
  std::shared_ptr<Objective> (*create)(const ObjectiveOptions& options,
                                       int64_t num_features, int64_t num_training_images,
                                       int64_t init_seed, int64_t data_seed);
};

// The registry: a new objective is one file and one line here.
constexpr Entry kObjectives[] = {
    {"instance_recognition",
     [](const ObjectiveOptions& options, int64_t num_features,
        int64_t num_training_images, int64_t init_seed,
        int64_t data_seed) -> std::shared_ptr<Objective> {
       return std::make_shared<InstanceRecognition>(options.instance_recognition,
                                                    num_features, num_training_images,
                                                    init_seed, data_seed);
     }},
    {"simclr",
     [](const ObjectiveOptions& options, int64_t num_features, int64_t, int64_t init_seed,
        int64_t) -> std::shared_ptr<Objective> {
       return std::make_shared<SimClr>(options.simclr, num_features, init_seed);
     }},
};

}  // namespace

std::vector<std::string> ObjectiveNames() {
  std::vector<std::string> names;
  for (const Entry& entry : kObjectives) names.push_back(entry.name);
  return names;
}

absl::StatusOr<std::shared_ptr<Objective>> CreateObjective(
    const ObjectiveOptions& options, int64_t num_features, int64_t num_training_images,
    int64_t init_seed, int64_t data_seed) {
  for (const Entry& entry : kObjectives) {
    if (options.name == entry.name) {
      return entry.create(options, num_features, num_training_images, init_seed,
                          data_seed);
    }
  }
  return absl::NotFoundError(absl::StrCat("no objective \"", options.name,
                                          "\"; there are ",
                                          absl::StrJoin(ObjectiveNames(), ", ")));
}

}  // namespace iat
