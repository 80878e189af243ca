#include "similarity/tap_cache.h"

#include "base/status.h"

namespace iat {

absl::StatusOr<std::shared_ptr<const ActivationMatrix>> TapCache::Get(size_t animal,
                                                                      const Tap& tap) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Entry& entry = entries_[{animal, tap.Name()}];
  if (entry.values == nullptr) {
    IAT_ASSIGN_OR_RETURN(ActivationMatrix values, animals_[animal].file.Read(tap));
    entry.values = std::make_shared<const ActivationMatrix>(std::move(values));
  }
  std::shared_ptr<const ActivationMatrix> result = entry.values;
  if (--entry.expected == 0) entry.values.reset();
  return result;
}

Eigen::MatrixXd Gather(const ActivationMatrix& values, const ComparedAnimal& animal,
                       const std::vector<int64_t>& stimuli,
                       const std::vector<int64_t>& units) {
  Eigen::MatrixXd gathered(stimuli.size(), units.size());
  for (size_t i = 0; i < stimuli.size(); ++i) {
    const float* row = values.row(animal.row_of_stimulus[stimuli[i]]).data();
    for (size_t j = 0; j < units.size(); ++j) gathered(i, j) = row[units[j]];
  }
  return gathered;
}

}  // namespace iat
