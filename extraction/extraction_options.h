// Config table [extraction]: which units of which layers are read, and how they are
// stored.

#ifndef IAT_EXTRACTION_EXTRACTION_OPTIONS_H_
#define IAT_EXTRACTION_EXTRACTION_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/options.h"

namespace iat {

struct ExtractionOptions {
  std::vector<std::string> layers = {"conv1", "conv2", "conv3", "conv4", "conv5"};
  std::vector<std::string> stages = {"pre_relu", "post_relu"};
  std::string scope = "hypercolumn";
  int64_t row = -1, column = -1;  // of hypercolumn and patch; -1: the map's centre
  int64_t patch_size = 3;
  int64_t num_units = 256;  // of sample
  int64_t sample_seed = 0;
  std::string store = "both";
  std::string precision = "float32";
  int64_t batch_size = 100;
  int64_t batches_per_chunk = 10;

  void Describe(OptionVisitor& visitor);

  // InvalidArgument: a row without a column, or a patch of even side.
  absl::Status Validate() const;

  bool StoresActivations() const { return store != "summary"; }
  bool StoresSummary() const { return store != "activations"; }
  int64_t ChunkSize() const { return batch_size * batches_per_chunk; }
};

}  // namespace iat

#endif  // IAT_EXTRACTION_EXTRACTION_OPTIONS_H_
