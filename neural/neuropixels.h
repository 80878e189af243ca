// Allen Brain Observatory, Visual Coding Neuropixels: natural scenes out of NWB 2 files.
//
// What is read of a session (U units, S spikes, P presentations, E electrodes)
//   /intervals/natural_scenes_presentations/{start_time, stop_time} (P) s,
//     frame (P) a float: 0 ... 117, -1 for a blank; rows in any order
//   /units/{id, peak_channel_id} (U), quality (U) text, {amplitude_cutoff,
//     presence_ratio, isi_violations} (U), spike_times (S) s, all units one after the
//     other, spike_times_index (U): the end of each unit's spikes
//   /general/extracellular_ephys/electrodes/{id, location, valid_data} (E)
//   /processing/running/running_speed/{timestamps, data}: samples of cm/s
//   /general/subject/subject_id, else /general/session_id: the animal's name
//
// Response. Spikes are counted in bins of 10 ms over 0 to 250 ms from each onset. As in
// the Allen SDK a spike exactly on an edge between bins counts in both (edges = "left"
// counts it once). A neuron's response is its rate in spikes/s, averaged over the area's
// bins, see below.
//
// Selection, in this order (every number is an option; SCIENCE: Nayebi et al. 2023)
//   1. the SDK's filters: electrode valid, with a location; quality "good";
//      amplitude_cutoff <= 0.1; presence_ratio >= 0.95; isi_violations <= 0.5. NaN fails.
//   2. area: the location up to the first "-", one of `areas`
//   3. not modulated by running: p > 0.05 or NaN, of Welch's test of spike counts on the
//      preferred image at speed >= 1 cm/s against below, at least 2 trials each
//   4. split-half reliability (neural/reliability.h) of some bin >= 0.5
//   5. an animal's area stays if the median over its neurons reaches 0.3 in some bin;
//      responses are averaged over its longest run of bins with such a median
//   6. animals with fewer neurons of an area than the 75th percentile leave that area
//
// By neuron: reliability (of the averaged response), max_bin_reliability, running_p,
// first_bin and num_bins (of the average).
//
// Memory. Spikes are read `spikes_per_block` at a time (8 bytes each), never a session
// whole: for 131 million spikes 8 MiB a job and not 1 GiB. Beside that 16 MiB of HDF5's
// own cache, and for every neuron kept in step 4 two bytes a presentation and bin
// (0.3 MB).
//
// Example:
//   SelectionRecord record;
//   auto recording = ReadNeuropixels(options, splits, jobs, record);

#ifndef IAT_NEURAL_NEUROPIXELS_H_
#define IAT_NEURAL_NEUROPIXELS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/options.h"
#include "neural/recording.h"
#include "neural/reliability.h"
#include "neural/selection.h"

namespace iat {

// Table [neuropixels] of a description.
struct NeuropixelsOptions {
  std::vector<std::string> files;
  std::vector<std::string> areas = {"VISp", "VISl", "VISrl", "VISal", "VISpm", "VISam"};
  int64_t num_images = 118;
  std::string stimulus_id = "scene_{:03d}.png";
  double window_start = 0.0;
  int64_t num_bins = 25;
  double bin_width = 0.01;
  std::string edges = "both";
  std::string quality = "good";
  double max_amplitude_cutoff = 0.1;
  double min_presence_ratio = 0.95;
  double max_isi_violations = 0.5;
  double running_speed = 1.0;
  int64_t running_min_trials = 2;
  double min_running_p = 0.05;
  double min_reliability = 0.5;
  double min_bin_reliability = 0.3;
  int64_t first_response_bin = -1;
  int64_t num_response_bins = 0;
  double specimen_percentile = 75.0;
  int64_t spikes_per_block = int64_t{1} << 20;

  void Describe(OptionVisitor& visitor);
  absl::Status Validate() const;
};

// Every file an animal's session; `record` receives every step by animal and area.
// NotFound, InvalidArgument or DataLoss naming the file, the dataset and what is wrong;
// InvalidArgument when nothing is left. Fills all but the recording's name, unit and
// words.
absl::StatusOr<Recording> ReadNeuropixels(const NeuropixelsOptions& options,
                                          const TrialSplitOptions& splits, int jobs,
                                          SelectionRecord& record);

}  // namespace iat

#endif  // IAT_NEURAL_NEUROPIXELS_H_
