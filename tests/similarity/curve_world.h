// Planted sampling curves: networks on f(m) = L arctan(k m) + b, recorded animals on
// g(n) = f(n / alpha), with noise that animals share over sizes and noise of every point.

#ifndef IAT_TESTS_SIMILARITY_CURVE_WORLD_H_
#define IAT_TESTS_SIMILARITY_CURVE_WORLD_H_

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/random.h"
#include "base/sampling_table.h"
#include "similarity/curve_fit.h"
#include "similarity/target_curves.h"

namespace iat {

// Rounded log-spaced sizes, none twice.
inline std::vector<int64_t> LogSizes(double smallest, double largest, int count) {
  std::vector<int64_t> sizes = {};
  for (int i = 0; i < count; ++i) {
    const auto size = static_cast<int64_t>(
        std::lround(smallest * std::pow(largest / smallest, i / (count - 1.0))));
    if (sizes.empty() || size > sizes.back()) sizes.push_back(size);
  }
  return sizes;
}

struct PlantedAnimals {
  std::string family = "seed", stage = "post_relu", layer = "conv3", axis = "units";
  std::string mapping = "ridge", stimuli = "scenes";
  int num_animals = 6;
  std::vector<int64_t> sizes = {};
  int64_t num_fit_stimuli = 59, num_test_stimuli = 59;
  double animal_noise = 0.0;  // deviation of an animal's whole curve
  double point_noise = 0.0;   // deviation of each of its points
};

// Rows of two splits and two subsamples; noise streams of `seed`.
inline std::vector<SamplingRow> PlantedRows(const PlantedAnimals& world,
                                            const std::function<double(double)>& r2,
                                            uint64_t seed) {
  std::vector<SamplingRow> rows;
  for (int animal = 0; animal < world.num_animals; ++animal) {
    RandomStream noise(seed, world.family + "noise", animal);
    const double offset = world.animal_noise * noise.Normal();
    for (const int64_t size : world.sizes) {
      const double value =
          r2(static_cast<double>(size)) + offset + world.point_noise * noise.Normal();
      for (int64_t split = 0; split < 2; ++split) {
        for (int64_t sample = 0; sample < 2; ++sample) {
          SamplingRow row;
          row.axis = world.axis;
          row.size = size;
          row.sample_seed = sample;
          row.num_pooled_sources = 9;
          ScoreRow& score = row.score;
          score.stimuli = world.stimuli;
          score.source_animal = "pool";
          score.target_animal = absl::StrFormat("%s-%03d", world.family, animal);
          score.source_layer = score.target_layer = world.layer;
          score.source_stage = score.target_stage = world.stage;
          score.source_scope = score.target_scope = "hypercolumn";
          score.mapping = world.mapping;
          score.split_seed = split;
          score.num_fit_stimuli = world.axis == "stimuli" ? size : world.num_fit_stimuli;
          score.num_test_stimuli = world.num_test_stimuli;
          score.num_source_units = world.axis == "units" ? size : 256;
          score.num_target_units = score.num_scored_units = 256;
          // Splits and subsamples that cancel: a target's mean is `value`.
          score.median_r2 = value + 0.01 * (split - 0.5) + 0.004 * (sample - 0.5);
          rows.push_back(row);
        }
      }
    }
  }
  return rows;
}

inline TargetCurves PlantedCurve(const PlantedAnimals& world,
                                 const std::function<double(double)>& r2, uint64_t seed) {
  return MakeTargetCurves(PlantedRows(world, r2, seed)).at(0);
}

}  // namespace iat

#endif  // IAT_TESTS_SIMILARITY_CURVE_WORLD_H_
