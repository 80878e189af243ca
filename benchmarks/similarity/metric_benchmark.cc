// Times our metrics on arrays that benchmarks/similarity/compare_metrics_with_numpy.py
// saves.
//
//   metric_benchmark SOURCE TARGET METRIC ...
//
// For each metric, from fresh MetricData (nothing shared with the metric before it):
// "NAME VALUE SECONDS" a line, in processor seconds on one thread.

#include <cstdio>
#include <ctime>
#include <iostream>
#include <string>

#include "base/parallel.h"
#include "base/status.h"
#include "similarity/array_file.h"
#include "similarity/metric.h"

namespace iat {
namespace {

absl::Status Run(int argc, char** argv) {
  if (argc < 4) {
    return absl::InvalidArgumentError("usage: metric_benchmark SOURCE TARGET METRIC ...");
  }
  SetBlasThreads(1);
  IAT_ASSIGN_OR_RETURN(const ResponseArray x, ReadArray(argv[1]));
  IAT_ASSIGN_OR_RETURN(const ResponseArray y, ReadArray(argv[2]));
  for (int a = 3; a < argc; ++a) {
    IAT_ASSIGN_OR_RETURN(const auto metric, MakeMetric(argv[a], {}));
    const std::clock_t start = std::clock();
    IAT_ASSIGN_OR_RETURN(MetricData source, MetricData::Make(x.values, "source"));
    IAT_ASSIGN_OR_RETURN(MetricData target, MetricData::Make(y.values, "target"));
    IAT_ASSIGN_OR_RETURN(const MetricResult result, metric->Compare(source, target));
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    std::printf("%s %.17g %.6f\n", argv[a], result.value, seconds);
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace iat

int main(int argc, char** argv) {
  const absl::Status status = iat::Run(argc, argv);
  if (!status.ok()) {
    std::cerr << status.message() << "\n";
    return 1;
  }
  return 0;
}
