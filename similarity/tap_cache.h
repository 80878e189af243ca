// Activations of the animals that scores are made from, in memory for as long as they are
// wanted.

#ifndef IAT_SIMILARITY_TAP_CACHE_H_
#define IAT_SIMILARITY_TAP_CACHE_H_

#include <Eigen/Core>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/activation_file.h"
#include "similarity/compare_world.h"

namespace iat {

// Read when first wanted, dropped when nobody will want them again. For several threads.
class TapCache {
 public:
  // `animals` must outlive the cache.
  explicit TapCache(const std::vector<ComparedAnimal>& animals) : animals_(animals) {}

  // Says that one more Get of this tap is to come; before the first Get.
  void Expect(size_t animal, const Tap& tap) {
    ++entries_[{animal, tap.Name()}].expected;
  }
  absl::StatusOr<std::shared_ptr<const ActivationMatrix>> Get(size_t animal,
                                                              const Tap& tap);

 private:
  struct Entry {
    int64_t expected = 0;
    std::shared_ptr<const ActivationMatrix> values;
  };
  const std::vector<ComparedAnimal>& animals_;
  std::mutex mutex_;
  std::map<std::pair<size_t, std::string>, Entry> entries_;
};

// Target units that are fitted together by mappings that fit them alone. Fixed, so that
// results do not depend on the machine.
inline constexpr size_t kUnitsTogether = 2048;

// Stimuli (rows of the world's stimulus ids) x units, in float64.
Eigen::MatrixXd Gather(const ActivationMatrix& values, const ComparedAnimal& animal,
                       const std::vector<int64_t>& stimuli,
                       const std::vector<int64_t>& units);

}  // namespace iat

#endif  // IAT_SIMILARITY_TAP_CACHE_H_
