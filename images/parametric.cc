#include "images/parametric.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <opencv2/core.hpp>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/csv.h"
#include "base/random.h"
#include "base/status.h"
#include "images/source_part.h"

namespace iat {
namespace {

constexpr double kNoiseDeviation = 0.2;

uint8_t Byte(double intensity) {
  return static_cast<uint8_t>(std::lround(255.0 * std::clamp(intensity, 0.0, 1.0)));
}

// One intensity a pixel, in three equal channels.
Image GreyImage(const std::vector<double>& intensities, int size) {
  Image image{size, size, std::vector<uint8_t>(3 * intensities.size())};
  for (size_t i = 0; i < intensities.size(); ++i) {
    std::fill_n(image.pixels.begin() + static_cast<int64_t>(3 * i), 3,
                Byte(intensities[i]));
  }
  return image;
}

class ParametricSource : public SourcePart {
 public:
  explicit ParametricSource(ImageOptions options) : options_(std::move(options)) {}

  absl::StatusOr<std::vector<ImageEntry>> List() override {
    std::vector<ImageEntry> entries;
    const auto add = [&](std::string id) {
      entries.push_back({std::move(id), -1, "", options_.source});
    };
    if (options_.source == "gratings") {
      gratings_ = Gratings(options_.gratings);
      for (const Grating& grating : gratings_) add(grating.Id());
      return entries;
    }
    entries.reserve(options_.count);
    for (int64_t i = 0; i < options_.count; ++i) {
      add(options_.source == "grey"
              ? absl::StrFormat("grey-%03d", Level(i))
              : absl::StrFormat("%s-%d-%06d", options_.source, options_.seed, i));
    }
    return entries;
  }

  absl::StatusOr<std::unique_ptr<Reader>> Open() const override {
    return std::make_unique<RandomAccessReader>([this](int64_t position) -> LoadImage {
      return [this, position]() -> absl::StatusOr<Image> { return Render(position); };
    });
  }

 private:
  uint8_t Level(int64_t i) const {
    if (options_.count == 1) return 128;
    return static_cast<uint8_t>(std::lround(255.0 * static_cast<double>(i) /
                                            static_cast<double>(options_.count - 1)));
  }

  Image Render(int64_t position) const {
    const int size = static_cast<int>(options_.size);
    if (options_.source == "gratings") return RenderGrating(gratings_[position], size);
    if (options_.source == "grey") return RenderGrey(Level(position), size);
    const auto seed = static_cast<uint64_t>(options_.seed);
    return options_.source == "pink-noise" ? RenderPinkNoise(seed, position, size)
                                           : RenderWhiteNoise(seed, position, size);
  }

  ImageOptions options_;
  std::vector<Grating> gratings_;
};

}  // namespace

void GratingOptions::Describe(OptionVisitor& visitor) {
  visitor.Choice("motion", motion, {"static", "drifting"},
                 "orientations over 180 degrees, or directions over 360 with the phases "
                 "as frames of one period");
  visitor.Integer("num_orientations", num_orientations, {.min = 1, .max = 360},
                  "orientations or directions");
  visitor.Numbers("spatial_frequencies", spatial_frequencies,
                  {.min = 0.0, .max = 256.0, .min_excluded = true}, "cycles per picture");
  visitor.Integer("num_phases", num_phases, {.min = 1, .max = 360},
                  "phases, evenly spaced over a period");
  visitor.Numbers("contrasts", contrasts, {.min = 0.0, .max = 1.0, .min_excluded = true},
                  "(brightest - darkest) / (brightest + darkest)");
}

absl::Status GratingOptions::Validate() const {
  const std::pair<const char*, const std::vector<double>*> lists[] = {
      {"spatial_frequencies", &spatial_frequencies}, {"contrasts", &contrasts}};
  for (const auto& [name, values] : lists) {
    const std::set<double> different(values->begin(), values->end());
    if (values->empty() || different.size() != values->size()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "gratings.", name, values->empty() ? " is empty" : " has a value twice",
          "; expected different numbers"));
    }
  }
  return absl::OkStatus();
}

std::string Grating::Id() const {
  return absl::StrCat("grating-o", FormatNumber(orientation), "-f",
                      FormatNumber(spatial_frequency), "-p", FormatNumber(phase), "-c",
                      FormatNumber(contrast));
}

std::vector<Grating> Gratings(const GratingOptions& options) {
  const double turn = options.motion == "drifting" ? 360.0 : 180.0;
  std::vector<Grating> gratings;
  for (int64_t o = 0; o < options.num_orientations; ++o) {
    for (const double frequency : options.spatial_frequencies) {
      for (const double contrast : options.contrasts) {
        for (int64_t p = 0; p < options.num_phases; ++p) {
          gratings.push_back(
              {.orientation = turn * static_cast<double>(o) /
                              static_cast<double>(options.num_orientations),
               .spatial_frequency = frequency,
               .phase = 360.0 * static_cast<double>(p) /
                        static_cast<double>(options.num_phases),
               .contrast = contrast});
        }
      }
    }
  }
  return gratings;
}

Image RenderGrating(const Grating& grating, int size) {
  constexpr double kRadians = std::numbers::pi / 180.0;
  const double cosine = std::cos(grating.orientation * kRadians);
  const double sine = std::sin(grating.orientation * kRadians);
  const double center = 0.5 * (size - 1);
  std::vector<double> intensities;
  intensities.reserve(static_cast<size_t>(size) * size);
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      const double along = (x - center) * cosine + (y - center) * sine;
      const double angle =
          2.0 * std::numbers::pi * grating.spatial_frequency * along / size -
          grating.phase * kRadians;
      intensities.push_back(0.5 * (1.0 + grating.contrast * std::sin(angle)));
    }
  }
  return GreyImage(intensities, size);
}

Image RenderWhiteNoise(uint64_t seed, int64_t index, int size) {
  RandomStream stream(seed, "white-noise", static_cast<uint64_t>(index));
  std::vector<double> intensities(static_cast<size_t>(size) * size);
  for (double& value : intensities) value = 0.5 + kNoiseDeviation * stream.Normal();
  return GreyImage(intensities, size);
}

Image RenderPinkNoise(uint64_t seed, int64_t index, int size) {
  RandomStream stream(seed, "pink-noise", static_cast<uint64_t>(index));
  cv::Mat1d noise(size, size);
  for (double& value : noise) value = stream.Normal();
  cv::Mat2d spectrum;
  cv::dft(noise, spectrum, cv::DFT_COMPLEX_OUTPUT);
  for (int row = 0; row < size; ++row) {
    for (int column = 0; column < size; ++column) {
      const double frequency =
          std::hypot(std::min(row, size - row), std::min(column, size - column));
      spectrum(row, column) *= frequency == 0.0 ? 0.0 : 1.0 / frequency;
    }
  }
  cv::dft(spectrum, noise, cv::DFT_INVERSE | cv::DFT_SCALE | cv::DFT_REAL_OUTPUT);
  double squares = 0.0;
  for (const double value : noise) squares += value * value;
  const double scale = kNoiseDeviation / std::sqrt(squares / (size * size));
  std::vector<double> intensities;
  for (const double value : noise) intensities.push_back(0.5 + scale * value);
  return GreyImage(intensities, size);
}

Image RenderGrey(uint8_t level, int size) {
  return {size, size, std::vector<uint8_t>(static_cast<size_t>(size) * size * 3, level)};
}

std::unique_ptr<SourcePart> ParametricPart(const ImageOptions& options) {
  return std::make_unique<ParametricSource>(options);
}

}  // namespace iat
