#include "similarity/subset_grams.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "similarity/source_basis.h"
#include "tests/similarity/synthetic.h"

namespace iat {
namespace {

using Subset = std::vector<Eigen::Index>;

// A source in its eigenbasis, axes x stimuli, so that its Gram matrix is diagonal.
Eigen::MatrixXd Rotated(Eigen::Index num_axes, Eigen::Index num_stimuli) {
  const auto basis = SourceBasis::Make(NormalMatrix(num_stimuli, num_axes, 1));
  return basis->rotated().transpose();
}

Subset Drawn(Eigen::Index num_stimuli, double share, uint32_t seed) {
  std::mt19937 random(seed);
  std::bernoulli_distribution is_in(share);
  Subset subset;
  for (Eigen::Index i = 0; i < num_stimuli; ++i) {
    if (is_in(random)) subset.push_back(i);
  }
  return subset;
}

void ExpectGrams(const Eigen::MatrixXd& rotated, const std::vector<Subset>& subsets) {
  const Eigen::MatrixXf fast = rotated.cast<float>();
  const Eigen::MatrixXd rows = fast.cast<double>();
  SubsetGrams grams(fast, rows.rowwise().squaredNorm());
  for (size_t first = 0; first < subsets.size(); first += grams.num_together()) {
    std::vector<const Subset*> some;
    for (size_t s = first; s < std::min(first + grams.num_together(), subsets.size());
         ++s) {
      some.push_back(&subsets[s]);
    }
    Eigen::MatrixXd means(rows.rows(), some.size());
    for (size_t s = 0; s < some.size(); ++s) {
      means.col(s) = rows(Eigen::all, *some[s]).rowwise().mean();
    }
    std::vector<Eigen::MatrixXf> lower;
    grams.Compute(some, means, lower);
    for (size_t s = 0; s < some.size(); ++s) {
      const Eigen::MatrixXd centred =
          rows(Eigen::all, *some[s]).colwise() - Eigen::VectorXd(means.col(s));
      const Eigen::MatrixXd expected = centred * centred.transpose();
      const Eigen::MatrixXd difference =
          (lower[s].cast<double>() - expected).triangularView<Eigen::Lower>();
      EXPECT_LT(difference.norm(), 1e-6 * expected.norm())
          << "subset " << first + s << " of " << some[s]->size() << " stimuli";
    }
  }
}

TEST(SubsetGramsTest, GramsAreThoseOfEachSubsetByItself) {
  const Eigen::MatrixXd rows = Rotated(30, 2500);
  std::vector<Subset> subsets;
  // Seldom in, about half, nearly always and all: alone, shared, from what is left out.
  uint32_t seed = 2;
  for (const double share : {0.5, 0.3, 0.6, 0.4, 0.95, 0.02, 0.9, 0.5, 0.55}) {
    subsets.push_back(Drawn(2500, share, seed++));
  }
  subsets.push_back(Drawn(2500, 1.0, 1));
  subsets.push_back(subsets.front());  // twice the same
  ExpectGrams(rows, subsets);
  ExpectGrams(rows, {subsets.front()});
  ExpectGrams(rows, {subsets[5], subsets[5], subsets[4]});
}

// A subset far from the others, whose spread is a thousandth of its mean.
TEST(SubsetGramsTest, ARareSubsetFarAwayKeepsItsOwnScale) {
  Eigen::MatrixXd source = NormalMatrix(1600, 6, 3);
  Subset far;
  for (Eigen::Index i = 0; i < 1600; i += 40) far.push_back(i);
  for (const Eigen::Index i : far) source.row(i) = 50.0 + 0.05 * source.row(i).array();
  const auto basis = SourceBasis::Make(source);
  ExpectGrams(basis->rotated().transpose(), {far, Drawn(1600, 0.5, 4)});
}

TEST(SubsetGramsTest, MatricesTooLargeToShareAreMadeOneByOne) {
  const Eigen::MatrixXd rows = Rotated(800, 900);
  ExpectGrams(rows, {Drawn(900, 0.4, 5), Drawn(900, 0.7, 6)});
}

TEST(SubsetGramsTest, AlikeSubsetsAndTheirComplementsComeTogether) {
  const Eigen::Index n = 2000;
  const Eigen::MatrixXd rows = Rotated(4, n);
  const Eigen::MatrixXf fast = rows.cast<float>();
  const SubsetGrams grams(fast, rows.rowwise().squaredNorm());
  // Eight subsets of two kinds, every other one, each second of a kind turned around.
  std::vector<Subset> subsets(8);
  for (size_t s = 0; s < subsets.size(); ++s) {
    const Subset kind = Drawn(n, 0.5, s % 2 == 0 ? 7 : 8);
    const bool around = s / 2 % 2 == 1;
    for (Eigen::Index i = 0; i < n; ++i) {
      if (std::binary_search(kind.begin(), kind.end(), i) != around) {
        subsets[s].push_back(i);
      }
    }
  }
  std::vector<const Subset*> all;
  for (const Subset& subset : subsets) all.push_back(&subset);
  const std::vector<size_t> order = grams.Alike(all);
  EXPECT_EQ(std::set<size_t>(order.begin(), order.end()).size(), subsets.size());
  for (size_t k = 0; k < order.size(); ++k) {
    EXPECT_EQ(order[k] % 2, order[k / 4 * 4] % 2) << k;
  }
}

}  // namespace
}  // namespace iat
