// Which units of a layer an extraction reads.
//
// Scope   hypercolumn  all channels at one position: extraction.row and column, or the
//                      map's centre, row = column = side / 2 rounded down: (7,7),
//                      (3,3), (1,1), (1,1), (1,1) for conv1 to conv5 at 64 x 64
//         patch        all channels at patch_size x patch_size positions around it; a
//                      map that is smaller than the patch is taken whole
//         layer        every channel, row and column
//         sample       num_units of them, drawn by sample_seed and the layer's name
//                      alone, so that every model gives the same ones; a layer with no
//                      more than that is taken whole
//
// Units are listed by channel, then row, then column. Fully connected layers have no
// positions (row = column = -1): all their units, or a sample.

#ifndef IAT_EXTRACTION_UNIT_SELECTION_H_
#define IAT_EXTRACTION_UNIT_SELECTION_H_

#include "absl/status/statusor.h"
#include "base/activation_file.h"
#include "extraction/extraction_options.h"
#include "models/inference.h"

namespace iat {

// InvalidArgument: a row, column or patch that is not inside the layer's map.
absl::StatusOr<UnitCoordinates> SelectUnits(const LayerGeometry& layer,
                                            const ExtractionOptions& options);

// A receptive field number of each unit, with its name and meaning in files.
struct FieldVariable {
  std::string name, meaning;
  std::vector<double> values;
};

// rf_row, rf_column  centre of the field in input pixels (0: the first pixel's)
// rf_size            side of the field as if the picture went on beyond its edges
// rf_first_row, rf_last_row, rf_first_column, rf_last_column
//                    the pixels of the picture that reach the unit
std::vector<FieldVariable> ReceptiveFields(const LayerGeometry& layer,
                                           const UnitCoordinates& units);

}  // namespace iat

#endif  // IAT_EXTRACTION_UNIT_SELECTION_H_
