#include "training/held_out.h"

#include <algorithm>

#include "base/random.h"

namespace iat {

HeldOut ChooseHeldOut(const PackedSet& images, int64_t num_test) {
  HeldOut rows;
  const int64_t n = images.size();
  num_test = images.num_labels() > 1 ? std::min(num_test, n / 5) : 0;
  const std::vector<int64_t> order = RandomStream(0, "held-out").Permutation(n);
  rows.test.assign(order.begin(), order.begin() + num_test);
  rows.training.assign(order.begin() + num_test, order.end());
  std::sort(rows.test.begin(), rows.test.end());
  std::sort(rows.training.begin(), rows.training.end());
  return rows;
}

std::vector<int> LabelsOf(const PackedSet& images, const std::vector<int64_t>& rows) {
  std::vector<int> labels;
  for (const int64_t row : rows) labels.push_back(images.labels()[row]);
  return labels;
}

}  // namespace iat
