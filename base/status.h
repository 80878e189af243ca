// Small helpers around absl::Status: the macros that Debian's Abseil lacks, and
// the sentences that our errors are made of.
//
// Files, configs and data come back as a Status whose message names the file,
// the place, the value and what was expected. Broken invariants of our own code
// stop at once with IAT_CHECK.

#ifndef IAT_BASE_STATUS_H_
#define IAT_BASE_STATUS_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace iat {

// Returns `status` with "context: " in front of its message; OK stays OK.
absl::Status Annotate(const absl::Status& status, absl::string_view context);

// "Cannot open models/x: No such file or directory" for an errno value, with
// the canonical code that fits it (NotFound, PermissionDenied, ...).
absl::Status ErrnoStatus(int error_number, absl::string_view what);

// The name among `candidates` closest to `name` by edit distance, or "" where
// none is close enough to be a likely misspelling.
template <typename Range>
std::string NearestName(absl::string_view name, const Range& candidates);

// Edit distance (insertions, deletions, substitutions, swaps of neighbours).
int EditDistance(absl::string_view a, absl::string_view b);

namespace internal {
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition,
                              absl::string_view message);
}  // namespace internal

template <typename Range>
std::string NearestName(absl::string_view name, const Range& candidates) {
  std::string best;
  int best_distance = static_cast<int>(name.size()) / 3 + 2;
  for (const auto& candidate : candidates) {
    const int distance = EditDistance(name, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = std::string(candidate);
    }
  }
  return best;
}

}  // namespace iat

#define IAT_STATUS_CONCAT_INNER(a, b) a##b
#define IAT_STATUS_CONCAT(a, b) IAT_STATUS_CONCAT_INNER(a, b)

// Returns from the enclosing function when `expression` is not OK.
#define IAT_RETURN_IF_ERROR(expression)       \
  do {                                        \
    ::absl::Status iat_status = (expression); \
    if (!iat_status.ok()) return iat_status;  \
  } while (false)

// IAT_ASSIGN_OR_RETURN(auto value, Function());
#define IAT_ASSIGN_OR_RETURN(declaration, expression)                                \
  IAT_ASSIGN_OR_RETURN_IMPL(IAT_STATUS_CONCAT(iat_statusor_, __LINE__), declaration, \
                            expression)
#define IAT_ASSIGN_OR_RETURN_IMPL(holder, declaration, expression) \
  auto holder = (expression);                                      \
  if (!holder.ok()) return std::move(holder).status();             \
  declaration = *std::move(holder)

// Stops the program when an invariant of our own code is broken. Never for bad
// input: that is a Status.
#define IAT_CHECK(condition, message)                                        \
  do {                                                                       \
    if (!(condition))                                                        \
      ::iat::internal::CheckFailed(__FILE__, __LINE__, #condition, message); \
  } while (false)

#endif  // IAT_BASE_STATUS_H_
