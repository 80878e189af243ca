// Recordings that are arrays: HDF5 datasets, netCDF-4 variables or .npy files whose
// dimensions a short description names.
//
// Dimensions, in the array's order, each at most once
//   "neuron"        needed
//   "stimulus"      or "presentation" (below) needed
//   "trial"         without it there is one trial
//   "time"          averaged over first_time_bin ... , num_time_bins (0: to the end)
//   "animal"        "animal-000", ...; without it every dataset is one animal's
//   "presentation"  rows in any order; `presentation_labels` names the dataset that
//                   says which stimulus each shows (numbers from 0, or ids as text);
//                   trials are counted in the order of the rows
// Missing trials are NaN, or `missing_value` where that is a number. Animals may have
// unequal numbers of trials and different stimuli.
//
// Datasets. `dataset` is a path in which {animal} and {area} stand for any text and
// become names, and * for any text: "/session_*/{area}", "/{animal}/validation_trials".
// The animal is {animal}; else the group a * stands for; else the entry of `animal_names`
// for the file; else the file's stem. The area is {area}, the text attribute
// `area_attribute` of the dataset (a / in it becomes a -), or `area`. `animals` and
// `areas` keep some of them.
//
// Stimuli. With bins_per_stimulus > 1, that many consecutive entries along "stimulus"
// (bins of a film) are combined into one. Ids come from the dataset `stimulus_ids`
// (text, or numbers put into `stimulus_id`), from a text file with an id a line, or from
// `stimulus_id` with the number of the entry: "scene_{:03d}.png"; with stimuli_per_block,
// from "texture-{block:02d}-bin-{within:d}".
//
// Selection: areas, animals; neurons without any response; split-half reliability >=
// min_reliability; the specimen rule. By neuron: reliability.
//
// Example: configs/neural/antolik2016.toml, configs/neural/yu2022.toml.

#ifndef IAT_NEURAL_TABLE_SOURCE_H_
#define IAT_NEURAL_TABLE_SOURCE_H_

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/options.h"
#include "neural/recording.h"
#include "neural/reliability.h"
#include "neural/selection.h"

namespace iat {

// Table [table] of a description.
struct TableOptions {
  std::vector<std::string> files;
  std::string dataset;
  std::vector<std::string> dimensions = {"trial", "stimulus", "neuron"};
  std::vector<std::string> animal_names, animals, areas;
  std::string area, area_attribute;
  std::string stimulus_id, stimulus_ids, stimulus_ids_file;
  std::string presentation_labels;
  std::string neuron_ids;
  int64_t bins_per_stimulus = 1;
  std::string combine_bins = "mean";
  int64_t stimuli_per_block = 0;
  int64_t first_time_bin = 0;
  int64_t num_time_bins = 0;
  double missing_value = std::numeric_limits<double>::quiet_NaN();
  double min_reliability = -std::numeric_limits<double>::infinity();
  double specimen_percentile = 0.0;

  void Describe(OptionVisitor& visitor);
  absl::Status Validate() const;
};

// As ReadNeuropixels (neural/neuropixels.h). Neurons are called AREA-000, ... by their
// place in the array unless `neuron_ids` names a dataset.
absl::StatusOr<Recording> ReadTable(const TableOptions& options,
                                    const TrialSplitOptions& splits, int jobs,
                                    SelectionRecord& record);

}  // namespace iat

#endif  // IAT_NEURAL_TABLE_SOURCE_H_
