#include "images/contact_sheet.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "base/status.h"

namespace iat {
namespace {

constexpr size_t kShownSizes = 5;
constexpr size_t kShownSkipped = 10;

std::string Plural(int64_t count, absl::string_view word) {
  return absl::StrCat(count, " ", word, count == 1 ? "" : "s");
}

std::string LabelsInWords(const PackedSet& set) {
  std::vector<int64_t> counts(set.num_labels());
  int64_t unlabelled = 0;
  for (const int label : set.labels()) {
    if (label < 0) {
      ++unlabelled;
    } else {
      ++counts[label];
    }
  }
  std::string text = "none";
  if (!counts.empty()) {
    const auto [least, most] = std::minmax_element(counts.begin(), counts.end());
    text = absl::StrCat(counts.size(), " (", set.label_names().front(), " to ",
                        set.label_names().back(), "), ");
    absl::StrAppend(&text, *least == *most
                               ? absl::StrCat(Plural(*least, "image"), " each")
                               : absl::StrCat(*least, " to ", *most, " images each"));
    if (unlabelled > 0) absl::StrAppend(&text, ", ", unlabelled, " without");
  }
  return text;
}

std::string SizesInWords(const PackedSet& set) {
  if (set.original_sizes().empty()) return "not recorded";
  std::string text;
  const auto& sizes = set.original_sizes();
  for (size_t i = 0; i < std::min(sizes.size(), kShownSizes); ++i) {
    absl::StrAppend(&text, i == 0 ? "" : ", ", sizes[i].first, " (", sizes[i].second,
                    ")");
  }
  if (sizes.size() > kShownSizes) {
    absl::StrAppend(&text, " and ", Plural(sizes.size() - kShownSizes, "other size"));
  }
  return text;
}

// Mean and deviation of each channel over at most a few thousand images.
std::string PixelsInWords(const PackedSet& set) {
  constexpr int64_t kSampled = 2000;
  const int64_t step = std::max<int64_t>(1, set.size() / kSampled);
  const size_t area = static_cast<size_t>(set.height()) * set.width();
  std::array<double, 3> sum{}, squares{};
  double count = 0;
  int64_t num_grey = 0, num_sampled = 0;
  for (int64_t i = 0; i < set.size(); i += step) {
    const uint8_t* pixels = set.pixels(i);
    bool is_grey = true;
    for (size_t p = 0; p < area; ++p, pixels += 3) {
      for (int c = 0; c < 3; ++c) {
        sum[c] += pixels[c];
        squares[c] += static_cast<double>(pixels[c]) * pixels[c];
      }
      is_grey = is_grey && pixels[0] == pixels[1] && pixels[1] == pixels[2];
    }
    count += static_cast<double>(area);
    num_grey += is_grey;
    ++num_sampled;
  }
  std::array<double, 3> mean{}, deviation{};
  for (int c = 0; c < 3; ++c) {
    mean[c] = sum[c] / count;
    deviation[c] = std::sqrt(std::max(0.0, squares[c] / count - mean[c] * mean[c]));
  }
  return absl::StrFormat(
      "mean %.1f %.1f %.1f, deviation %.1f %.1f %.1f of 255 (R G B, %d images, %d of "
      "them "
      "grey)",
      mean[0], mean[1], mean[2], deviation[0], deviation[1], deviation[2], num_sampled,
      num_grey);
}

}  // namespace

absl::StatusOr<Image> MakeContactSheet(const PackedSet& set,
                                       const ContactSheetOptions& options) {
  if (set.size() == 0) return absl::InvalidArgumentError("no images to show");
  if (options.max_images < 1 || options.columns < 0 || options.gap < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "contact sheet of ", options.max_images, " images in ", options.columns,
        " columns with gap ", options.gap, "; expected at least 1, 0 and 0"));
  }
  const int64_t shown = std::min(options.max_images, set.size());
  const int64_t columns =
      options.columns > 0
          ? options.columns
          : static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(shown))));
  const int64_t rows = (shown + columns - 1) / columns;
  const int64_t step_y = set.height() + options.gap, step_x = set.width() + options.gap;
  Image sheet;
  sheet.height = static_cast<int>(rows * step_y + options.gap);
  sheet.width = static_cast<int>(columns * step_x + options.gap);
  sheet.pixels.assign(static_cast<size_t>(sheet.height) * sheet.width * 3, 255);
  const size_t row_bytes = static_cast<size_t>(set.width()) * 3;
  for (int64_t k = 0; k < shown; ++k) {
    const uint8_t* in = set.pixels(k * set.size() / shown);
    const int64_t top = options.gap + k / columns * step_y;
    const int64_t left = options.gap + k % columns * step_x;
    for (int y = 0; y < set.height(); ++y) {
      std::memcpy(&sheet.pixels[((top + y) * sheet.width + left) * 3], in + y * row_bytes,
                  row_bytes);
    }
  }
  return sheet;
}

absl::Status WriteContactSheet(const PackedSet& set, const std::filesystem::path& path,
                               const ContactSheetOptions& options) {
  IAT_ASSIGN_OR_RETURN(const Image sheet, MakeContactSheet(set, options));
  IAT_ASSIGN_OR_RETURN(const std::string png, EncodePng(sheet));
  return WriteFileAtomically(path, png);
}

std::string DescribeImages(const PackedSet& set) {
  std::string text = absl::StrCat(
      "images       ", set.size(), " of ", set.width(), "x", set.height(), " RGB in ",
      set.folder().string(), "\n", "original     ", SizesInWords(set), "\n",
      "labels       ", LabelsInWords(set), "\n", "pixels       ",
      set.size() == 0 ? "none" : PixelsInWords(set), "\n", "fingerprint  ",
      set.Fingerprint(), "\n", "unreadable   ",
      set.skipped().empty() ? "none" : absl::StrCat(set.skipped().size(), ", skipped"),
      "\n");
  for (size_t i = 0; i < std::min(set.skipped().size(), kShownSkipped); ++i) {
    absl::StrAppend(&text, "  ", set.skipped()[i].id, ": ", set.skipped()[i].reason,
                    "\n");
  }
  if (set.skipped().size() > kShownSkipped) {
    absl::StrAppend(&text, "  and ", set.skipped().size() - kShownSkipped,
                    " more in skipped.csv\n");
  }
  return text;
}

}  // namespace iat
