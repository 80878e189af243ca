// Weights that other programs saved, fitted to one of our architectures.
//
// A file is ours to use when, somewhere in it, there is a dictionary of tensors with
// every name of an architecture in it, possibly behind a common prefix ("module.",
// "encoder_q."), and every one has the architecture's shape. Which architecture, and
// how wide, follows from the shapes. Tensors beyond (heads, optimisers) are left over
// and named. Values become float32; batch norm's counters, which old files lack and
// nothing here uses, become int64, 0 where missing.
//
// Example:
//   IAT_ASSIGN_OR_RETURN(const ImportedWeights weights, ImportWeights("moco.pth.tar"));
//   weights.model.Name();   // "alexnet_bn width=1"
//   weights.prefix;         // "module.encoder_q."

#ifndef IAT_MODELS_WEIGHT_IMPORT_H_
#define IAT_MODELS_WEIGHT_IMPORT_H_

#include <torch/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "models/vision_model.h"

namespace iat {

struct ImportedWeights {
  ModelOptions model;
  // Names and shapes of `model`, contiguous.
  std::map<std::string, torch::Tensor> state;
  // Where in the file: "state_dict", "" at its top.
  std::string place;
  std::string prefix;
  // Other dictionaries in the file that fit as well.
  std::vector<std::string> other_places;
  std::vector<std::string> left_over;    // names in the file
  std::vector<std::string> filled_in;    // names of ours
  std::map<std::string, int> converted;  // "float16" -> number of tensors
  // Of a safetensors file, without checksums.
  std::map<std::string, std::string> metadata;

  // What was found, in lines for the user.
  std::string Text() const;
};

// Reads .safetensors, or what torch.save writes (models/state_dict_file.h). `place`
// chooses one dictionary of a checkpoint; empty: the one that fits best, names like
// state_dict and model first. InvalidArgument listing what is missing, of another
// shape, of another type or not finite; errors of the two readers.
absl::StatusOr<ImportedWeights> ImportWeights(const std::filesystem::path& path,
                                              const std::string& place = "");

}  // namespace iat

#endif  // IAT_MODELS_WEIGHT_IMPORT_H_
