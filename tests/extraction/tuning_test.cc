#include "extraction/tuning.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "images/image.h"
#include "models/inference.h"

namespace iat {
namespace {

TEST(TuningTest, ACosineUnitShowsItsPeakAndSelectivity) {
  GratingOptions options;
  options.num_orientations = 12;
  options.spatial_frequencies = {2, 4};
  options.num_phases = 3;
  options.contrasts = {0.5, 1.0};
  const auto gratings = Gratings(options);
  Eigen::ArrayXf responses(static_cast<Eigen::Index>(gratings.size()));
  for (size_t g = 0; g < gratings.size(); ++g) {
    const double angle = (gratings[g].orientation - 40.0) * std::numbers::pi / 90.0;
    responses[static_cast<Eigen::Index>(g)] = static_cast<float>(
        gratings[g].contrast * (gratings[g].spatial_frequency == 4 ? 2.0 : 1.0) *
        (1.0 + 0.6 * std::cos(angle)));
  }
  const Tuning tuning = TuningOf(gratings, responses);
  EXPECT_EQ(tuning.best_orientation, 45.0);  // the grid's nearest
  EXPECT_EQ(tuning.best_frequency, 4.0);
  // sum R e^(2io) = n 0.6 / 2 e^(2i 40 degrees) R0, sum R = n R0.
  EXPECT_NEAR(tuning.orientation, 40.0, 1e-4);
  EXPECT_NEAR(tuning.selectivity, 0.3, 1e-6);
  ASSERT_EQ(tuning.by_orientation.size(), 12u);
  EXPECT_NEAR(tuning.by_orientation[3].second,
              2.0 * (1.0 + 0.6 * std::cos(10.0 * std::numbers::pi / 180.0)), 1e-6);
  EXPECT_EQ(tuning.by_frequency.size(), 2u);
}

TEST(TuningTest, ASilentUnitHasNone) {
  const auto gratings = Gratings({});
  const Tuning tuning = TuningOf(
      gratings, Eigen::ArrayXf::Zero(static_cast<Eigen::Index>(gratings.size())));
  EXPECT_TRUE(std::isnan(tuning.orientation));
  EXPECT_TRUE(std::isnan(tuning.selectivity));
}

struct Gabor {
  double orientation;  // degrees
  double cycles;       // a picture of 64 pixels
};

// Gabors of conv1's size in conv1's place: the same weight on the three channels.
InferenceChain GaborChain(const std::vector<Gabor>& gabors) {
  constexpr int kSide = 11;
  InferenceStep step{.kind = InferenceStep::Kind::kConvolution,
                     .kernel = kSide,
                     .stride = 4,
                     .padding = 2,
                     .outputs = static_cast<int64_t>(gabors.size())};
  for (const Gabor& gabor : gabors) {
    std::vector<float> values;
    double mean = 0.0;
    for (int y = 0; y < kSide; ++y) {
      for (int x = 0; x < kSide; ++x) {
        const double o = gabor.orientation * std::numbers::pi / 180.0;
        const double along = (x - 5) * std::cos(o) + (y - 5) * std::sin(o);
        const double envelope =
            std::exp(-((x - 5) * (x - 5) + (y - 5) * (y - 5)) / (2.0 * 3.0 * 3.0));
        values.push_back(static_cast<float>(
            envelope * std::cos(2.0 * std::numbers::pi * gabor.cycles * along / 64.0)));
        mean += values.back() / (kSide * kSide);
      }
    }
    for (int channel = 0; channel < 3; ++channel) {
      for (const float value : values) {
        step.weight.push_back(value - static_cast<float>(mean));
      }
    }
    step.bias.push_back(0.0f);
  }
  InferenceChain chain;
  chain.steps.push_back(std::move(step));
  chain.steps.push_back({.kind = InferenceStep::Kind::kRelu, .layer = "conv1"});
  return chain;
}

TEST(TuningTest, PlantedGaborsShowTheirOwnOrientationAndFrequency) {
  const std::vector<Gabor> gabors = {{0, 8}, {45, 8}, {90, 12}, {112.5, 8}, {157.5, 12}};
  GratingOptions options;
  options.spatial_frequencies = {2, 4, 8, 12, 20};
  options.num_phases = 8;
  const auto gratings = Gratings(options);
  const InferenceChain chain = GaborChain(gabors);
  UnitCoordinates centre;
  for (size_t g = 0; g < gabors.size(); ++g) {
    centre.channel.push_back(static_cast<int32_t>(g));
    centre.row.push_back(7);
    centre.column.push_back(7);
  }
  const auto n = static_cast<int64_t>(gratings.size());
  const auto engine = InferenceEngine::Create(chain, {{"conv1", centre}}, n);
  ASSERT_TRUE(engine.ok()) << engine.status();
  std::vector<float> input(static_cast<size_t>(64 * n * 64 * 3));
  for (int64_t i = 0; i < n; ++i) {
    const Image image = RenderGrating(gratings[i], 64);
    std::vector<float> planes(3 * 64 * 64);
    NormalizeInto(image.pixels.data(), 64, 64, planes.data());
    for (int64_t p = 0; p < 64 * 64; ++p) {
      for (int64_t c = 0; c < 3; ++c) {
        input[(((p / 64) * n + i) * 64 + p % 64) * 3 + c] = planes[c * 64 * 64 + p];
      }
    }
  }
  InferenceEngine::Workspace workspace;
  std::vector<UnitResponses> responses;
  engine->Run(input.data(), workspace, responses);
  for (size_t g = 0; g < gabors.size(); ++g) {
    const Tuning tuning =
        TuningOf(gratings, responses[0].post.col(static_cast<Eigen::Index>(g)).array());
    EXPECT_EQ(tuning.best_orientation, gabors[g].orientation);
    EXPECT_EQ(tuning.best_frequency, gabors[g].cycles);
    const double off = std::fabs(tuning.orientation - gabors[g].orientation);
    EXPECT_LT(std::min(off, 180.0 - off), 3.0) << gabors[g].orientation;
    EXPECT_GT(tuning.selectivity, 0.3);
  }
}

}  // namespace
}  // namespace iat
