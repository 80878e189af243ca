// Animals with known responses, in activation files, to be compared.

#ifndef IAT_TESTS_SIMILARITY_COMPARE_FIXTURE_H_
#define IAT_TESTS_SIMILARITY_COMPARE_FIXTURE_H_

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/activation_file.h"
#include "base/file.h"
#include "base/status.h"
#include "similarity/compare.h"
#include "tests/similarity/synthetic.h"

namespace iat {

inline constexpr Eigen::Index kNumStimuli = 150, kNumUnits = 7;
inline const char* const kOutputs[] = {"compare.csv", "compare_units.nc", "paired.csv",
                                       "splits.csv"};

// What makes one animal's file.
struct AnimalSpec {
  int seed = 0;
  std::string name = "seed";
  std::string architecture = "alexnet_bn width=0.25";
  Eigen::Index num_units = kNumUnits;
  std::vector<int64_t> stimuli = {};  // empty: all in order
  std::string scope = "hypercolumn";
};

class CompareFixture : public ::testing::Test {
 protected:
  CompareFixture() {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              absl::StrCat("compare-fixture-", ::getpid());
    std::filesystem::remove_all(folder_);
    options_.num_fit_stimuli = 100;
    options_.split_seeds = {0, 1};
    options_.mapping.ridge.num_penalties = 5;
    options_.mapping.logistic_ridge.logistic_penalties = {50, 0.5};
  }
  ~CompareFixture() override { std::filesystem::remove_all(folder_); }

  // Responses of an animal: a random rotation of what all animals share, noise, and a
  // threshold for each unit.
  static ActivationMatrix Response(const AnimalSpec& spec, const std::string& layer,
                                   Stage stage) {
    const uint64_t salt = layer == "conv1" ? 10 : 20;
    Eigen::MatrixXd pre =
        NormalMatrix(kNumStimuli, 5, salt) *
            NormalMatrix(5, spec.num_units, 1000 + salt + spec.seed) +
        0.1 * NormalMatrix(kNumStimuli, spec.num_units, 2000 + salt + spec.seed);
    if (stage == Stage::kPostRelu) {
      pre = pre.cwiseMax(0.0);
      pre.col(2).setZero();  // a dead unit
    }
    return pre.cast<float>();
  }

  std::filesystem::path Write(const AnimalSpec& spec) {
    const std::string animal = absl::StrFormat("%s-%03d", spec.name, spec.seed);
    const std::filesystem::path path =
        folder_ / "activations" /
        absl::StrCat(animal, spec.scope == "layer" ? "-layer" : "", ".nc");
    std::vector<int64_t> stimuli = spec.stimuli;
    if (stimuli.empty()) {
      stimuli.resize(kNumStimuli);
      std::iota(stimuli.begin(), stimuli.end(), 0);
    }
    std::vector<std::string> ids;
    for (const int64_t i : stimuli) ids.push_back(absl::StrFormat("img_%05d", i));
    ActivationMetadata metadata;
    metadata.animal = animal;
    metadata.architecture = spec.architecture;
    metadata.stimuli_sha256 = "5ha";
    metadata.scope = spec.scope;
    metadata.preprocessing = "none";
    std::vector<int32_t> channel(spec.num_units), position(spec.num_units, 0);
    std::iota(channel.begin(), channel.end(), 0);
    const absl::Status status =
        WriteAtomically(path, [&](const std::filesystem::path& temporary) {
          return WriteFile(spec, temporary, ids, stimuli, metadata,
                           {channel, position, position});
        });
    EXPECT_TRUE(status.ok()) << status;
    return path;
  }

  static absl::Status WriteFile(const AnimalSpec& spec, const std::filesystem::path& path,
                                const std::vector<std::string>& ids,
                                const std::vector<int64_t>& stimuli,
                                const ActivationMetadata& metadata,
                                const UnitCoordinates& units) {
    const std::vector<Stage> stages = {Stage::kPreRelu, Stage::kPostRelu};
    IAT_ASSIGN_OR_RETURN(
        ActivationWriter writer,
        ActivationWriter::Create(
            path, ids, {{"conv1", units, stages}, {"conv2", units, stages}}, metadata));
    for (const char* layer : {"conv1", "conv2"}) {
      for (const Stage stage : stages) {
        const ActivationMatrix all = Response(spec, layer, stage);
        const ActivationMatrix rows = all(stimuli, Eigen::all);
        IAT_RETURN_IF_ERROR(writer.Write({layer, stage}, 0, rows));
      }
    }
    return writer.Close();
  }

  CompareInput Family(int num_animals) {
    CompareInput input{"held-out", {{}}};
    for (int seed = 0; seed < num_animals; ++seed) {
      input.families[0].push_back(Write({.seed = seed}));
    }
    return input;
  }

  CompareResult Run(const CompareInput& input, const std::string& name,
                    const CompareControl& control = {}) {
    const auto result = RunCompare(options_, input, folder_ / name, control);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *result : CompareResult();
  }

  std::string Message(const CompareInput& input) {
    return std::string(
        RunCompare(options_, input, folder_ / "refused", {}).status().message());
  }

  void ExpectSameOutputs(const std::string& a, const std::string& b) {
    for (const char* file : kOutputs) {
      const auto first = ReadFile(folder_ / a / file),
                 second = ReadFile(folder_ / b / file);
      ASSERT_TRUE(first.ok() && second.ok());
      EXPECT_TRUE(*first == *second) << file << " differs between " << a << " and " << b;
    }
  }

  static int CountRows(const std::vector<ScoreRow>& rows, const std::string& mapping,
                       int64_t num_target_units) {
    return static_cast<int>(
        std::count_if(rows.begin(), rows.end(), [&](const ScoreRow& row) {
          return row.mapping == mapping && row.num_target_units == num_target_units;
        }));
  }

  std::filesystem::path folder_;
  CompareOptions options_;
};

}  // namespace iat

#endif  // IAT_TESTS_SIMILARITY_COMPARE_FIXTURE_H_
