#include "similarity/split.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "base/csv.h"
#include "base/random.h"
#include "base/status.h"

namespace iat {

absl::StatusOr<Split> MakeSplit(const std::vector<std::string>& stimulus_ids,
                                const SplitRequest& request) {
  const int64_t available = static_cast<int64_t>(stimulus_ids.size());
  if (request.num_fit < 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("num_fit_stimuli is ", request.num_fit, "; expected a number >= 2"));
  }
  const int64_t num_test =
      request.num_test > 0 ? request.num_test : available - request.num_fit;
  if (num_test < 1 || request.num_fit + num_test > available) {
    return absl::InvalidArgumentError(
        absl::StrCat("asked for ", request.num_fit, " fit and ",
                     request.num_test > 0 ? absl::StrCat(request.num_test) : "at least 1",
                     " test stimuli, but there are ", available, " stimuli"));
  }
  std::vector<int64_t> order(available);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](int64_t a, int64_t b) { return stimulus_ids[a] < stimulus_ids[b]; });
  for (int64_t i = 1; i < available; ++i) {
    if (stimulus_ids[order[i]] == stimulus_ids[order[i - 1]]) {
      return absl::InvalidArgumentError(
          absl::StrCat("stimulus id \"", stimulus_ids[order[i]], "\" occurs twice"));
    }
  }
  RandomStream stream(request.split_seed, "split");
  stream.Shuffle(order);
  Split split;
  split.split_seed = request.split_seed;
  split.fit.assign(order.begin(), order.begin() + request.num_fit);
  split.test.assign(order.begin() + request.num_fit,
                    order.begin() + request.num_fit + num_test);
  return split;
}

Split PermutedSplit(const Split& split, int64_t sample_seed, absl::string_view target) {
  std::vector<int64_t> rows = split.fit;
  rows.insert(rows.end(), split.test.begin(), split.test.end());
  RandomStream stream(sample_seed, absl::StrCat("permuted targets/", target),
                      static_cast<uint64_t>(split.split_seed));
  stream.Shuffle(rows);
  Split permuted = split;
  std::copy_n(rows.begin(), split.fit.size(), permuted.fit.begin());
  std::copy(rows.begin() + static_cast<int64_t>(split.fit.size()), rows.end(),
            permuted.test.begin());
  return permuted;
}

std::string SplitsCsv(absl::string_view stimuli,
                      const std::vector<std::string>& stimulus_ids,
                      const std::vector<Split>& splits) {
  std::string text = CsvLine({"stimuli", "split_seed", "stimulus_id", "part"});
  text += '\n';
  const auto add = [&](const Split& split, const std::vector<int64_t>& rows,
                       const char* part) {
    for (const int64_t row : rows) {
      absl::StrAppend(&text,
                      CsvLine({std::string(stimuli), absl::StrCat(split.split_seed),
                               stimulus_ids[row], part}),
                      "\n");
    }
  };
  for (const Split& split : splits) {
    add(split, split.fit, "fit");
    add(split, split.test, "test");
  }
  return text;
}

}  // namespace iat
