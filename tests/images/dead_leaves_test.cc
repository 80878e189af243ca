#include "images/dead_leaves.h"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <numbers>
#include <opencv2/core.hpp>
#include <set>
#include <vector>

#include "base/file.h"
#include "base/parallel.h"

namespace iat {
namespace {

constexpr int kSide = DeadLeaves::kSide;

std::vector<double> Luminance(const Image& image) {
  std::vector<double> luminance(kSide * kSide);
  for (int i = 0; i < kSide * kSide; ++i) {
    const uint8_t* p = &image.pixels[3 * i];
    luminance[i] = 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];
  }
  return luminance;
}

// Least-squares slope of log power against log frequency, 2 to 20 cycles an image.
double LogLogSlope(const std::vector<double>& power) {
  double sx = 0, sy = 0, sxx = 0, sxy = 0, n = 0;
  for (int f = 2; f <= 20; ++f) {
    const double x = std::log(f), y = std::log(power[f]);
    sx += x, sy += y, sxx += x * x, sxy += x * y, ++n;
  }
  return (n * sxy - sx * sy) / (n * sxx - sx * sx);
}

// Mean over rings of whole frequency of the two-dimensional power spectrum.
std::vector<double> RadialPower(const DeadLeaves& world, int num_images) {
  std::vector<double> sum(kSide), count(kSide);
  for (int i = 0; i < num_images; ++i) {
    const std::vector<double> luminance = Luminance(world.Render(i));
    const cv::Mat field(kSide, kSide, CV_64F, const_cast<double*>(luminance.data()));
    cv::Mat2d spectrum;
    cv::dft(field, spectrum, cv::DFT_COMPLEX_OUTPUT);
    for (int y = 0; y < kSide; ++y) {
      for (int x = 0; x < kSide; ++x) {
        const double fy = y < kSide / 2 ? y : y - kSide,
                     fx = x < kSide / 2 ? x : x - kSide;
        const int ring = static_cast<int>(std::lround(std::hypot(fx, fy)));
        sum[ring] +=
            std::norm(std::complex<double>(spectrum(y, x)[0], spectrum(y, x)[1]));
        ++count[ring];
      }
    }
  }
  for (int f = 1; f <= kSide / 2; ++f) sum[f] /= count[f];
  return sum;
}

// Second road, without Fourier in two dimensions: a slice theorem. The spectrum of
// an image summed along one axis is the slice of its spectrum along the other, so
// the two axes' slices sample the same rings; written as plain sums.
std::vector<double> SlicePower(const DeadLeaves& world, int num_images) {
  std::vector<double> power(kSide);
  for (int i = 0; i < num_images; ++i) {
    const std::vector<double> luminance = Luminance(world.Render(i));
    std::vector<double> columns(kSide), rows(kSide);
    for (int y = 0; y < kSide; ++y) {
      for (int x = 0; x < kSide; ++x) {
        columns[x] += luminance[y * kSide + x];
        rows[y] += luminance[y * kSide + x];
      }
    }
    for (int f = 1; f <= 20; ++f) {
      std::complex<double> a = 0, b = 0;
      for (int k = 0; k < kSide; ++k) {
        const auto turn = std::polar(1.0, -2 * std::numbers::pi * f * k / kSide);
        a += columns[k] * turn;
        b += rows[k] * turn;
      }
      power[f] += std::norm(a) + std::norm(b);
    }
  }
  return power;
}

TEST(DeadLeavesTest, PowerFallsAsOneOverFrequencySquared) {
  const DeadLeaves world(11);
  const double slope = LogLogSlope(RadialPower(world, 200));
  EXPECT_LT(slope, -1.7);
  EXPECT_GT(slope, -2.3);
  // Image borders leak onto the axes, and 80 numbers a ring are few: the slices'
  // slope scatters by about 0.1 between seeds.
  EXPECT_NEAR(LogLogSlope(SlicePower(world, 200)), slope, 0.3);
}

TEST(DeadLeavesTest, APictureIsAFunctionOfSeedAndIndex) {
  const DeadLeaves one(3), same(3), other(4);
  constexpr int kImages = 16;
  std::vector<Image> forwards(kImages), parallel(kImages);
  for (int i = 0; i < kImages; ++i) forwards[i] = one.Render(i);
  ASSERT_TRUE(ParallelFor(4, kImages, [&](int64_t i) {
                parallel[kImages - 1 - i] = same.Render(kImages - 1 - i);
                return absl::OkStatus();
              }).ok());
  for (int i = 0; i < kImages; ++i) {
    EXPECT_EQ(forwards[i], parallel[i]) << i;
    EXPECT_NE(forwards[i], other.Render(i)) << i;
  }
}

TEST(DeadLeavesTest, NoStimulusEqualsATrainingImage) {
  const DeadLeaves training(1), stimuli(2);
  std::set<std::string> seen;
  constexpr int kImages = 500;
  for (int i = 0; i < kImages; ++i) {
    for (const DeadLeaves* world : {&training, &stimuli}) {
      const Image image = world->Render(i);
      seen.insert(Sha256(absl::string_view(
          reinterpret_cast<const char*>(image.pixels.data()), image.pixels.size())));
    }
  }
  EXPECT_EQ(seen.size(), 2 * kImages);
}

TEST(DeadLeavesTest, PicturesDiffer) {
  const DeadLeaves world(5);
  constexpr int kImages = 200;
  std::vector<double> means, contrasts;
  for (int i = 0; i < kImages; ++i) {
    const std::vector<double> luminance = Luminance(world.Render(i));
    double sum = 0, squares = 0;
    for (const double value : luminance) sum += value, squares += value * value;
    const double mean = sum / (kSide * kSide);
    means.push_back(mean);
    contrasts.push_back(std::sqrt(squares / (kSide * kSide) - mean * mean));
    // No blank, no burnt-out picture.
    EXPECT_GT(contrasts.back(), 3.0) << i;
    EXPECT_GT(mean, 8.0) << i;
    EXPECT_LT(mean, 247.0) << i;
  }
  const auto deviation = [](const std::vector<double>& values) {
    double sum = 0, squares = 0;
    for (const double value : values) sum += value, squares += value * value;
    const double n = static_cast<double>(values.size());
    return std::sqrt(squares / n - sum * sum / (n * n));
  };
  // Tiny ImageNet's means scatter by 30 grey levels.
  EXPECT_GT(deviation(means), 20.0);
  EXPECT_GT(deviation(contrasts), 10.0);
}

TEST(DeadLeavesTest, IdsNameSeedAndIndex) {
  EXPECT_EQ(DeadLeaves(7).Id(123), "dead-leaves-7-000123");
}

}  // namespace
}  // namespace iat
