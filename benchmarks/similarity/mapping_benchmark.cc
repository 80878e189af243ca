// Times our mappings on arrays that benchmarks/similarity/compare_with_sklearn.py
// writes, and leaves predictions and choices for it to compare.
//
//   mapping_benchmark peak JOBS
//   mapping_benchmark FOLDER NUM_FIT NUM_TEST NUM_SOURCE NUM_TARGET JOBS MAPPING
//                     [logistic_penalty ...]
//   mapping_benchmark family FOLDER NUM_FIT NUM_TEST NUM_UNITS NUM_ANIMALS JOBS MAPPING
//
// FOLDER holds x.f64 and y.f64, stimuli x units in column-major float64, fit stimuli
// first. One pair: the targets are cut into JOBS slices worked on side by side, one BLAS
// thread each. Writes predicted.f64 (test stimuli x targets), ridge_penalty.f64 and
// logistic_penalty.f64 where chosen. A family: animal-0.f64, animal-1.f64, ...; every
// ordered pair is fitted and scored, JOBS sources side by side.
//
// Prints the seconds of fitting and predicting, the process's CPU seconds in that time,
// and its peak memory in MiB; "peak" prints GFLOP/s of float32 and float64 matrix
// products, of JOBS threads together and for each CPU second.

#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/status.h"
#include "similarity/linear_algebra.h"
#include "similarity/mapping.h"
#include "similarity/r2.h"

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

double CpuSeconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

class Stopwatch {
 public:
  double Wall() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_)
        .count();
  }
  double Cpu() const { return CpuSeconds() - cpu_start_; }
  void Print() const {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    std::printf("%.4f %.4f %ld\n", Wall(), Cpu(), usage.ru_maxrss / 1024);
  }

 private:
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  const double cpu_start_ = CpuSeconds();
};

// GFLOP/s of 512 x 512 products, the best of several turns.
template <typename Scalar>
void MeasurePeak(int jobs) {
  using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
  constexpr Eigen::Index kSize = 512;
  constexpr int kProducts = 20, kTurns = 3;
  const double operations = 2e-9 * kSize * kSize * kSize * kProducts * jobs;
  double best_wall = 0.0, best_cpu = 0.0;
  for (int turn = 0; turn < kTurns; ++turn) {
    const Stopwatch stopwatch;
    const absl::Status status = ParallelFor(jobs, jobs, [&](int64_t) {
      const Matrix a = Matrix::Random(kSize, kSize), b = Matrix::Random(kSize, kSize);
      Matrix c(kSize, kSize);
      for (int i = 0; i < kProducts; ++i) {
        MultiplyTile(false, kSize, kSize, kSize, a.data(), kSize, b.data(), kSize,
                     c.data(), kSize);
      }
      return absl::OkStatus();
    });
    IAT_CHECK(status.ok(), "a product failed");
    best_wall = std::max(best_wall, operations / stopwatch.Wall());
    best_cpu = std::max(best_cpu, operations / stopwatch.Cpu());
  }
  std::printf("%.1f %.1f\n", best_wall, best_cpu);
}

absl::Status RunPair(int argc, char** argv) {
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
  const Eigen::MatrixXd x = Load(folder + "/x.f64", num_fit + num_test, p);
  const Eigen::MatrixXd y = Load(folder + "/y.f64", num_fit + num_test, t);
  const Eigen::MatrixXd x_test = x.bottomRows(num_test);
  Eigen::MatrixXd predicted(num_test, t);
  std::map<std::string, Eigen::VectorXd> chosen;
  for (const char* choice : {"ridge_penalty", "logistic_penalty"}) {
    chosen[choice] = Eigen::VectorXd::Zero(t);
  }

  const Stopwatch stopwatch;
  IAT_ASSIGN_OR_RETURN(const auto mapping, MakeMapping(name, options));
  // What all slices share is made first; from then on they only read it.
  SourceData source(x.topRows(num_fit));
  const int64_t num_bases = name == "ridge" ? 1 : 2;
  IAT_RETURN_IF_ERROR(ParallelFor(jobs, num_bases, [&](int64_t which) {
    return which == 0 ? source.Basis().status() : source.StandardisedBasis().status();
  }));
  IAT_RETURN_IF_ERROR(ParallelFor(jobs, jobs, [&](int64_t slice) -> absl::Status {
    const Eigen::Index first = t * slice / jobs, count = t * (slice + 1) / jobs - first;
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
  stopwatch.Print();
  Store(folder + "/predicted.f64", predicted);
  for (const auto& [choice, values] : chosen)
    Store(folder + "/" + choice + ".f64", values);
  return absl::OkStatus();
}

absl::Status RunFamily(char** argv) {
  const std::string folder = argv[2], name = argv[8];
  const Eigen::Index num_fit = std::atol(argv[3]), num_test = std::atol(argv[4]);
  const Eigen::Index units = std::atol(argv[5]);
  const int num_animals = std::atoi(argv[6]), jobs = std::atoi(argv[7]);
  std::vector<Eigen::MatrixXd> animals;
  for (int a = 0; a < num_animals; ++a) {
    animals.push_back(
        Load(absl::StrCat(folder, "/animal-", a, ".f64"), num_fit + num_test, units));
  }
  const Stopwatch stopwatch;
  IAT_ASSIGN_OR_RETURN(const auto mapping, MakeMapping(name, MappingOptions()));
  IAT_RETURN_IF_ERROR(ParallelFor(jobs, num_animals, [&](int64_t s) -> absl::Status {
    SourceData source(animals[s].topRows(num_fit));
    const Eigen::MatrixXd source_test = animals[s].bottomRows(num_test);
    for (int64_t t = 0; t < num_animals; ++t) {
      if (t == s) continue;
      FitProblem problem(source, animals[t].topRows(num_fit), Stage::kPostRelu);
      IAT_ASSIGN_OR_RETURN(const auto fitted, mapping->Fit(problem));
      IAT_ASSIGN_OR_RETURN(const Eigen::MatrixXd predicted, fitted->Predict(source_test));
      R2PerUnit(animals[t].bottomRows(num_test), predicted);
    }
    return absl::OkStatus();
  }));
  stopwatch.Print();
  return absl::OkStatus();
}

absl::Status Run(int argc, char** argv) {
  SetBlasThreads(1);
  KeepFreedMatrices();
  const std::string first = argc > 1 ? argv[1] : "";
  if (first == "peak" && argc == 3) {
    MeasurePeak<float>(std::atoi(argv[2]));
    MeasurePeak<double>(std::atoi(argv[2]));
    return absl::OkStatus();
  }
  if (first == "family" && argc == 9) return RunFamily(argv);
  if (argc >= 8) return RunPair(argc, argv);
  return absl::InvalidArgumentError(
      "usage: mapping_benchmark peak JOBS\n"
      "       mapping_benchmark FOLDER NUM_FIT NUM_TEST NUM_SOURCE NUM_TARGET JOBS "
      "MAPPING [logistic_penalty ...]\n"
      "       mapping_benchmark family FOLDER NUM_FIT NUM_TEST NUM_UNITS NUM_ANIMALS "
      "JOBS MAPPING");
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
