// Two animals that see the same hidden signals through different weights: how well do
// the responses of one predict those of the other?

#include <Eigen/Core>
#include <cstdio>
#include <string>

#include "absl/status/status.h"
#include "base/random.h"
#include "similarity/mapping.h"
#include "similarity/r2.h"

namespace {

Eigen::MatrixXd Normal(iat::RandomStream stream, Eigen::Index rows,
                       Eigen::Index columns) {
  Eigen::MatrixXd values(rows, columns);
  for (double& value : values.reshaped()) value = stream.Normal();
  return values;
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace

int main() {
  const Eigen::Index num_fit = 800, num_test = 200, num_hidden = 20, num_units = 50;
  const Eigen::MatrixXd hidden =
      Normal(iat::RandomStream(0, "hidden"), num_fit + num_test, num_hidden);
  const Eigen::MatrixXd source =
      hidden * Normal(iat::RandomStream(1, "weights"), num_hidden, num_units);
  const Eigen::MatrixXd target =
      (hidden * Normal(iat::RandomStream(2, "weights"), num_hidden, num_units))
          .cwiseMax(0);

  iat::SourceData source_fit(source.topRows(num_fit));
  iat::FitProblem problem(source_fit, target.topRows(num_fit), iat::Stage::kPostRelu);
  for (const char* name : {"ridge", "ridge_clamped", "logistic_ridge"}) {
    const auto mapping = iat::MakeMapping(name, {});
    if (!mapping.ok()) return Fail(mapping.status());
    const auto fitted = (*mapping)->Fit(problem);
    if (!fitted.ok()) return Fail(fitted.status());
    const auto predicted = (*fitted)->Predict(source.bottomRows(num_test));
    if (!predicted.ok()) return Fail(predicted.status());
    const iat::R2Summary summary =
        iat::SummariseR2(iat::R2PerUnit(target.bottomRows(num_test), *predicted));
    std::printf("%-15s median R2 %.3f over %d units\n", name, summary.median,
                static_cast<int>(summary.num_scored_units));
  }
  return 0;
}
