#include "similarity/subset_grams.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "similarity/linear_algebra.h"

namespace iat {
namespace {

constexpr Eigen::Index kRowsTogether = 1024;
constexpr size_t kMaxTogether = 4;
// With more axes the matrices of four subsets take more memory than they are worth.
constexpr Eigen::Index kMaxAxesTogether = 768;
// Of all stimuli, the least for a subset to share work.
constexpr Eigen::Index kShareAlone = 8;
// Stimuli, evenly spread, by which subsets are compared.
constexpr Eigen::Index kStimuliCompared = 1024;

}  // namespace

SubsetGrams::SubsetGrams(const Eigen::MatrixXf& rows, Eigen::ArrayXd squares)
    : rows_(rows),
      squares_(std::move(squares)),
      gathered_(rows.rows(), kRowsTogether),
      sums_(rows.rows() <= kMaxAxesTogether ? kMaxTogether : 1) {}

void SubsetGrams::Compute(const std::vector<const std::vector<Eigen::Index>*>& subsets,
                          const Eigen::MatrixXd& means,
                          std::vector<Eigen::MatrixXf>& lower) {
  IAT_CHECK(subsets.size() <= num_together() && means.cols() == subsets.size(),
            "more subsets than fit together");
  const Eigen::Index n = rows_.cols(), r = rows_.rows();
  lower.resize(subsets.size());
  std::vector<size_t> shared;  // positions among the subsets, one a bit
  std::vector<unsigned char> bits(n, 0);
  for (size_t s = 0; s < subsets.size(); ++s) {
    if (IsAlone(*subsets[s])) {
      MakeGram(*subsets[s], means.col(s).cast<float>(), lower[s]);
      continue;
    }
    for (const Eigen::Index i : *subsets[s]) bits[i] |= 1 << shared.size();
    shared.push_back(s);
  }
  if (shared.empty()) return;

  // Seen from the largest group, a bit says that a stimulus is not where that group is.
  std::array<int64_t, 16> counts{};
  for (const unsigned char bit : bits) ++counts[bit];
  const int largest =
      static_cast<int>(std::max_element(counts.begin(), counts.end()) - counts.begin());
  for (auto& group : groups_) group.clear();
  for (Eigen::Index i = 0; i < n; ++i) groups_[bits[i] ^ largest].push_back(i);
  groups_[0].clear();
  for (size_t s = 0; s < shared.size(); ++s) sums_[s].setZero(r, r);
  const Eigen::VectorXf origin = Eigen::VectorXf::Zero(r);
  for (int high = 0; high < 4; ++high) {
    for (int low = 0; low < 4; ++low) {
      const std::vector<Eigen::Index>& group = groups_[4 * high + low];
      if (group.empty()) {
        parts_[low].resize(0, 0);
      } else {
        MakeGram(group, origin, parts_[low]);
      }
    }
    AddParts(high);
  }
  for (size_t s = 0; s < shared.size(); ++s) {
    Eigen::MatrixXd& sum = sums_[s];
    if ((largest >> s & 1) != 0) {
      sum = -sum;
      sum.diagonal().array() += squares_;
    }
    const double count = static_cast<double>(subsets[shared[s]]->size());
    const Eigen::VectorXd mean = means.col(static_cast<Eigen::Index>(shared[s]));
    sum.triangularView<Eigen::Lower>() -= (count * mean) * mean.transpose();
    lower[shared[s]] = sum.cast<float>();
  }
}

bool SubsetGrams::IsAlone(const std::vector<Eigen::Index>& subset) const {
  return kShareAlone * static_cast<Eigen::Index>(subset.size()) < rows_.cols();
}

std::vector<size_t> SubsetGrams::Alike(
    const std::vector<const std::vector<Eigen::Index>*>& subsets) const {
  const Eigen::Index n = rows_.cols(), t = static_cast<Eigen::Index>(subsets.size());
  const Eigen::Index stride = (n + kStimuliCompared - 1) / kStimuliCompared;
  const Eigen::Index compared = (n + stride - 1) / stride;
  // 1 in the subset, -1 not; |correlation| is what makes groups few and large.
  Eigen::MatrixXf masks = Eigen::MatrixXf::Constant(compared, t, -1.0f);
  for (Eigen::Index s = 0; s < t; ++s) {
    for (const Eigen::Index i : *subsets[s]) {
      if (i % stride == 0) masks(i / stride, s) = 1.0f;
    }
  }
  Eigen::MatrixXf likeness(t, t);
  MultiplyTile(true, t, t, compared, masks.data(), compared, masks.data(), compared,
               likeness.data(), t);
  likeness = likeness.cwiseAbs();

  std::vector<size_t> order, alone, left;
  for (size_t s = 0; s < subsets.size(); ++s) {
    (IsAlone(*subsets[s]) ? alone : left).push_back(s);
  }
  Eigen::ArrayXf to_group(t);
  while (!left.empty()) {
    to_group.setZero();
    for (size_t k = 0; k < num_together() && !left.empty(); ++k) {
      const auto next =
          std::max_element(left.begin(), left.end(), [&](size_t a, size_t b) {
            return to_group(static_cast<Eigen::Index>(a)) <
                   to_group(static_cast<Eigen::Index>(b));
          });
      to_group += likeness.col(static_cast<Eigen::Index>(*next)).array();
      order.push_back(*next);
      left.erase(next);
    }
  }
  order.insert(order.end(), alone.begin(), alone.end());
  return order;
}

void SubsetGrams::MakeGram(const std::vector<Eigen::Index>& stimuli,
                           const Eigen::VectorXf& centre, Eigen::MatrixXf& lower) {
  lower.setZero(rows_.rows(), rows_.rows());
  Eigen::Index filled = 0;
  for (size_t k = 0; k < stimuli.size(); ++k) {
    gathered_.col(filled++) = rows_.col(stimuli[k]) - centre;
    if (filled == kRowsTogether || k + 1 == stimuli.size()) {
      AddOuterGram(gathered_.leftCols(filled), lower);
      filled = 0;
    }
  }
}

// A pass over the parts adds them to each subset that they belong to.
void SubsetGrams::AddParts(int high) {
  const auto is_empty = [](const Eigen::MatrixXf& part) { return part.size() == 0; };
  if (std::all_of(parts_.begin(), parts_.end(), is_empty)) return;
  const Eigen::Index r = rows_.rows();
  for (Eigen::Index j = 0; j < r; ++j) {
    Eigen::ArrayXd all = Eigen::ArrayXd::Zero(r - j);
    for (int low = 0; low < 4; ++low) {
      if (parts_[low].size() == 0) continue;
      const Eigen::ArrayXd column = parts_[low].col(j).tail(r - j).array().cast<double>();
      all += column;
      for (int bit = 0; bit < 2; ++bit) {
        if ((low >> bit & 1) != 0) sums_[bit].col(j).tail(r - j).array() += column;
      }
    }
    for (int bit = 0; bit < 2; ++bit) {
      if ((high >> bit & 1) != 0) sums_[2 + bit].col(j).tail(r - j).array() += all;
    }
  }
}

}  // namespace iat
