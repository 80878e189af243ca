#include "similarity/rsa.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "similarity/linear_algebra.h"

namespace iat {
namespace {

constexpr Eigen::Index kPairTile = 512;
// Dissimilarities are ranked as multiples of this.
constexpr double kKeysPerUnit = 1099511627776.0;  // 2^40
constexpr int64_t kMaxSteps = int64_t{1} << 22;
// Below this share of the sum of squared similarities, their variation is rounding.
constexpr double kRankRounding = 1e-13;

// Patterns over units of mean 0 and norm 1, stimuli x units. A row without a pattern is
// 0.
struct Patterns {
  Eigen::MatrixXd rows;
  std::vector<Eigen::Index> undefined;
};

const Patterns& PatternsOf(MetricData& data) {
  return data.Shared<Patterns>([&] {
    Patterns patterns;
    const Eigen::MatrixXd& x = data.values();
    patterns.rows.resize(x.rows(), x.cols());
    for (Eigen::Index i = 0; i < x.rows(); ++i) {
      Eigen::RowVectorXd pattern = x.row(i);
      if (pattern.minCoeff() == pattern.maxCoeff()) {
        patterns.undefined.push_back(i);
        patterns.rows.row(i).setZero();
        continue;
      }
      int exponent = 0;
      std::frexp(pattern.cwiseAbs().maxCoeff(), &exponent);
      pattern *= std::ldexp(1.0, -exponent);
      // Again, for patterns whose mean is far above their deviation.
      pattern.array() -= pattern.mean();
      pattern.array() -= pattern.mean();
      patterns.rows.row(i) = pattern / pattern.stableNorm();
    }
    return patterns;
  });
}

// What the Pearson correlation needs of one animal.
struct PatternMoments {
  Eigen::MatrixXd centred;     // C
  Eigen::VectorXd along_mean;  // s
  double spread = 0.0;         // a
  double with_itself = 0.0;    // ||C'C||_F^2
};

PatternMoments MomentsOf(const Eigen::MatrixXd& rows) {
  PatternMoments moments;
  const Eigen::RowVectorXd mean = rows.colwise().mean();
  moments.centred = rows.rowwise() - mean;
  moments.along_mean = moments.centred * mean.transpose();
  moments.spread = moments.centred.squaredNorm() / static_cast<double>(rows.rows());
  moments.with_itself = SquaredCrossNorm(moments.centred, moments.centred);
  return moments;
}

// Sum over i != j of (d^X - mean)(d^Y - mean).
double CrossMoment(const PatternMoments& x, const PatternMoments& y, double product) {
  const double n = static_cast<double>(x.along_mean.size());
  return 2.0 * n * x.along_mean.dot(y.along_mean) + product -
         n * n * x.spread * y.spread / (n - 1.0);
}

// NaN where all pairs are equally far apart in one of the animals.
double PearsonOfDissimilarities(const PatternMoments& x, const PatternMoments& y) {
  const double own_x = CrossMoment(x, x, x.with_itself);
  const double own_y = CrossMoment(y, y, y.with_itself);
  if (!(own_x > kRankRounding * x.with_itself) ||
      !(own_y > kRankRounding * y.with_itself)) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  const double product = SquaredCrossNorm(x.centred, y.centred);
  return std::clamp(CrossMoment(x, y, product) / std::sqrt(own_x * own_y), -1.0, 1.0);
}

int64_t Key(double correlation) {
  return std::llround((1.0 - correlation) * kKeysPerUnit);
}

// Calls visit(key of X, key of Y) for every pair of stimuli, always in the same order.
template <typename Visit>
void VisitPairs(const Eigen::MatrixXd& x, const Eigen::MatrixXd& y, Visit visit) {
  const Eigen::Index n = x.cols();
  Eigen::MatrixXd of_x, of_y;
  const auto multiply = [](const Eigen::MatrixXd& z, Eigen::Index first,
                           Eigen::Index num_first, Eigen::Index second,
                           Eigen::Index num_second, Eigen::MatrixXd& tile) {
    tile.resize(num_first, num_second);
    MultiplyTile(true, num_first, num_second, z.rows(), z.data() + first * z.rows(),
                 z.rows(), z.data() + second * z.rows(), z.rows(), tile.data(),
                 num_first);
  };
  for (Eigen::Index first = 0; first < n; first += kPairTile) {
    for (Eigen::Index second = first; second < n; second += kPairTile) {
      const Eigen::Index num_first = std::min(kPairTile, n - first);
      const Eigen::Index num_second = std::min(kPairTile, n - second);
      multiply(x, first, num_first, second, num_second, of_x);
      multiply(y, first, num_first, second, num_second, of_y);
      for (Eigen::Index j = 0; j < num_second; ++j) {
        const Eigen::Index end = first == second ? j : num_first;
        for (Eigen::Index i = 0; i < end; ++i) visit(Key(of_x(i, j)), Key(of_y(i, j)));
      }
    }
  }
}

// Ranks less their mean, ties sharing theirs.
std::vector<double> CentredRanks(const std::vector<int64_t>& keys) {
  std::vector<uint32_t> order(keys.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return keys[a] < keys[b]; });
  std::vector<double> ranks(keys.size());
  const double middle = 0.5 * (static_cast<double>(keys.size()) - 1.0);
  for (size_t first = 0; first < order.size();) {
    size_t end = first + 1;
    while (end < order.size() && keys[order[end]] == keys[order[first]]) ++end;
    const double rank = 0.5 * static_cast<double>(first + end - 1) - middle;
    for (size_t k = first; k < end; ++k) ranks[order[k]] = rank;
    first = end;
  }
  return ranks;
}

double RankCorrelationBySorting(const Eigen::MatrixXd& x, const Eigen::MatrixXd& y) {
  std::vector<int64_t> keys_x, keys_y;
  VisitPairs(x, y, [&](int64_t of_x, int64_t of_y) {
    keys_x.push_back(of_x);
    keys_y.push_back(of_y);
  });
  const std::vector<double> ranks_x = CentredRanks(keys_x),
                            ranks_y = CentredRanks(keys_y);
  const Eigen::Map<const Eigen::VectorXd> r(ranks_x.data(), ranks_x.size());
  const Eigen::Map<const Eigen::VectorXd> s(ranks_y.data(), ranks_y.size());
  return r.dot(s) / std::sqrt(r.squaredNorm() * s.squaredNorm());
}

// Counts of keys in equal steps, and then the rank of each step.
class RankTable {
 public:
  RankTable(int64_t smallest, int64_t largest) : smallest_(smallest) {
    while ((largest - smallest) >> shift_ >= kMaxSteps) ++shift_;
    counts_.assign(((largest - smallest) >> shift_) + 1, 0);
  }
  void Count(int64_t key) { ++counts_[Step(key)]; }
  void MakeRanks() {
    const int64_t total = std::accumulate(counts_.begin(), counts_.end(), int64_t{0});
    const double middle = 0.5 * (static_cast<double>(total) - 1.0);
    int64_t before = 0;
    ranks_.resize(counts_.size());
    for (size_t step = 0; step < counts_.size(); ++step) {
      ranks_[step] = 0.5 * static_cast<double>(2 * before + counts_[step] - 1) - middle;
      before += counts_[step];
    }
  }
  double Rank(int64_t key) const { return ranks_[Step(key)]; }
  // Sum over all pairs of their squared rank.
  double SquaredNorm() const {
    double sum = 0.0;
    for (size_t step = 0; step < counts_.size(); ++step) {
      sum += static_cast<double>(counts_[step]) * ranks_[step] * ranks_[step];
    }
    return sum;
  }

 private:
  size_t Step(int64_t key) const { return (key - smallest_) >> shift_; }
  const int64_t smallest_;
  int shift_ = 0;
  std::vector<int64_t> counts_;
  std::vector<double> ranks_;
};

double RankCorrelationByCounting(const Eigen::MatrixXd& x, const Eigen::MatrixXd& y) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  int64_t low_x = kMax, high_x = -kMax, low_y = kMax, high_y = -kMax;
  VisitPairs(x, y, [&](int64_t of_x, int64_t of_y) {
    low_x = std::min(low_x, of_x);
    high_x = std::max(high_x, of_x);
    low_y = std::min(low_y, of_y);
    high_y = std::max(high_y, of_y);
  });
  RankTable table_x(low_x, high_x), table_y(low_y, high_y);
  VisitPairs(x, y, [&](int64_t of_x, int64_t of_y) {
    table_x.Count(of_x);
    table_y.Count(of_y);
  });
  table_x.MakeRanks();
  table_y.MakeRanks();
  double product = 0.0;
  VisitPairs(x, y, [&](int64_t of_x, int64_t of_y) {
    product += table_x.Rank(of_x) * table_y.Rank(of_y);
  });
  return product / std::sqrt(table_x.SquaredNorm() * table_y.SquaredNorm());
}

class RsaMetric : public Metric {
 public:
  explicit RsaMetric(bool ranks) : ranks_(ranks) {}

 protected:
  absl::StatusOr<MetricResult> Measure(MetricData& source,
                                       MetricData& target) const override {
    for (const MetricData* data : {&source, &target}) {
      if (data->num_units() > 1) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("rsa correlates patterns over units and needs at least 2; ",
                       data->name(), " has 1"));
    }
    const Patterns& x = PatternsOf(source);
    const Patterns& y = PatternsOf(target);
    std::vector<Eigen::Index> left_out;
    std::set_union(x.undefined.begin(), x.undefined.end(), y.undefined.begin(),
                   y.undefined.end(), std::back_inserter(left_out));
    MetricResult result;
    if (!left_out.empty()) {
      result.note = absl::StrCat(left_out.size(), " of ", source.num_stimuli(),
                                 " stimuli left out: the same response in every unit");
    }
    if (source.num_stimuli() - static_cast<Eigen::Index>(left_out.size()) < 3) {
      return absl::InvalidArgumentError(
          absl::StrCat("rsa needs at least 3 stimuli; ", source.name(), " and ",
                       target.name(), " have ", source.num_stimuli(),
                       result.note.empty() ? "" : absl::StrCat(", ", result.note)));
    }
    if (ranks_) {
      result.value = RankCorrelationOfDissimilarities(
          Without(x.rows, left_out).transpose(), Without(y.rows, left_out).transpose());
    } else if (left_out.empty()) {
      result.value = PearsonOfDissimilarities(Moments(source), Moments(target));
    } else {
      result.value = PearsonOfDissimilarities(MomentsOf(Without(x.rows, left_out)),
                                              MomentsOf(Without(y.rows, left_out)));
    }
    if (std::isnan(result.value)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "rsa is not defined: all pairs of stimuli are equally far apart in ",
          source.name(), " or ", target.name()));
    }
    return result;
  }

 private:
  static const PatternMoments& Moments(MetricData& data) {
    return data.Shared<PatternMoments>([&] { return MomentsOf(PatternsOf(data).rows); });
  }

  static Eigen::MatrixXd Without(const Eigen::MatrixXd& rows,
                                 const std::vector<Eigen::Index>& left_out) {
    std::vector<Eigen::Index> all(rows.rows()), kept;
    std::iota(all.begin(), all.end(), 0);
    std::set_difference(all.begin(), all.end(), left_out.begin(), left_out.end(),
                        std::back_inserter(kept));
    return rows(kept, Eigen::all);
  }

  const bool ranks_;
};

}  // namespace

double RankCorrelationOfDissimilarities(const Eigen::MatrixXd& source,
                                        const Eigen::MatrixXd& target,
                                        int64_t max_sorted_pairs) {
  const int64_t n = source.cols();
  return n * (n - 1) / 2 <= max_sorted_pairs ? RankCorrelationBySorting(source, target)
                                             : RankCorrelationByCounting(source, target);
}

std::unique_ptr<Metric> MakeRsaMetric(const MetricOptions&) {
  return std::make_unique<RsaMetric>(/*ranks=*/false);
}
std::unique_ptr<Metric> MakeRsaSpearmanMetric(const MetricOptions&) {
  return std::make_unique<RsaMetric>(/*ranks=*/true);
}

}  // namespace iat
