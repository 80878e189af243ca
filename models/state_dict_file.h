// State dicts as PyTorch's torch.save writes them and torch.load reads them.
//
// Read   .pt, .pth, .bin, .ckpt of PyTorch 1.6 and newer (a ZIP archive of a pickle
//        and raw storages) and of 0.4 to 1.5 (pickles and storages one after the
//        other). No Python runs and none is needed: the pickle is read as data
//        (models/pickle.h), and a global that has no business in a state dict ends
//        the reading with its name. Storages may be shared, strides arbitrary.
// Write  a ZIP archive with one OrderedDict, byte-identical for equal tensors:
//        torch.load(path, weights_only=True) and load_state_dict take it.
//
// Source   PyTorch's torch/serialization.py and torch/_utils.py, versions 0.4 to 2.5.
//
// Example:
//   IAT_ASSIGN_OR_RETURN(const StateDictFile file, ReadStateDictFile("moco.pth.tar"));
//   for (const auto& dictionary : file.dictionaries) dictionary.place;  // "state_dict"

#ifndef IAT_MODELS_STATE_DICT_FILE_H_
#define IAT_MODELS_STATE_DICT_FILE_H_

#include <torch/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace iat {

struct StateDictFile {
  // A dictionary that maps names to tensors. A checkpoint has several, next to epochs
  // and whatever else, which is passed over.
  struct Dictionary {
    // Keys that lead to it, joined by "."; "" for a file that is a state dict itself.
    std::string place;
    // In the file's order, each name once. Of the file's own types (float16,
    // bfloat16, ... included); not to be written to, as storages may be shared.
    std::vector<std::pair<std::string, torch::Tensor>> tensors;
  };
  std::vector<Dictionary> dictionaries;  // those with tensors, in the file's order
};

// InvalidArgument: something else than a state dict or a checkpoint around one (a
// whole module, TorchScript, a plain pickle), saying what to do. DataLoss naming the
// file and the tensor when it is truncated or damaged. Unimplemented: types and
// layouts that a state dict of dense tensors does not have.
absl::StatusOr<StateDictFile> ReadStateDictFile(const std::filesystem::path& path);

// Whole or not at all. OutOfRange beyond 4 GB.
absl::Status WriteStateDictFile(const std::filesystem::path& path,
                                const std::map<std::string, torch::Tensor>& tensors);

}  // namespace iat

#endif  // IAT_MODELS_STATE_DICT_FILE_H_
