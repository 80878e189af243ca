#include "training/checkpoint.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/status.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

constexpr char kExtension[] = ".safetensors";
constexpr char kOfStep[] = "checkpoint-step-";
constexpr char kOfEpoch[] = "checkpoint-epoch-";

// The number in "checkpoint-step-00000400.safetensors"; nullopt for another name.
std::optional<int64_t> NumberIn(const fs::path& path, absl::string_view prefix) {
  const std::string name = path.filename().string();
  absl::string_view text = name;
  int64_t number = 0;
  if (absl::ConsumePrefix(&text, prefix) && absl::ConsumeSuffix(&text, kExtension) &&
      absl::SimpleAtoi(text, &number) && number >= 0) {
    return number;
  }
  return std::nullopt;
}

// Checkpoints of a kind with their numbers, highest first.
std::vector<std::pair<int64_t, fs::path>> Numbered(const fs::path& folder,
                                                   absl::string_view prefix) {
  std::vector<std::pair<int64_t, fs::path>> found;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    const auto number = NumberIn(it->path(), prefix);
    if (number) found.emplace_back(*number, it->path());
  }
  std::sort(found.begin(), found.end(), std::greater<>());
  return found;
}

}  // namespace

CheckpointFolder::CheckpointFolder(fs::path folder, int64_t keep_last)
    : folder_(std::move(folder)),
      newest_(folder_ / absl::StrCat("checkpoint", kExtension)),
      keep_last_(keep_last) {}

std::vector<fs::path> CheckpointFolder::FurthestFirst(int64_t steps_per_epoch) const {
  std::vector<std::pair<int64_t, fs::path>> by_step = Numbered(folder_, kOfStep);
  for (const auto& [epoch, path] : Numbered(folder_, kOfEpoch)) {
    // A number too large for a step belongs to no run of ours.
    if (epoch > std::numeric_limits<int32_t>::max()) continue;
    by_step.emplace_back(epoch * steps_per_epoch, path);
  }
  std::stable_sort(by_step.begin(), by_step.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<fs::path> paths;
  if (fs::exists(newest_)) paths.push_back(newest_);
  for (auto& [step, path] : by_step) paths.push_back(std::move(path));
  return paths;
}

void CheckpointFolder::GoOnFrom(const fs::path& path, int64_t step) {
  newest_step_.reset();
  if (path == newest_) newest_step_ = step;
}

absl::Status CheckpointFolder::Save(int64_t step, const TensorFile& state) {
  if (newest_step_ && keep_last_ > 1) {
    const fs::path before =
        folder_ / absl::StrFormat("%s%08d%s", kOfStep, *newest_step_, kExtension);
    std::error_code error;
    fs::rename(newest_, before, error);
    if (error) {
      return ErrnoStatus(error.value(), absl::StrCat("cannot rename ", newest_.string(),
                                                     " to ", before.string()));
    }
  }
  IAT_RETURN_IF_ERROR(WriteTensors(newest_, state));
  newest_step_ = step;
  RemoveBeyond(step);
  return absl::OkStatus();
}

void CheckpointFolder::RemoveBeyond(int64_t step) const {
  int64_t kept = 1;
  for (const auto& [number, path] : Numbered(folder_, kOfStep)) {
    // From this step on they are of a run that went another way.
    if (number < step && ++kept <= keep_last_) continue;
    std::error_code error;
    fs::remove(path, error);
  }
}

absl::Status CheckpointFolder::KeepForGood(int64_t epoch) const {
  const fs::path path =
      folder_ / absl::StrFormat("%s%04d%s", kOfEpoch, epoch, kExtension);
  std::error_code same;
  if (fs::equivalent(path, newest_, same)) return absl::OkStatus();
  return WriteAtomically(path, [&](const fs::path& temporary) -> absl::Status {
    std::error_code error;
    // A second name for the same bytes where the file system has such.
    fs::create_hard_link(newest_, temporary, error);
    if (error) fs::copy_file(newest_, temporary, error);
    if (!error) return absl::OkStatus();
    return ErrnoStatus(error.value(), absl::StrCat("cannot keep ", path.string()));
  });
}

}  // namespace iat
