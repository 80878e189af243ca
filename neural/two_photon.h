// Allen Brain Observatory, Visual Coding two-photon: natural scenes of session B out of
// NWB 1 files (plain HDF5).
//
// What is read of a session (N cells, T acquisition frames, P presentations)
//   /stimulus/presentation/natural_scenes_stimulus/data (P): image, -1 for a blank
//     .../frame_duration (P, 2 or more): first and last acquisition frame; rows in any
//     order. Older files call the group natural_scenes.
//   /processing/brain_observatory_pipeline/Fluorescence/
//     imaging_plane_1_demixed_signal/data (N, T), older: imaging_plane_1/data
//     imaging_plane_1_neuropil_response/{data (N, T), r (N)}, older:
//     imaging_plane_1/{neuropil_traces, r}
//   .../ImageSegmentation/cell_specimen_ids (N)
//   .../BehavioralTimeSeries/running_speed/{data (S) or (S, 1), timestamps (S)} cm/s
//   /general/{session_type, specimen_name}, /general/optophysiology/imaging_plane_1/
//     location: the area
//
// Response, recomputed as the Allen SDK does; the stored dF/F is not used:
//   F = demixed - r * neuropil;   F0 = mean of F over the 4L frames before onset
//   response = mean of 100 (F / F0 - 1) over the 2L frames from onset, in % dF/F
// L = 7 frames, 250 ms; the window includes the next image's first half second. A trial
// whose frames reach beyond the recording, or whose F0 is not positive, is missing.
//
// Selection, in this order (every number is an option)
//   1. area one of `areas` (empty: all)
//   2. not modulated by running: p > 0.05 or NaN, of Welch's test of responses to the
//      preferred image at speed >= 1 cm/s against below, at least 5 trials each
//   3. split-half reliability >= 0.75
//   4. animals with fewer neurons of an area than the 75th percentile leave that area
//
// By neuron: reliability, running_p.
//
// Memory: cells_per_block rows of two traces, 16 bytes a frame each.

#ifndef IAT_NEURAL_TWO_PHOTON_H_
#define IAT_NEURAL_TWO_PHOTON_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/options.h"
#include "neural/recording.h"
#include "neural/reliability.h"
#include "neural/selection.h"

namespace iat {

// Table [two_photon] of a description.
struct TwoPhotonOptions {
  std::vector<std::string> files;
  std::vector<std::string> areas;
  int64_t num_images = 118;
  std::string stimulus_id = "scene_{:03d}.png";
  int64_t sweep_frames = 7;
  int64_t baseline_sweeps = 4;
  int64_t response_sweeps = 2;
  double running_speed = 1.0;
  int64_t running_min_trials = 5;
  double min_running_p = 0.05;
  double min_reliability = 0.75;
  double specimen_percentile = 75.0;
  int64_t cells_per_block = 16;

  void Describe(OptionVisitor& visitor);
  absl::Status Validate() const;
};

// As ReadNeuropixels (neural/neuropixels.h).
absl::StatusOr<Recording> ReadTwoPhoton(const TwoPhotonOptions& options,
                                        const TrialSplitOptions& splits, int jobs,
                                        SelectionRecord& record);

}  // namespace iat

#endif  // IAT_NEURAL_TWO_PHOTON_H_
