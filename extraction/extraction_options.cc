#include "extraction/extraction_options.h"

#include "absl/strings/str_cat.h"
#include "models/model_options.h"

namespace iat {

void ExtractionOptions::Describe(OptionVisitor& visitor) {
  visitor.Choices("layers", layers, LayerNames(), "layers whose activations are read");
  visitor.Choices("stages", stages, {"pre_relu", "post_relu"},
                  "before the ReLU, after it, or both");
  visitor.Choice("scope", scope, {"hypercolumn", "patch", "layer", "sample"},
                 "all channels at one position or at a square of them, every unit, or "
                 "num_units random ones");
  visitor.Integer("row", row, {.min = -1, .max = 1 << 16},
                  "row of the hypercolumn or the patch's centre; -1: the map's centre");
  visitor.Integer("column", column, {.min = -1, .max = 1 << 16},
                  "its column; -1: the map's centre");
  visitor.Integer("patch_size", patch_size, {.min = 1, .max = 1 << 16},
                  "side of the patch in positions, odd");
  visitor.Integer("num_units", num_units, {.min = 1},
                  "units of each layer in scope = \"sample\"");
  visitor.Integer("sample_seed", sample_seed, {.min = 0},
                  "chooses them, the same ones for every model");
  visitor.Choice("store", store, {"activations", "summary", "both"},
                 "responses, or each unit's mean, deviation, sparsity, lifetime "
                 "sparseness and whether it is dead, or both");
  visitor.Choice("precision", precision, {"float32", "float16"},
                 "float16: responses rounded to 11 significant bits, in half the space");
  visitor.Integer("batch_size", batch_size, {.min = 1, .max = 1 << 16},
                  "stimuli a forward pass; part of the result, to the last bits");
  visitor.Integer("batches_per_chunk", batches_per_chunk, {.min = 1, .max = 1 << 20},
                  "what a killed run can lose, and what workers and ranks take at once");
}

absl::Status ExtractionOptions::Validate() const {
  if ((row < 0) != (column < 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("row is ", row, " and column ", column,
                     "; give both, or neither for the map's centre"));
  }
  if (patch_size % 2 == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "patch_size is ", patch_size, "; expected an odd number: a patch has a centre"));
  }
  if (layers.empty() || stages.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(layers.empty() ? "layers" : "stages",
                                                   " is empty; name at least one"));
  }
  return absl::OkStatus();
}

}  // namespace iat
