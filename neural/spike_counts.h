// Spikes of one unit, streamed in blocks, to counts by presentation and bin.
//
// Edge k of presentation p is start_p + (window.start + k * bin_width), the same sums in
// the same order as numpy makes them. A spike at t counts in bin k when
//   edge_k <= t <= edge_{k+1}     count_edges_twice (the Allen SDK's searchsorted)
//   edge_k <= t <  edge_{k+1}     otherwise
// and in the presentation's total, once, when it lies in the whole window by the same
// rule. Presentations may overlap: a spike counts in each.

#ifndef IAT_NEURAL_SPIKE_COUNTS_H_
#define IAT_NEURAL_SPIKE_COUNTS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "neural/hdf5_file.h"
#include "neural/presentations.h"

namespace iat {

inline constexpr char kSpikeTimes[] = "/units/spike_times";

struct SpikeWindow {
  double start = 0.0;
  double bin_width = 0.01;
  int64_t num_bins = 25;
  bool count_edges_twice = true;
};

struct SpikeCounts {
  std::vector<uint16_t> by_bin;  // presentation x bin
  std::vector<double> totals;    // by presentation
};

// Adds spikes (in any order) to counts. `presentations` sorted by start; counts sized
// presentations x bins. InvalidArgument naming a time that is not finite; OutOfRange when
// a bin would hold more than 65535.
absl::Status AddSpikes(const std::vector<double>& times,
                       const std::vector<Presentation>& presentations,
                       const SpikeWindow& window, SpikeCounts& counts);

// Spikes [first, first + count) of /units/spike_times, `block` at a time.
absl::StatusOr<SpikeCounts> CountSpikes(const Hdf5File& file, int64_t first,
                                        int64_t count,
                                        const std::vector<Presentation>& presentations,
                                        const SpikeWindow& window, int64_t block);

}  // namespace iat

#endif  // IAT_NEURAL_SPIKE_COUNTS_H_
