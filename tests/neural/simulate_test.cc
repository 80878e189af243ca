#include "neural/simulate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/activation_file.h"
#include "tests/similarity/synthetic.h"

namespace iat {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<int64_t> Numbers(int64_t n) {
  std::vector<int64_t> numbers(n);
  for (int64_t i = 0; i < n; ++i) numbers[i] = i;
  return numbers;
}

int64_t NumDriven(const DrivingUnits& driving) {
  return std::count_if(driving.begin(), driving.end(),
                       [](const auto& units) { return !units.empty(); });
}

TEST(DrawNeuronsTest, AtRatioOneEveryNeuronHasAUnitOfItsOwn) {
  RandomStream stream(1, "test");
  const DrivingUnits driving = DrawNeurons(Numbers(20), 12, 1.0, stream);
  std::set<int64_t> units;
  for (const auto& own : driving) {
    ASSERT_EQ(own.size(), 1u);
    units.insert(own[0]);
  }
  EXPECT_EQ(units.size(), 12u);
}

TEST(DrawNeuronsTest, AboveOneAShareOfOneOverTheRatioIsDriven) {
  RandomStream stream(1, "test");
  const DrivingUnits driving = DrawNeurons(Numbers(30), 100, 4.0, stream);
  std::set<int64_t> units;
  for (const auto& own : driving) {
    EXPECT_LE(own.size(), 1u);
    units.insert(own.begin(), own.end());
  }
  EXPECT_EQ(NumDriven(driving), 25);
  EXPECT_EQ(units.size(), 25u);
}

TEST(DrawNeuronsTest, NeuronsTakenAtRandomStandForTheirShareOfUnits) {
  // The number of driven neurons among n of N is hypergeometric: mean n / ratio.
  double sum = 0.0;
  constexpr int kDraws = 4000, kTaken = 12;
  for (int k = 0; k < kDraws; ++k) {
    RandomStream stream(7, "test", static_cast<uint64_t>(k));
    DrivingUnits driving = DrawNeurons(Numbers(30), 100, 4.0, stream);
    driving.resize(kTaken);
    sum += static_cast<double>(NumDriven(driving));
  }
  // Deviation of a draw 1.4; four deviations of the mean of 4,000.
  EXPECT_NEAR(sum / kDraws, kTaken / 4.0, 0.09);
}

TEST(DrawNeuronsTest, BelowOneEveryNeuronPoolsUnitsOfItsOwn) {
  RandomStream stream(1, "test");
  const DrivingUnits driving = DrawNeurons(Numbers(40), 12, 0.4, stream);
  std::set<int64_t> units;
  size_t total = 0;
  for (const auto& own : driving) {
    EXPECT_TRUE(own.size() == 2 || own.size() == 3) << own.size();
    total += own.size();
    units.insert(own.begin(), own.end());
  }
  EXPECT_EQ(total, 30u);
  EXPECT_EQ(units.size(), 30u);
}

TEST(SparsifyTest, LeavesThePlantedShareSilentAndTheMeanAtOne) {
  const Eigen::VectorXd drive = NormalMatrix(200, 1, 3);
  for (const double sparsity : {0.0, 0.25, 0.7, 0.995}) {
    const Eigen::VectorXd evoked = Sparsify(drive, sparsity);
    const double silent = std::max(1.0, std::ceil(sparsity * 200.0));
    EXPECT_EQ((evoked.array() == 0.0).count(), silent) << sparsity;
    EXPECT_GE(evoked.minCoeff(), 0.0);
    EXPECT_NEAR(evoked.mean(), 1.0, 1e-12);
  }
  EXPECT_EQ(Sparsify(Eigen::VectorXd::Constant(5, 2.0), 0.0), Eigen::VectorXd::Zero(5));
}

TEST(PoissonCountTest, HasTheProbabilitiesOfAPoissonCount) {
  constexpr int kDraws = 20000;
  for (const double rate : {0.0, 0.3, 4.0, 40.0}) {
    RandomStream stream(5, "test", static_cast<uint64_t>(rate * 10));
    std::map<int64_t, int> counts;
    double sum = 0.0, squares = 0.0;
    for (int k = 0; k < kDraws; ++k) {
      const int64_t count = PoissonCount(rate, stream);
      ++counts[count];
      sum += static_cast<double>(count);
      squares += static_cast<double>(count * count);
    }
    const double mean = sum / kDraws, variance = squares / kDraws - mean * mean;
    // Four deviations of the sample's mean and variance.
    EXPECT_NEAR(mean, rate, 4.0 * std::sqrt(rate / kDraws) + 1e-12);
    EXPECT_NEAR(variance, rate,
                4.0 * std::sqrt((rate + 2.0 * rate * rate) / kDraws) + 1e-12);
    double chi_square = 0.0;
    int cells = 0;
    for (const auto& [count, seen] : counts) {
      const double n = static_cast<double>(count);
      const double expected = kDraws * std::exp(n * std::log(std::max(rate, 1e-300)) -
                                                rate - std::lgamma(n + 1.0));
      if (expected < 20.0) continue;
      chi_square += (seen - expected) * (seen - expected) / expected;
      ++cells;
    }
    EXPECT_LT(chi_square, cells + 5.0 * std::sqrt(2.0 * cells + 1.0)) << rate;
  }
}

class SimulateTest : public ::testing::Test {
 protected:
  SimulateTest()
      : folder_(fs::path(::testing::TempDir()) /
                ("simulate_test-" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
    for (int k = 0; k < 3; ++k) files_.push_back(WriteModel(k, kStimuli));
    options_.num_trials = 4;
  }
  ~SimulateTest() override { fs::remove_all(folder_); }

  static constexpr int kStimuli = 60, kUnits = 24;

  fs::path WriteModel(int k, int num_stimuli) {
    ActivationWriter::Layer layer{"conv1", {}, {Stage::kPostRelu}};
    layer.units.channel.assign(kUnits, 0);
    layer.units.row.assign(kUnits, -1);
    layer.units.column.assign(kUnits, -1);
    std::vector<std::string> ids;
    for (int i = 0; i < num_stimuli; ++i) ids.push_back("s" + std::to_string(i));
    ActivationMetadata metadata;
    metadata.animal = "seed-00" + std::to_string(k);
    metadata.fingerprint = "model " + std::to_string(k);
    const fs::path path = folder_ / (metadata.animal + ".nc");
    auto writer = ActivationWriter::Create(path, ids, {layer}, metadata);
    ActivationMatrix values =
        (NormalMatrix(num_stimuli, kUnits, 10 + k).array() + 0.5).max(0.0).cast<float>();
    values.col(3).setZero();  // a dead unit
    EXPECT_TRUE(writer->Write({"conv1", Stage::kPostRelu}, 0, values).ok());
    EXPECT_TRUE(writer->Close().ok());
    return path;
  }
  Recording Run() {
    auto recording = Simulate(options_, "demo", files_);
    EXPECT_TRUE(recording.ok()) << recording.status();
    EXPECT_TRUE(recording->Validate().ok()) << recording->Validate();
    return *std::move(recording);
  }
  std::string Message() {
    return std::string(Simulate(options_, "demo", files_).status().message());
  }

  fs::path folder_;
  std::vector<fs::path> files_;
  SimulationOptions options_;
};

TEST_F(SimulateTest, SaysThatItIsSimulatedAndFromWhat) {
  const Recording recording = Run();
  EXPECT_TRUE(recording.simulated);
  EXPECT_THAT(recording.source,
              HasSubstr("simulated from post_relu activations of seed-000, seed-001"));
  EXPECT_THAT(recording.selection, HasSubstr("1 neurons a unit"));
  EXPECT_THAT(recording.animals(),
              ElementsAre("simulated-000", "simulated-001", "simulated-002"));
  EXPECT_THAT(recording.areas(), ElementsAre("conv1"));
  // Unit 3 never varies, so that 23 are left for the 100 that were asked for.
  EXPECT_EQ(recording.neurons.size(), 3u * (kUnits - 1));
  EXPECT_EQ(recording.num_trials, 4);
}

TEST_F(SimulateTest, WithoutNoiseResponsesAreTheUnitsUpToGain) {
  options_.noise = "none";
  options_.baseline = 0.5;
  const Recording recording = Run();
  const auto file = ActivationFile::Open(files_[0]);
  const Eigen::MatrixXd units = file->Read({"conv1", Stage::kPostRelu})->cast<double>();
  for (int64_t j = 0; j < kUnits - 1; ++j) {
    Eigen::VectorXd rate(kStimuli);
    for (int64_t i = 0; i < kStimuli; ++i) {
      rate(i) = recording.at(0, i, j);
      EXPECT_EQ(recording.at(3, i, j), recording.at(0, i, j));
    }
    EXPECT_NEAR(rate.mean(), 0.5 + recording.by_neuron.at("gain")[j], 1e-5);
    EXPECT_EQ(rate.minCoeff(), 0.5f);
    // Each neuron is one unit: after the ReLU its smallest value is 0.
    double best = 0.0;
    for (Eigen::Index u = 0; u < kUnits; ++u) {
      const Eigen::VectorXd x = units.col(u).array() - units.col(u).mean();
      const Eigen::VectorXd y = rate.array() - rate.mean();
      if (x.norm() > 0.0) best = std::max(best, x.dot(y) / (x.norm() * y.norm()));
    }
    EXPECT_NEAR(best, 1.0, 1e-6);
  }
}

TEST_F(SimulateTest, CountsHaveTheMeanAndVarianceOfTheirRates) {
  options_.num_trials = 400;
  options_.num_neurons = 5;
  const Recording counts = Run();
  options_.noise = "none";
  const Recording rates = Run();
  double z = 0.0, dispersion = 0.0;
  int64_t cells = 0;
  for (int64_t j = 0; j < 5; ++j) {
    for (int64_t i = 0; i < kStimuli; ++i) {
      const double rate = rates.at(0, i, j);
      if (rate < 0.5) continue;
      double sum = 0.0, squares = 0.0;
      for (int64_t t = 0; t < 400; ++t) {
        sum += counts.at(t, i, j);
        squares += counts.at(t, i, j) * counts.at(t, i, j);
      }
      const double mean = sum / 400.0;
      z += (mean - rate) / std::sqrt(rate / 400.0);
      dispersion += (squares / 400.0 - mean * mean) / mean;
      ++cells;
    }
  }
  const double n = static_cast<double>(cells);
  ASSERT_GT(n, 100.0);
  EXPECT_LT(std::abs(z / std::sqrt(n)), 4.0);
  // Fano factor 1, whose deviation a cell is about sqrt(2 / 400).
  EXPECT_NEAR(dispersion / n, 1.0, 4.0 * std::sqrt(2.0 / 400.0 / n) + 1.0 / 400.0);
}

TEST_F(SimulateTest, UndrivenNeuronsNeverChangeTheirRate) {
  options_.noise = "none";
  options_.num_neurons = 0;
  options_.neuron_to_unit_ratio = 3.0;
  const Recording recording = Run();
  ASSERT_EQ(recording.neurons.size(), 3u * 69u);
  int64_t driven = 0;
  for (int64_t j = 0; j < 69; ++j) {
    bool varies = false;
    for (int64_t i = 1; i < kStimuli; ++i) {
      varies |= recording.at(0, i, j) != recording.at(0, 0, j);
    }
    EXPECT_EQ(varies, recording.by_neuron.at("num_units")[j] == 1.0);
    driven += varies ? 1 : 0;
  }
  EXPECT_EQ(driven, 23);
}

TEST_F(SimulateTest, MoreTrialsBeginWithTheSameOnes) {
  const Recording few = Run();
  options_.num_trials = 6;
  const Recording many = Run();
  ASSERT_EQ(few.neurons.size(), many.neurons.size());
  for (int64_t t = 0; t < 4; ++t) {
    for (int64_t i = 0; i < kStimuli; ++i) {
      for (size_t j = 0; j < few.neurons.size(); ++j) {
        ASSERT_EQ(few.at(t, i, static_cast<int64_t>(j)),
                  many.at(t, i, static_cast<int64_t>(j)));
      }
    }
  }
  EXPECT_EQ(Run().responses, many.responses);
  EXPECT_NE(few.fingerprint, many.fingerprint);
  options_.sample_seed = 1;
  EXPECT_NE(Run().responses, many.responses);
}

TEST_F(SimulateTest, MixingKeepsTheUnitAndAddsOthers) {
  options_.noise = "none";
  const Recording plain = Run();
  options_.mixing_units = 3;
  const Recording mixed = Run();
  EXPECT_EQ(plain.neurons.size(), mixed.neurons.size());
  EXPECT_NE(plain.responses, mixed.responses);
  // Weight 0 leaves nothing of them but the draws.
  options_.mixing_weight = 0.0;
  EXPECT_EQ(Run().responses, plain.responses);
}

TEST_F(SimulateTest, SaysWhatDoesNotFit) {
  options_.layers = {"conv2"};
  EXPECT_THAT(Message(), HasSubstr("seed-000.nc: no conv2/post_relu; it holds conv1"));
  options_.layers = {};
  options_.stage = "pre_relu";
  EXPECT_THAT(Message(), HasSubstr("no activations of stage pre_relu"));
  options_.stage = "post_relu";
  options_.num_animals = 4;
  EXPECT_THAT(Message(), HasSubstr("num_animals is 4; there are 3 models"));
  options_.num_animals = 0;
  options_.num_stimuli = 61;
  EXPECT_THAT(Message(), HasSubstr("num_stimuli is 61"));
  options_.num_stimuli = 0;
  files_.push_back(WriteModel(3, 50));
  EXPECT_THAT(Message(), HasSubstr("seed-003.nc: other stimuli than"));
  files_.clear();
  EXPECT_THAT(Message(), HasSubstr("no activation files to simulate animals from"));
}

}  // namespace
}  // namespace iat
