// One HTML page that shows a network before its numbers are trusted: filters, what
// drives its units most and least, tuning to gratings, sparsity, distributions before
// the ReLU. The file stands alone: pictures are inside it.

#ifndef IAT_REPORT_LOOK_H_
#define IAT_REPORT_LOOK_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace iat {

// A picture and what to say about it.
struct LookPicture {
  std::string png;
  std::string caption;
};

struct LookUnit {
  std::string name;
  std::vector<LookPicture> most, least;
  std::vector<std::pair<double, double>> by_orientation, by_frequency;
  // Preferences in words, e.g. "67 degrees, 4 cycles/picture, selectivity 0.31".
  std::string preference;
};

// Counts in bins of equal width from `low` to `high`.
struct LookHistogram {
  std::string title, x_title;
  double low = 0.0, high = 1.0;
  std::vector<int64_t> counts;
};

// `num_bins` bins over the range of the values (or the range given), NaN left out; one
// value alone gets bins around it.
LookHistogram HistogramOf(const std::vector<double>& values, int num_bins,
                          std::string title, std::string x_title);
LookHistogram HistogramOf(const std::vector<double>& values, int num_bins, double low,
                          double high, std::string title, std::string x_title);

struct LookLayer {
  std::string name;
  std::string summary;  // a sentence of numbers
  std::vector<LookHistogram> histograms;
  std::vector<LookUnit> units;
};

struct LookPage {
  std::string title;
  std::vector<std::pair<std::string, std::string>> facts;
  std::string filters_title;
  std::vector<LookPicture> filters;
  std::vector<LookLayer> layers;
};

std::string LookHtml(const LookPage& page);

}  // namespace iat

#endif  // IAT_REPORT_LOOK_H_
