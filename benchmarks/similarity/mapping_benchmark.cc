// Times our mappings on arrays that benchmarks/similarity/compare_with_sklearn.py
// writes, and leaves predictions and choices for it to compare.
//
//   mapping_benchmark FOLDER NUM_FIT NUM_TEST NUM_SOURCE NUM_TARGET JOBS MAPPING
//                     [logistic_penalty ...]
//
// FOLDER holds x.f64 and y.f64, stimuli x units in column-major float64, fit stimuli
// first. The targets are cut into JOBS slices worked on side by side, one BLAS thread
// each. Writes predicted.f64 (test stimuli x targets), ridge_penalty.f64 and
// logistic_penalty.f64 where chosen, and prints the seconds of fitting and predicting.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "base/parallel.h"
#include "base/status.h"
#include "similarity/mapping.h"

namespace iat {
namespace {

Eigen::MatrixXd Load(const std::string& path, Eigen::Index rows, Eigen::Index cols) {
  Eigen::MatrixXd matrix(rows, cols);
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(matrix.data()),
            static_cast<std::streamsize>(matrix.size() * sizeof(double)));
  IAT_CHECK(file.good(), path);
  return matrix;
}

void Store(const std::string& path, const Eigen::MatrixXd& matrix) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(matrix.data()),
             static_cast<std::streamsize>(matrix.size() * sizeof(double)));
}

absl::Status Run(int argc, char** argv) {
  if (argc < 8) {
    return absl::InvalidArgumentError(
        "usage: mapping_benchmark FOLDER NUM_FIT NUM_TEST NUM_SOURCE NUM_TARGET JOBS "
        "MAPPING [logistic_penalty ...]");
  }
  const std::string folder = argv[1], name = argv[7];
  const Eigen::Index num_fit = std::atol(argv[2]), num_test = std::atol(argv[3]);
  const Eigen::Index p = std::atol(argv[4]), t = std::atol(argv[5]);
  const int jobs = std::atoi(argv[6]);
  MappingOptions options;
  if (argc > 8) {
    options.logistic_ridge.logistic_penalties.clear();
    for (int a = 8; a < argc; ++a) {
      options.logistic_ridge.logistic_penalties.push_back(std::atof(argv[a]));
    }
  }
  SetBlasThreads(1);
  const Eigen::MatrixXd x = Load(folder + "/x.f64", num_fit + num_test, p);
  const Eigen::MatrixXd y = Load(folder + "/y.f64", num_fit + num_test, t);
  const Eigen::MatrixXd x_test = x.bottomRows(num_test);
  Eigen::MatrixXd predicted(num_test, t);
  std::map<std::string, Eigen::VectorXd> chosen;
  for (const char* choice : {"ridge_penalty", "logistic_penalty"}) {
    chosen[choice] = Eigen::VectorXd::Zero(t);
  }

  const auto start = std::chrono::steady_clock::now();
  IAT_ASSIGN_OR_RETURN(const auto mapping, MakeMapping(name, options));
  IAT_RETURN_IF_ERROR(ParallelFor(jobs, jobs, [&](int64_t slice) -> absl::Status {
    const Eigen::Index first = t * slice / jobs, count = t * (slice + 1) / jobs - first;
    SourceData source(x.topRows(num_fit));
    FitProblem problem(source, y.block(0, first, num_fit, count), Stage::kPostRelu);
    IAT_ASSIGN_OR_RETURN(const auto fitted, mapping->Fit(problem));
    IAT_ASSIGN_OR_RETURN(predicted.middleCols(first, count), fitted->Predict(x_test));
    for (auto& [choice, values] : chosen) {
      const auto found = fitted->chosen().values.find(choice);
      if (found != fitted->chosen().values.end()) {
        values.segment(first, count) = found->second;
      }
    }
    return absl::OkStatus();
  }));
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  Store(folder + "/predicted.f64", predicted);
  for (const auto& [choice, values] : chosen)
    Store(folder + "/" + choice + ".f64", values);
  std::printf("%.4f\n", seconds);
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
