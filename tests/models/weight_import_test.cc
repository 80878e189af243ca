#include "models/weight_import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "models/safetensors.h"
#include "models/state_dict_file.h"
#include "models/torch.h"
#include "tests/models/golden_state_dicts.h"

namespace iat {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// PyTorch's activations and ours differ in the order of sums only.
constexpr double kActivationTolerance = 1e-4;

using State = std::map<std::string, torch::Tensor>;

State Network(const std::string& architecture, double width) {
  return StateDict(**CreateModel({.architecture = architecture, .width = width}, 5));
}

State Prefixed(const std::string& prefix, const State& state) {
  State renamed;
  for (const auto& [name, tensor] : state) renamed[prefix + name] = tensor;
  return renamed;
}

// The images of make_state_dicts.py.
torch::Tensor FormulaImages(int64_t count) {
  auto images = torch::empty({count, 3, 64, 64});
  auto at = images.accessor<float, 4>();
  for (int64_t n = 0; n < count; ++n)
    for (int64_t c = 0; c < 3; ++c)
      for (int64_t i = 0; i < 64; ++i)
        for (int64_t j = 0; j < 64; ++j)
          at[n][c][i][j] = static_cast<float>(std::sin(0.7 * n + 1.3 * c + 0.37 * i) +
                                              std::cos(0.23 * j + 0.011 * i * j));
  return images;
}

// Largest difference over the root mean square of the tap.
double Relative(const torch::Tensor& ours, const torch::Tensor& theirs) {
  return (ours - theirs).abs().max().item<double>() /
         theirs.square().mean().sqrt().item<double>();
}

class WeightImportTest : public ::testing::Test {
 protected:
  WeightImportTest()
      : folder_(fs::path(::testing::TempDir()) /
                ("weight_import_test-" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
  }
  ~WeightImportTest() override { fs::remove_all(folder_); }

  fs::path Write(const State& state) {
    const fs::path path = folder_ / "state.pt";
    EXPECT_TRUE(WriteStateDictFile(path, state).ok());
    return path;
  }
  std::string MessageOf(const State& state) {
    const auto weights = ImportWeights(Write(state));
    EXPECT_FALSE(weights.ok());
    return std::string(weights.status().message());
  }

  fs::path folder_;
};

TEST_F(WeightImportTest, ArchitectureWidthAndPrefixFollowFromTheTensors) {
  for (const char* architecture : {"alexnet_bn", "alexnet"}) {
    for (const double width : {1.0 / 32, 0.125, 0.1}) {
      for (const char* prefix : {"", "module.", "model.", "module.encoder_q."}) {
        const State state = Network(architecture, width);
        const auto weights = ImportWeights(Write(Prefixed(prefix, state)));
        ASSERT_TRUE(weights.ok()) << weights.status();
        EXPECT_EQ(weights->model.architecture, architecture);
        // Told from whole units: 0.1 of 4096 is 410.
        EXPECT_NEAR(weights->model.width, width, 0.5 / 4096);
        EXPECT_EQ(weights->prefix, prefix);
        EXPECT_THAT(weights->left_over, ElementsAre());
        ASSERT_EQ(weights->state.size(), state.size());
        for (const auto& [name, tensor] : state) {
          EXPECT_TRUE(torch::equal(weights->state.at(name), tensor)) << name;
        }
      }
    }
  }
}

TEST_F(WeightImportTest, WhatIsLeftOverConvertedOrFilledInIsSaid) {
  State state = Network("alexnet_bn", 1.0 / 32);
  const State original = state;
  for (auto& [name, tensor] : state) {
    if (tensor.is_floating_point()) tensor = tensor.to(torch::kFloat64);
  }
  state["features.0.bias"] = state["features.0.bias"].to(torch::kFloat16);
  std::erase_if(state, [](const auto& entry) {
    return entry.first.find("num_batches") != std::string::npos;
  });
  state["classifier.8.weight"] = torch::zeros({10, 128});
  State file = Prefixed("module.", state);
  file["queue"] = torch::zeros({3});
  const auto weights = ImportWeights(Write(file));
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_THAT(weights->left_over, ElementsAre("module.classifier.8.weight", "queue"));
  EXPECT_EQ(weights->filled_in.size(), 7u);
  EXPECT_EQ(weights->converted.at("float16"), 1);
  EXPECT_EQ(weights->converted.at("float64"), 41);
  EXPECT_TRUE(torch::equal(weights->state.at("classifier.5.weight"),
                           original.at("classifier.5.weight")));
  EXPECT_EQ(weights->state.at("features.1.num_batches_tracked").item<int64_t>(), 0);
  EXPECT_EQ(weights->Text(),
            "alexnet_bn width=0.03125, 49 tensors\n"
            "prefix \"module.\" taken off\n"
            "1 tensors of float16 converted to float32\n"
            "41 tensors of float64 converted to float32\n"
            "7 missing batch counters set to 0 (nothing depends on them)\n"
            "2 tensors left over, not part of the network: module.classifier.8.weight, "
            "queue\n");
}

TEST_F(WeightImportTest, WhatDoesNotFitIsNamed) {
  const State good = Network("alexnet", 1.0 / 32);
  State state = good;
  state.erase("features.3.weight");
  EXPECT_THAT(MessageOf(state),
              HasSubstr("fits no architecture; the nearest is alexnet width=0.03125 at "
                        "its top level: \"features.3.weight\" is missing"));
  state = good;
  state["features.0.bias"] = torch::zeros({3});
  EXPECT_THAT(MessageOf(state),
              HasSubstr("\"features.0.bias\" has shape [3]; expected [2]"));
  state = good;
  state["features.0.bias"] = torch::zeros({2}, torch::kInt32);
  EXPECT_THAT(
      MessageOf(state),
      HasSubstr("\"features.0.bias\" holds Int; expected floating-point numbers"));
  state = good;
  state["features.0.bias"] = torch::tensor({1.0f, std::nanf("")});
  EXPECT_THAT(MessageOf(state),
              HasSubstr("not finite in float32 in \"features.0.bias\""));
  // Finite as a double only.
  state["features.0.bias"] = torch::tensor({1.0, 1e300}, torch::kFloat64);
  EXPECT_THAT(MessageOf(state),
              HasSubstr("not finite in float32 in \"features.0.bias\""));
  EXPECT_THAT(MessageOf({{"conv1.weight", torch::zeros({64, 3, 7, 7})}}),
              HasSubstr("not an AlexNet: no tensor's name ends in features.0.weight; it "
                        "holds conv1.weight"));
}

TEST_F(WeightImportTest, SafetensorsOfOtherProgramsAndOfOursAreRead) {
  TensorFile file;
  file.tensors = Network("alexnet_bn", 0.1);
  const State original = file.tensors;
  const fs::path path = folder_ / "w.safetensors";
  file.metadata = {{"width", "0.1"}, {"init_seed", "5"}};
  ASSERT_TRUE(WriteTensors(path, file).ok());
  const auto ours = ImportWeights(path);
  ASSERT_TRUE(ours.ok()) << ours.status();
  EXPECT_EQ(ours->model.width, 0.1);  // noted, so exact
  EXPECT_EQ(ours->metadata.at("init_seed"), "5");
  EXPECT_FALSE(ours->metadata.contains("sha256"));
  for (auto& [name, tensor] : file.tensors) {
    if (tensor.is_floating_point()) tensor = tensor.to(torch::kBFloat16);
  }
  file.metadata.clear();
  ASSERT_TRUE(WriteTensors(path, file).ok());
  const auto half = ImportWeights(path);
  ASSERT_TRUE(half.ok()) << half.status();
  EXPECT_EQ(half->converted.at("bfloat16"), 42);
  EXPECT_TRUE(torch::equal(
      half->state.at("features.0.weight"),
      original.at("features.0.weight").to(torch::kBFloat16).to(torch::kFloat32)));
}

// A file that PyTorch wrote (DataParallel's names, in a checkpoint) gives the
// activations that PyTorch computed.
TEST_F(WeightImportTest, AGoldenCheckpointGivesPyTorchsActivations) {
  const GoldenStateDicts golden = ReadGoldenStateDicts();
  const fs::path path = folder_ / "checkpoint.pth.tar";
  std::ofstream(path, std::ios::binary) << golden.files.at("alexnet");
  const auto weights = ImportWeights(path);
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_EQ(weights->model.Name(), "alexnet_bn width=0.0078125");
  EXPECT_EQ(weights->place, "state_dict");
  EXPECT_EQ(weights->prefix, "module.");
  EXPECT_THAT(weights->left_over, ElementsAre("module.fc.weight"));
  EXPECT_EQ(weights->state.at("features.1.num_batches_tracked").item<int64_t>(), 11);
  const auto model = *CreateModel(weights->model, 0);
  ASSERT_TRUE(LoadStateDict(*model, weights->state, "golden").ok());
  model->eval();
  const torch::NoGradGuard no_grad;
  std::vector<Tap> taps;
  for (const std::string& layer : model->layers()) {
    for (const Stage stage : {Stage::kPreRelu, Stage::kPostRelu})
      taps.push_back({layer, stage});
  }
  TapRecorder recorder(taps);
  model->Forward(FormulaImages(2), {.recorder = &recorder});
  ASSERT_EQ(golden.values.size(), taps.size());
  for (const Tap& tap : taps) {
    torch::Tensor ours = recorder.Get(tap);
    if (ours.dim() == 4) {
      ours = ours.select(3, ours.size(3) / 2).select(2, ours.size(2) / 2);
    }
    const auto& theirs = golden.values.at(tap.Name());
    ASSERT_EQ(ours.numel(), static_cast<int64_t>(theirs.size())) << tap.Name();
    EXPECT_LE(Relative(ours.flatten(), torch::tensor(theirs)), kActivationTolerance)
        << tap.Name();
  }
}

TEST_F(WeightImportTest, AKeyChoosesAmongDictionaries) {
  const GoldenStateDicts golden = ReadGoldenStateDicts();
  const fs::path path = folder_ / "checkpoint.pth.tar";
  std::ofstream(path, std::ios::binary) << golden.files.at("alexnet");
  EXPECT_TRUE(ImportWeights(path, "state_dict").ok());
  EXPECT_EQ(ImportWeights(path, "ema").status().message(),
            absl::StrCat(path.string(),
                         ": no tensors at \"ema\"; there are some at \"state_dict\""));
}

// The same with PyTorch itself, where it is installed: a checkpoint with optimiser
// state from a script, and back.
class LivePyTorchTest : public WeightImportTest {
 protected:
  void SetUp() override {
    if (std::system("/usr/bin/python3 -c 'import torch, numpy' >/dev/null 2>&1") != 0) {
      GTEST_SKIP() << "needs /usr/bin/python3 with PyTorch (apt: python3-torch)";
    }
  }
  void RunPython(const std::string& arguments) {
    ASSERT_EQ(std::system(absl::StrCat("/usr/bin/python3 ", SourceFolder(),
                                       "/tests/golden/models/pytorch_side.py ", arguments)
                              .c_str()),
              0);
  }
};

TEST_F(LivePyTorchTest, ActivationsAgreeAndTheRoundTripIsIdentical) {
  RunPython(absl::StrCat("write ", folder_.string()));
  for (const std::string name : {"alexnet_bn", "alexnet"}) {
    const auto weights = ImportWeights(folder_ / (name + ".pth.tar"));
    ASSERT_TRUE(weights.ok()) << weights.status();
    EXPECT_EQ(weights->model.architecture, name);
    EXPECT_EQ(weights->model.width, 0.25);
    EXPECT_EQ(weights->place, "state_dict");
    const auto model = *CreateModel(weights->model, 0);
    ASSERT_TRUE(LoadStateDict(*model, weights->state, name).ok());
    model->eval();
    const torch::NoGradGuard no_grad;
    std::vector<Tap> taps;
    for (const std::string& layer : model->layers()) {
      for (const Stage stage : {Stage::kPreRelu, Stage::kPostRelu})
        taps.push_back({layer, stage});
    }
    TapRecorder recorder(taps);
    model->Forward(FormulaImages(4), {.recorder = &recorder});
    for (const Tap& tap : taps) {
      const auto bytes = ReadFile(folder_ / absl::StrCat(name, "-", tap.layer, "-",
                                                         StageName(tap.stage), ".f32"));
      ASSERT_TRUE(bytes.ok()) << bytes.status();
      const torch::Tensor& ours = recorder.Get(tap);
      ASSERT_EQ(bytes->size(), static_cast<size_t>(ours.numel()) * sizeof(float));
      auto theirs = torch::empty(ours.sizes());
      std::memcpy(theirs.data_ptr(), bytes->data(), bytes->size());
      EXPECT_LE(Relative(ours, theirs), kActivationTolerance)
          << name << " " << tap.Name();
    }
    // Ours to PyTorch and back: every bit.
    const fs::path ours = folder_ / (name + "-ours.pt"), back = folder_ / "back.pt";
    ASSERT_TRUE(WriteStateDictFile(ours, weights->state).ok());
    RunPython(absl::StrCat("check ", ours.string(), " ", back.string()));
    const auto again = ImportWeights(back);
    ASSERT_TRUE(again.ok()) << again.status();
    ASSERT_EQ(again->state.size(), weights->state.size());
    for (const auto& [key, tensor] : weights->state) {
      EXPECT_TRUE(torch::equal(again->state.at(key), tensor)) << key;
    }
  }
}

}  // namespace
}  // namespace iat
