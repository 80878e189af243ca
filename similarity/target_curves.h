// From rows of subsample.csv or calibrate.csv to curves: R2 against size, one curve a
// target animal.
//
//   median over units (in the row) -> mean over sources, splits and subsamples of a
//   target animal -> mean over target animals
//
// Groups     stimuli, family, layer, stage, scope, mapping, axis, numbers of stimuli and
//            of target units. Rows that map one layer or stage onto another are left
//            out, and so are rows without a score. Recorded animals are one family
//            whatever their names, and the number of their neurons is not part of the
//            group, since it differs between animals.
// Sizes      Those from the largest of the animals' smallest sizes to the smallest of
//            their largest ones. An animal without one of them (pools of recorded
//            animals differ in size) is interpolated there, linearly in log size.
// Intervals  A target animal's curve is the unit of resampling (similarity/jackknife.h).
//            Its pool of sources may hold animals that are targets elsewhere, which no
//            leaving out of rows undoes.
// Spread     of a point: standard error of the mean over target animals, half way
//            (in variance) to the mean over all sizes. With m animals a spread is
//            itself uncertain by a share of 1 / sqrt(2 (m - 1)), and weights from raw
//            spreads would follow that noise. Zero for one animal.
//
// Example:
//   const auto rows = ReadSampling("scores/subsample.csv");
//   for (const TargetCurves& curve : MakeTargetCurves(*rows)) curve.Mean();

#ifndef IAT_SIMILARITY_TARGET_CURVES_H_
#define IAT_SIMILARITY_TARGET_CURVES_H_

#include <Eigen/Core>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/sampling_table.h"

namespace iat {

struct TargetCurvesKey {
  std::string stimuli, family, layer, stage, scope, mapping;
  std::string axis;  // "stimuli" or "units"
  // Fit stimuli; 0 where they are what is subsampled.
  int64_t num_fit_stimuli = 0, num_test_stimuli = 0;
  int64_t num_target_units = 0;  // 0 for recorded animals

  // "seed conv3/post_relu ridge, units".
  std::string Name() const;
  auto operator<=>(const TargetCurvesKey&) const = default;
};

struct TargetCurves {
  TargetCurvesKey key;
  std::vector<std::string> animals;  // targets, sorted
  std::vector<double> sizes;         // ascending
  Eigen::MatrixXd r2;                // animals x sizes
  std::set<int64_t> split_seeds, sample_seeds;
  int64_t most_pooled_sources = 0;

  Eigen::VectorXd Mean() const;
  Eigen::VectorXd MeanWithout(Eigen::Index animal) const;  // of at least two animals
  Eigen::VectorXd Spread() const;
};

// By key. Curves of fewer than two common sizes are left out.
std::vector<TargetCurves> MakeTargetCurves(const std::vector<SamplingRow>& rows);

}  // namespace iat

#endif  // IAT_SIMILARITY_TARGET_CURVES_H_
