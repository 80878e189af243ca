#include "absl/strings/str_cat.h"
#include "neural/neuropixels.h"
#include "neural/numbered_name.h"

namespace iat {

void NeuropixelsOptions::Describe(OptionVisitor& visitor) {
  visitor.Paths("files", files, "NWB 2 files, one a session");
  visitor.Paths("areas", areas, "areas to keep, as the electrodes call them");
  visitor.Integer("num_images", num_images, {.min = 2, .max = 1000000},
                  "images are numbered from 0");
  visitor.Text("stimulus_id", stimulus_id, "stimulus id of an image's number");
  visitor.Number("window_start", window_start, {}, "seconds after onset");
  visitor.Integer("num_bins", num_bins, {.min = 1, .max = 100000}, "bins of the window");
  visitor.Number("bin_width", bin_width, {.min = 0.0, .min_excluded = true}, "seconds");
  visitor.Choice("edges", edges, {"both", "left"},
                 "a spike on an edge between bins counts in both (as the Allen SDK has "
                 "it) or in the later one");
  visitor.Text("quality", quality, "units/quality to keep; empty: any");
  visitor.Number("max_amplitude_cutoff", max_amplitude_cutoff, {},
                 "largest amplitude_cutoff; inf: any");
  visitor.Number("min_presence_ratio", min_presence_ratio, {},
                 "least presence_ratio; -inf: any");
  visitor.Number("max_isi_violations", max_isi_violations, {},
                 "largest isi_violations; inf: any");
  visitor.Number("running_speed", running_speed, {},
                 "cm/s from which on the animal counts as running");
  visitor.Integer("running_min_trials", running_min_trials, {.min = 2},
                  "trials of the preferred image, running and not, that the test needs");
  visitor.Number("min_running_p", min_running_p, {.max = 1.0},
                 "drop neurons whose test has no larger p; negative: no test");
  visitor.Number("min_reliability", min_reliability, {},
                 "least reliability in some bin; -inf: any");
  visitor.Number("min_bin_reliability", min_bin_reliability, {},
                 "least median reliability of an area's bin");
  visitor.Integer("first_response_bin", first_response_bin, {.min = -1},
                  "first bin of a fixed response window; -1: the longest run of bins");
  visitor.Integer("num_response_bins", num_response_bins, {.min = 0},
                  "bins of a fixed response window; 0: the longest run of bins");
  visitor.Number("specimen_percentile", specimen_percentile, {.min = 0.0, .max = 100.0},
                 "animals below this percentile of neurons leave an area; 0: none");
  visitor.Integer("spikes_per_block", spikes_per_block, {.min = 1},
                  "spikes read at once");
}

absl::Status NeuropixelsOptions::Validate() const {
  if (files.empty()) {
    return absl::InvalidArgumentError("files is []; expected at least one NWB 2 file");
  }
  if ((num_response_bins > 0) != (first_response_bin >= 0) ||
      first_response_bin + num_response_bins > num_bins) {
    return absl::InvalidArgumentError(absl::StrCat(
        "first_response_bin is ", first_response_bin, " and num_response_bins is ",
        num_response_bins, "; expected both or neither, within ", num_bins, " bins"));
  }
  return NumberedName(stimulus_id, 0).status();
}

}  // namespace iat
