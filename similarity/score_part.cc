#include "similarity/score_part.h"

#include <chrono>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status.h"

namespace iat {
namespace {

constexpr absl::string_view kHeader = "iat score part 2";

void AppendNumbers(std::string& text, const Eigen::VectorXd& values) {
  for (const double value : values) absl::StrAppendFormat(&text, " %.17g", value);
  text += '\n';
}

bool ParseNumbers(const std::vector<absl::string_view>& words, size_t first, size_t count,
                  Eigen::VectorXd& values) {
  if (words.size() != first + count) return false;
  values.resize(static_cast<Eigen::Index>(count));
  for (size_t i = 0; i < count; ++i) {
    if (!absl::SimpleAtod(words[first + i], &values(static_cast<Eigen::Index>(i)))) {
      return false;
    }
  }
  return true;
}

// True when the line fits where it stands.
bool ParseLine(const std::vector<absl::string_view>& words, ScorePart& part) {
  const absl::string_view key = words[0];
  const size_t num_units = part.units.size();
  if (key == "units") {
    for (size_t i = 1; i < words.size(); ++i) {
      if (!absl::SimpleAtoi(words[i], &part.units.emplace_back())) return false;
    }
    return true;
  }
  if (words.size() < 2) return false;
  if (key == "seconds") return absl::SimpleAtod(words[1], &part.seconds);
  if (key == "mapping") {
    part.mappings.emplace_back().mapping = std::string(words[1]);
    return true;
  }
  if (part.mappings.empty()) return false;
  MappingScores& scores = part.mappings.back();
  if (key == "r2") return ParseNumbers(words, 1, num_units, scores.r2);
  if (key == "r") return ParseNumbers(words, 1, num_units, scores.r);
  const std::string name(words[1]);
  if (key == "chosen")
    return ParseNumbers(words, 2, num_units, scores.chosen.values[name]);
  if (key == "edge" && words.size() == 3) {
    return absl::SimpleAtoi(words[2], &scores.chosen.num_at_edge[name]);
  }
  return false;
}

}  // namespace

absl::Status WriteScorePart(const std::filesystem::path& path, const ScorePart& part) {
  std::string text = absl::StrCat(kHeader, "\nfingerprint ", part.fingerprint);
  absl::StrAppendFormat(&text, "\nseconds %.3f\nunits", part.seconds);
  for (const int64_t unit : part.units) absl::StrAppend(&text, " ", unit);
  text += '\n';
  for (const MappingScores& scores : part.mappings) {
    absl::StrAppend(&text, "mapping ", scores.mapping, "\nr2");
    AppendNumbers(text, scores.r2);
    text += "r";
    AppendNumbers(text, scores.r);
    for (const auto& [name, values] : scores.chosen.values) {
      absl::StrAppend(&text, "chosen ", name);
      AppendNumbers(text, values);
    }
    for (const auto& [name, count] : scores.chosen.num_at_edge) {
      absl::StrAppend(&text, "edge ", name, " ", count, "\n");
    }
  }
  text += "end\n";
  return WriteFileAtomically(path, text);
}

absl::StatusOr<ScorePart> ReadScorePart(const std::filesystem::path& path,
                                        const std::string& fingerprint) {
  IAT_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const auto unusable = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(path.string(), ": ", what));
  };
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  if (lines.size() < 4 || lines[0] != kHeader ||
      lines[1] != absl::StrCat("fingerprint ", fingerprint)) {
    return unusable("is not a score part of this cell");
  }
  if (lines[lines.size() - 2] != "end") return unusable("is cut short");
  ScorePart part;
  part.fingerprint = fingerprint;
  for (size_t i = 2; i + 2 < lines.size(); ++i) {
    if (!ParseLine(absl::StrSplit(lines[i], ' '), part)) {
      return unusable(absl::StrCat("line ", i + 1, " is damaged"));
    }
  }
  return part;
}

absl::StatusOr<FileLock> LockForAssembly(const std::filesystem::path& path) {
  while (true) {
    auto lock = FileLock::TryAcquire(path, FileLock::Mode::kExclusive);
    if (lock.ok() || !absl::IsFailedPrecondition(lock.status())) return lock;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

absl::Status RemoveOtherParts(const std::filesystem::path& folder,
                              const std::set<std::string>& wanted) {
  std::error_code error;
  std::vector<std::filesystem::path> other;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    if (it->path().extension() == ".part" &&
        wanted.count(it->path().filename().string()) == 0) {
      other.push_back(it->path());
    }
  }
  for (const std::filesystem::path& path : other) std::filesystem::remove(path, error);
  if (error) return ErrnoStatus(error.value(), folder.string());
  return absl::OkStatus();
}

}  // namespace iat
