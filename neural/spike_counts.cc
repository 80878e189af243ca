#include "neural/spike_counts.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace iat {

absl::Status AddSpikes(const std::vector<double>& times,
                       const std::vector<Presentation>& presentations,
                       const SpikeWindow& window, SpikeCounts& counts) {
  const int64_t num_bins = window.num_bins;
  std::vector<double> edges(num_bins + 1);
  for (int64_t k = 0; k <= num_bins; ++k) {
    edges[k] = window.start + static_cast<double>(k) * window.bin_width;
  }
  // Presentations further from the spike than this cannot hold it, whatever the
  // rounding; those nearer are asked exactly.
  constexpr double kMargin = 1e-6;
  const auto is_before = [&](double t, double end) {
    return window.count_edges_twice ? t <= end : t < end;
  };
  for (size_t i = 0; i < times.size(); ++i) {
    const double t = times[i];
    if (!std::isfinite(t)) {
      return absl::InvalidArgumentError(
          absl::StrCat("spike ", i, " is at ", t, "; expected seconds"));
    }
    auto next = std::upper_bound(
        presentations.begin(), presentations.end(), t - edges.front() + kMargin,
        [](double time, const Presentation& p) { return time < p.start; });
    while (next != presentations.begin()) {
      --next;
      if (next->start < t - edges.back() - kMargin) break;
      const auto p = next - presentations.begin();
      const double start = next->start;
      if (t < start + edges.front() || !is_before(t, start + edges.back())) continue;
      counts.totals[p] += 1.0;
      // The division may be a bin off; the edges decide.
      const auto guess =
          static_cast<int64_t>(std::floor((t - start - window.start) / window.bin_width));
      const int64_t low = std::max<int64_t>(guess - 1, 0);
      const int64_t high = std::min<int64_t>(guess + 1, num_bins - 1);
      for (int64_t k = low; k <= high; ++k) {
        if (t < start + edges[k] || !is_before(t, start + edges[k + 1])) continue;
        uint16_t& count = counts.by_bin[p * num_bins + k];
        if (count == std::numeric_limits<uint16_t>::max()) {
          return absl::OutOfRangeError(
              absl::StrCat("more than 65535 spikes in bin ", k, " after ", start, " s"));
        }
        ++count;
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<SpikeCounts> CountSpikes(const Hdf5File& file, int64_t first,
                                        int64_t count,
                                        const std::vector<Presentation>& presentations,
                                        const SpikeWindow& window, int64_t block) {
  SpikeCounts counts;
  counts.by_bin.assign(presentations.size() * window.num_bins, 0);
  counts.totals.assign(presentations.size(), 0.0);
  for (int64_t done = 0; done < count; done += block) {
    const int64_t size = std::min(block, count - done);
    IAT_ASSIGN_OR_RETURN(const std::vector<double> times,
                         file.ReadRows(kSpikeTimes, first + done, size));
    IAT_RETURN_IF_ERROR(Annotate(
        AddSpikes(times, presentations, window, counts),
        absl::StrCat(file.path().string(), ": ", kSpikeTimes, " from ", first + done)));
  }
  return counts;
}

}  // namespace iat
