// Two matrices of responses to the same stimuli, compared by mappings on held-out stimuli
// and by metrics on all of them: iat compare --source a.npy --target b.npy.
//
// Splits   Split seeds 0, 1, ..., as similarity/split.h has them: a row's name is its
//          stimulus id, or its number where rows have no names, so the same stimuli give
//          the same splits in any file and any run.
// Mappings Fitted from source to target on the fit stimuli of each split, everything
//          chosen inside them; R2 per target unit on the test stimuli.
// Stage    Whether a target is before or after a ReLU decides which mappings have a
//          meaning. "auto": pre_relu where any value is below 0, else post_relu.
// Metrics  Once, on all stimuli: nothing is fitted and held out.
//
// Example:
//   auto result = CompareArrays(*ReadArray("a.npy"), *ReadArray("b.npy"), {}, {});
//   std::cout << ComparisonText(*result);

#ifndef IAT_SIMILARITY_COMPARE_ARRAYS_H_
#define IAT_SIMILARITY_COMPARE_ARRAYS_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "similarity/array_file.h"
#include "similarity/mapping.h"
#include "similarity/metric.h"
#include "similarity/r2.h"

namespace iat {

struct ArrayCompareOptions {
  std::vector<std::string> mappings = {"ridge"};
  std::vector<std::string> metrics = {"cka"};
  // Of the stimuli, rounded up.
  double test_fraction = 0.2;
  int64_t num_splits = 10;
  std::string target_stage = "auto";  // or pre_relu, post_relu, recorded
  MappingOptions mapping;
  MetricOptions metric;

  // All that can be said before the data are there: unknown names, names given twice,
  // nothing to do, values out of range, a mapping that has no meaning for target_stage.
  absl::Status Validate() const;
};

struct ArrayCompareControl {
  int jobs = 1;
  // Called after every split and after the metrics, from any thread but one at a time.
  std::function<void(int64_t done, int64_t total, const std::string& line)> progress = {};
  // Looked at between splits; true ends the run with Cancelled.
  const std::atomic<bool>* stop = nullptr;
};

struct ArraySplitScores {
  int64_t split_seed = 0;
  Eigen::VectorXd r2;  // one a target unit
  R2Summary summary;
  Chosen chosen;
};

struct ArrayComparison {
  std::string source_name, target_name;
  int64_t num_source_units = 0, num_target_units = 0;
  int64_t num_stimuli = 0, num_fit_stimuli = 0, num_test_stimuli = 0;
  Stage target_stage = Stage::kPreRelu;
  bool stage_was_inferred = false;

  struct OfMapping {
    std::string name;
    std::vector<ArraySplitScores> splits;
  };
  std::vector<OfMapping> mappings;  // as asked for
  struct OfMetric {
    MetricInfo info;
    MetricResult result;
  };
  std::vector<OfMetric> metrics;  // as asked for
};

// InvalidArgument: options (see Validate), other stimuli in the two arrays, too few to
// split, a target_stage that the target's values contradict, or whatever a mapping or a
// metric says about these data.
absl::StatusOr<ArrayComparison> CompareArrays(const ResponseArray& source,
                                              ResponseArray target,
                                              const ArrayCompareOptions& options,
                                              const ArrayCompareControl& control);

// For people. Per mapping the median R2 over units and its quartiles, each the mean over
// splits, with the median's smallest and largest split; the number of scored units; for
// every choice made inside the fit stimuli its median over units and splits, and how
// often it was at the edge of its grid. Per metric its value.
std::string ComparisonText(const ArrayComparison& comparison);
// The same and every split, as a JSON object; NaN is null.
std::string ComparisonJson(const ArrayComparison& comparison);
// mapping,split_seed,unit,r2 and a column for every kind of choice; units from 0.
std::string ComparisonUnitsCsv(const ArrayComparison& comparison);

}  // namespace iat

#endif  // IAT_SIMILARITY_COMPARE_ARRAYS_H_
