// The checkpoints of one training run: which are kept, and which is gone on from.
//
//   folder/checkpoint.safetensors                  the newest
//          checkpoint-step-00000400.safetensors    those before it, keep_last - 1
//          checkpoint-epoch-0010.safetensors       kept for good
//
// Every file is whole (base/file.h) and carries the checksums of models/safetensors.h.
// At any moment a kill leaves the newest or the one before it in place.

#ifndef IAT_TRAINING_CHECKPOINT_H_
#define IAT_TRAINING_CHECKPOINT_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "models/safetensors.h"

namespace iat {

class CheckpointFolder {
 public:
  // keep_last >= 1.
  CheckpointFolder(std::filesystem::path folder, int64_t keep_last);

  // What may be gone on from, the furthest first. Nothing is known yet of their
  // health or of what made them.
  std::vector<std::filesystem::path> FurthestFirst(int64_t steps_per_epoch) const;

  // Says which file a run went on from, at which step: the next Save keeps it.
  void GoOnFrom(const std::filesystem::path& path, int64_t step);

  // Writes the newest and removes what is no longer kept.
  absl::Status Save(int64_t step, const TensorFile& state);

  // Keeps the newest for good, as that of the end of an epoch.
  absl::Status KeepForGood(int64_t epoch) const;

 private:
  void RemoveBeyond(int64_t step) const;

  std::filesystem::path folder_, newest_;
  int64_t keep_last_;
  std::optional<int64_t> newest_step_;  // of a newest_ that is this run's and healthy
};

}  // namespace iat

#endif  // IAT_TRAINING_CHECKPOINT_H_
