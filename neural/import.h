// From a description to a recording: what iat neural import does.
//
// A description is a TOML file:
//   [recording]     kind = "table", "neuropixels" or "two_photon"; unit, source in words;
//                   images = "/dataset" of the pictures (uint8), written as NAME.npy
//   [reliability]   num_splits, trial_seed            (neural/reliability.h)
//   [table], [neuropixels] or [two_photon]            (the headers of those names)
// Strict as every config: unknown keys and wrong values are errors with file and line.
//
// Example:
//   auto description = Description::Load("configs/neural/antolik2016.toml", {});
//   auto log = ImportRecording(*description, "neural/antolik2016.nc", jobs);

#ifndef IAT_NEURAL_IMPORT_H_
#define IAT_NEURAL_IMPORT_H_

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/options.h"
#include "neural/neuropixels.h"
#include "neural/recording.h"
#include "neural/reliability.h"
#include "neural/table_source.h"
#include "neural/two_photon.h"

namespace iat {

struct Description {
  std::string kind = "table";
  std::string unit, source, images;
  TrialSplitOptions reliability;
  TableOptions table;
  NeuropixelsOptions neuropixels;
  TwoPhotonOptions two_photon;

  // InvalidArgument with file, line, key, value and what is expected.
  static absl::StatusOr<Description> Load(const std::filesystem::path& path,
                                          const std::vector<std::string>& overrides);

  const std::vector<std::string>& files() const;
  // Every option that matters, and name, size and time of every file. NotFound naming a
  // file that is not there.
  absl::StatusOr<std::string> Fingerprint() const;
};

// Reads in a process of its own (neural/contained.h), writes `output`, whose stem becomes
// the recording's name, and where the description has images, STEM.npy beside it, whose
// ids as an image set ("STEM-000012") must be the stimulus ids. Returns what was kept and
// dropped at every step, and the sizes.
absl::StatusOr<std::string> ImportRecording(const Description& description,
                                            const std::filesystem::path& output,
                                            int jobs);

// The same in this process, without writing: for tests.
absl::StatusOr<Recording> ReadDescribed(const Description& description, int jobs,
                                        SelectionRecord& record);

// A recording in words: sizes, and by animal and area neurons, trials, stimuli,
// reliability and mean response.
std::string DescribeRecording(const Recording& recording);

}  // namespace iat

#endif  // IAT_NEURAL_IMPORT_H_
