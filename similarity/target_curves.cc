#include "similarity/target_curves.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "absl/strings/str_cat.h"
#include "similarity/summary.h"

namespace iat {
namespace {

// R2 by size, as sums until they are divided.
using SizeSums = std::map<int64_t, std::pair<double, int64_t>>;

struct Group {
  std::map<std::string, SizeSums> animals;
  std::set<int64_t> split_seeds, sample_seeds;
  int64_t most_pooled_sources = 0;
};

TargetCurvesKey KeyOf(const SamplingRow& row) {
  const ScoreRow& score = row.score;
  const bool recorded = score.target_stage == "recorded";
  return {.stimuli = score.stimuli,
          .family = recorded ? "recorded" : FamilyOf(score.target_animal),
          .layer = score.target_layer,
          .stage = score.target_stage,
          .scope = score.target_scope,
          .mapping = score.mapping,
          .axis = row.axis,
          .num_fit_stimuli = row.axis == "stimuli" ? 0 : score.num_fit_stimuli,
          .num_test_stimuli = score.num_test_stimuli,
          .num_target_units = recorded ? 0 : score.num_target_units};
}

double MeanAt(const SizeSums::value_type& point) {
  return point.second.first / static_cast<double>(point.second.second);
}

// Linear in log size between the neighbours of `size`, which lies inside the curve.
double ValueAt(const SizeSums& curve, int64_t size) {
  const auto above = curve.lower_bound(size);
  if (above->first == size) return MeanAt(*above);
  const auto below = std::prev(above);
  const double share =
      std::log(static_cast<double>(size) / static_cast<double>(below->first)) /
      std::log(static_cast<double>(above->first) / static_cast<double>(below->first));
  return (1.0 - share) * MeanAt(*below) + share * MeanAt(*above);
}

TargetCurves CurveOf(const TargetCurvesKey& key, const Group& group) {
  TargetCurves curve{.key = key,
                     .animals = {},
                     .sizes = {},
                     .r2 = {},
                     .split_seeds = group.split_seeds,
                     .sample_seeds = group.sample_seeds,
                     .most_pooled_sources = group.most_pooled_sources};
  int64_t smallest = 0, largest = std::numeric_limits<int64_t>::max();
  std::set<int64_t> sizes;
  for (const auto& [animal, points] : group.animals) {
    curve.animals.push_back(animal);
    smallest = std::max(smallest, points.begin()->first);
    largest = std::min(largest, points.rbegin()->first);
    for (const auto& [size, unused] : points) sizes.insert(size);
  }
  for (const int64_t size : sizes) {
    if (size >= smallest && size <= largest) {
      curve.sizes.push_back(static_cast<double>(size));
    }
  }
  curve.r2.resize(static_cast<Eigen::Index>(curve.animals.size()),
                  static_cast<Eigen::Index>(curve.sizes.size()));
  Eigen::Index row = 0;
  for (const auto& [animal, points] : group.animals) {
    for (Eigen::Index i = 0; i < curve.r2.cols(); ++i) {
      curve.r2(row, i) = ValueAt(points, static_cast<int64_t>(curve.sizes[i]));
    }
    ++row;
  }
  return curve;
}

}  // namespace

std::string TargetCurvesKey::Name() const {
  return absl::StrCat(family, " ", layer, "/", stage, " ", mapping, ", ", axis);
}

Eigen::VectorXd TargetCurves::Mean() const { return r2.colwise().mean(); }

Eigen::VectorXd TargetCurves::MeanWithout(Eigen::Index animal) const {
  return (r2.colwise().sum() - r2.row(animal)) / static_cast<double>(r2.rows() - 1);
}

Eigen::VectorXd TargetCurves::Spread() const {
  const double m = static_cast<double>(r2.rows());
  if (r2.rows() < 2) return Eigen::VectorXd::Zero(r2.cols());
  const Eigen::VectorXd variance =
      (r2.rowwise() - r2.colwise().mean()).colwise().squaredNorm() / (m - 1.0) / m;
  return ((variance.array() + variance.mean()) / 2.0).sqrt();
}

std::vector<TargetCurves> MakeTargetCurves(const std::vector<SamplingRow>& rows) {
  std::map<TargetCurvesKey, Group> groups;
  for (const SamplingRow& row : rows) {
    const ScoreRow& score = row.score;
    if (score.source_layer != score.target_layer ||
        score.source_stage != score.target_stage || std::isnan(score.median_r2)) {
      continue;
    }
    Group& group = groups[KeyOf(row)];
    auto& [sum, count] = group.animals[score.target_animal][row.size];
    sum += score.median_r2;
    ++count;
    group.split_seeds.insert(score.split_seed);
    group.sample_seeds.insert(row.sample_seed);
    group.most_pooled_sources =
        std::max(group.most_pooled_sources, row.num_pooled_sources);
  }
  std::vector<TargetCurves> curves;
  for (const auto& [key, group] : groups) {
    TargetCurves curve = CurveOf(key, group);
    if (curve.sizes.size() >= 2) curves.push_back(std::move(curve));
  }
  return curves;
}

}  // namespace iat
