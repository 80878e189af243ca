// iat doctor: what the program runs on, what is slow or wrong, and what to do
// about it.

#ifndef IAT_APP_DOCTOR_H_
#define IAT_APP_DOCTOR_H_

#include <string>
#include <vector>

namespace iat {

struct Finding {
  enum class Level { kFine, kSlow, kBroken };
  Level level = Level::kFine;
  std::string text;    // what is there
  std::string advice;  // what to do; empty when fine
};

// Measures for a second or two: matrix products on one and on all threads, memory,
// disk at `folder`.
std::vector<Finding> Examine(const std::string& folder);

// Prints the findings; false when something is broken or slow.
bool Doctor(const std::string& folder);

// The one warning worth giving before any long work: no OpenBLAS. "" when fine.
std::string BlasWarning();

}  // namespace iat

#endif  // IAT_APP_DOCTOR_H_
