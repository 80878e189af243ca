// How an options struct tells the rest of the program what it holds: one
// Describe() gives config reading, the resolved config, stage fingerprints and
// the reference page, so that they can't drift apart.
//
// Example:
//   struct RidgeOptions {
//     std::string selection = "loo";
//     int64_t num_penalties = 20;
//
//     void Describe(OptionVisitor& visitor) {
//       visitor.Choice("selection", selection, {"loo", "kfold"},
//                      "how the penalty is chosen inside the fit stimuli");
//       visitor.Integer("num_penalties", num_penalties, {.min = 1, .max = 1000},
//                       "size of the penalty grid");
//     }
//   };

#ifndef IAT_BASE_OPTIONS_H_
#define IAT_BASE_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace iat {

struct IntegerRange {
  int64_t min = std::numeric_limits<int64_t>::min();
  int64_t max = std::numeric_limits<int64_t>::max();
};

struct NumberRange {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  bool min_excluded = false;
  bool max_excluded = false;
};

using AllowedNames = std::vector<std::string>;

class OptionVisitor {
 public:
  virtual ~OptionVisitor() = default;

  // The value given is the default; a reader replaces it.
  virtual void Flag(absl::string_view name, bool& value, absl::string_view doc) = 0;
  virtual void Integer(absl::string_view name, int64_t& value, IntegerRange range,
                       absl::string_view doc) = 0;
  virtual void Number(absl::string_view name, double& value, NumberRange range,
                      absl::string_view doc) = 0;
  virtual void Text(absl::string_view name, std::string& value,
                    absl::string_view doc) = 0;
  // One of `allowed`.
  virtual void Choice(absl::string_view name, std::string& value,
                      const AllowedNames& allowed, absl::string_view doc) = 0;
  // Text in which ${VARIABLE} is expanded.
  virtual void Path(absl::string_view name, std::string& value,
                    absl::string_view doc) = 0;

  virtual void Integers(absl::string_view name, std::vector<int64_t>& values,
                        IntegerRange range, absl::string_view doc) = 0;
  virtual void Numbers(absl::string_view name, std::vector<double>& values,
                       NumberRange range, absl::string_view doc) = 0;
  // Each one of `allowed`, none twice.
  virtual void Choices(absl::string_view name, std::vector<std::string>& values,
                       const AllowedNames& allowed, absl::string_view doc) = 0;
  virtual void Paths(absl::string_view name, std::vector<std::string>& values,
                     absl::string_view doc) = 0;

  // A nested table, [outer.name].
  virtual void Table(absl::string_view name, absl::string_view doc,
                     const std::function<void(OptionVisitor&)>& describe) = 0;
};

}  // namespace iat

#endif  // IAT_BASE_OPTIONS_H_
