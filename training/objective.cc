#include "training/objective.h"

#include <algorithm>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "training/autoencoder.h"
#include "training/barlow_twins.h"
#include "training/instance_recognition.h"
#include "training/moco.h"
#include "training/rotnet.h"
#include "training/simclr.h"
#include "training/simsiam.h"
#include "training/supervised.h"
#include "training/vicreg.h"

namespace iat {
namespace {

struct Entry {
  const char *name, *title, *loss_name;
  void (*describe)(ObjectiveOptions& options, OptionVisitor& visitor);
  TrainingRecipe (*recipe)();
  absl::StatusOr<std::shared_ptr<Objective>> (*create)(const ObjectiveOptions& options,
                                                       const ObjectiveSetup& setup);
};

template <typename Class>
constexpr Entry Register() {
  return {.name = Class::kName,
          .title = Class::kTitle,
          .loss_name = Class::kLossName,
          .describe =
              [](ObjectiveOptions& options, OptionVisitor& visitor) {
                if constexpr (!std::is_empty_v<typename Class::Options>) {
                  visitor.Table(Class::kName, Class::kSummary, [&](OptionVisitor& v) {
                    options.Of<Class>().Describe(v);
                  });
                }
              },
          .recipe = &Class::Recipe,
          .create =
              [](const ObjectiveOptions& options, const ObjectiveSetup& setup) {
                return Class::Create(options.Get<Class>(), setup);
              }};
}

// The registry: a new objective is one file and one line here.
constexpr Entry kObjectives[] = {
    Register<InstanceRecognition>(),
    Register<SimClr>(),
    Register<MomentumContrast>(),
    Register<SimSiam>(),
    Register<BarlowTwins>(),
    Register<VicReg>(),
    Register<RotNet>(),
    Register<Autoencoder>(),
    Register<Supervised>(),
};

const Entry* Find(const std::string& name) {
  const auto found = std::find_if(std::begin(kObjectives), std::end(kObjectives),
                                  [&](const Entry& entry) { return name == entry.name; });
  return found == std::end(kObjectives) ? nullptr : found;
}

}  // namespace

void ObjectiveOptions::Describe(OptionVisitor& visitor) {
  for (const Entry& entry : kObjectives) {
    if (!chosen_only || name == entry.name) entry.describe(*this, visitor);
  }
}

std::vector<std::string> ObjectiveNames() {
  std::vector<std::string> names;
  for (const Entry& entry : kObjectives) names.push_back(entry.name);
  return names;
}

TrainingRecipe RecipeOf(const std::string& objective) {
  const Entry* entry = Find(objective);
  IAT_CHECK(entry != nullptr, objective);
  return entry->recipe();
}

ObjectiveWords WordsOf(const std::string& objective) {
  const Entry* entry = Find(objective);
  IAT_CHECK(entry != nullptr, objective);
  return {.title = entry->title, .loss_name = entry->loss_name};
}

absl::StatusOr<std::shared_ptr<Objective>> CreateObjective(
    const ObjectiveOptions& options, const ObjectiveSetup& setup) {
  if (const Entry* entry = Find(options.name)) return entry->create(options, setup);
  return absl::NotFoundError(absl::StrCat("no objective \"", options.name,
                                          "\"; there are ",
                                          absl::StrJoin(ObjectiveNames(), ", ")));
}

}  // namespace iat
