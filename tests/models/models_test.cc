#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/alexnet.h"
#include "models/torch.h"
#include "models/vision_model.h"

namespace iat {
namespace {

using ::testing::HasSubstr;

std::shared_ptr<VisionModel> Model(const std::string& architecture, double width,
                                   int64_t init_seed = 1) {
  return *CreateModel({.architecture = architecture, .width = width}, init_seed);
}

int64_t NumParameters(const VisionModel& model) {
  int64_t count = 0;
  for (const auto& parameter : model.parameters()) count += parameter.numel();
  return count;
}

TEST(AlexNetTest, HasTheReferencesParameterCountAndNames) {
  const auto model = Model("alexnet_bn", 1.0);
  EXPECT_EQ(NumParameters(*model), 57'022'528);
  const auto state = StateDict(*model);
  EXPECT_EQ(state.at("features.0.weight").sizes(), (std::vector<int64_t>{64, 3, 11, 11}));
  EXPECT_EQ(state.at("features.14.weight").sizes(),
            (std::vector<int64_t>{256, 256, 3, 3}));
  EXPECT_EQ(state.at("features.15.running_var").sizes(), (std::vector<int64_t>{256}));
  EXPECT_EQ(state.at("classifier.1.weight").sizes(), (std::vector<int64_t>{4096, 9216}));
  EXPECT_EQ(state.at("classifier.6.weight").sizes(), (std::vector<int64_t>{4096}));
  // Without batch norm the names are torchvision's.
  const auto plain = StateDict(*Model("alexnet", 0.125));
  EXPECT_TRUE(plain.contains("features.10.weight"));
  EXPECT_TRUE(plain.contains("classifier.4.bias"));
  EXPECT_EQ(plain.size(), 14u);
}

TEST(AlexNetTest, MapsHaveTheReferencesSizes) {
  const auto model = Model("alexnet_bn", 0.25);
  model->eval();
  const torch::NoGradGuard no_grad;
  std::vector<Tap> taps;
  for (const auto& layer : model->layers()) taps.push_back({layer, Stage::kPreRelu});
  TapRecorder recorder(taps);
  const auto out = model->Forward(torch::randn({2, 3, 64, 64}), {.recorder = &recorder});
  EXPECT_FALSE(out.defined());  // fc7 is a tap too, so nothing is left to do
  const int64_t sides[] = {15, 7, 3, 3, 3};
  const int64_t channels[] = {16, 48, 96, 64, 64};
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(recorder.Get(taps[i]).sizes(),
              (std::vector<int64_t>{2, channels[i], sides[i], sides[i]}));
  }
  EXPECT_EQ(recorder.Get(taps[6]).sizes(), (std::vector<int64_t>{2, 1024}));
}

TEST(AlexNetTest, PreReluIsBeforeTheReluAndPostIsItsPositivePart) {
  for (const char* architecture : {"alexnet_bn", "alexnet"}) {
    const auto model = Model(architecture, 0.25);
    model->eval();
    const torch::NoGradGuard no_grad;
    std::vector<Tap> taps;
    for (const auto& layer : model->layers()) {
      taps.push_back({layer, Stage::kPreRelu});
      taps.push_back({layer, Stage::kPostRelu});
    }
    TapRecorder recorder(taps);
    model->Forward(torch::randn({8, 3, 64, 64}), {.recorder = &recorder});
    for (const auto& layer : model->layers()) {
      const auto pre = recorder.Get({layer, Stage::kPreRelu});
      EXPECT_LT(pre.min().item<float>(), 0.0f) << architecture << " " << layer;
      EXPECT_TRUE(torch::equal(recorder.Get({layer, Stage::kPostRelu}), pre.clamp_min(0)))
          << architecture << " " << layer;
    }
  }
}

TEST(AlexNetTest, TapsDoNotChangeTheOutput) {
  const auto model = Model("alexnet_bn", 0.125);
  model->eval();
  const torch::NoGradGuard no_grad;
  const auto images = torch::randn({4, 3, 64, 64});
  TapRecorder recorder({{"conv1", Stage::kPreRelu}, {"fc7", Stage::kPostRelu}});
  model->Forward(images, {.recorder = &recorder});
  EXPECT_TRUE(
      torch::equal(model->Forward(images, {}), recorder.Get({"fc7", Stage::kPostRelu})));
}

TEST(AlexNetTest, InitialisationIsPyTorchsDefaultAndFollowsTheSeed) {
  const auto a = StateDict(*Model("alexnet_bn", 0.25, 1));
  const auto same = StateDict(*Model("alexnet_bn", 0.25, 1));
  const auto other = StateDict(*Model("alexnet_bn", 0.25, 2));
  for (const auto& [name, tensor] : a) EXPECT_TRUE(torch::equal(tensor, same.at(name)));
  const auto& weight = a.at("classifier.1.weight");
  EXPECT_FALSE(torch::equal(weight, other.at("classifier.1.weight")));
  // Uniform in +-b has deviation b / sqrt(3), with b = 1/sqrt(fan_in).
  const double bound = 1.0 / std::sqrt(weight.size(1));
  EXPECT_LE(weight.abs().max().item<double>(), bound);
  EXPECT_NEAR(weight.std().item<double>(), bound / std::sqrt(3.0), 0.005 * bound);
  EXPECT_NEAR(weight.mean().item<double>(), 0.0, 0.005 * bound);
  EXPECT_TRUE(torch::all(a.at("features.1.weight") == 1).item<bool>());
  EXPECT_TRUE(torch::all(a.at("features.1.bias") == 0).item<bool>());
}

TEST(DropoutTest, KeepsHalfDoublesItAndDependsOnlyOnItsKey) {
  const RandomStream stream(3, "dropout", 17);
  const TapContext context{.dropout = &stream};
  const auto ones = torch::ones({64, 1000});
  const auto once = context.Dropout(0, ones);
  EXPECT_TRUE(torch::equal(once, context.Dropout(0, ones)));
  EXPECT_FALSE(torch::equal(once, context.Dropout(1, ones)));
  EXPECT_TRUE(torch::all((once == 0) | (once == 2)).item<bool>());
  EXPECT_NEAR(once.mean().item<double>(), 1.0, 0.02);
  EXPECT_TRUE(torch::equal(TapContext{}.Dropout(0, ones), ones));
}

TEST(LoadStateDictTest, NamesWhatDoesNotFitAndChangesNothing) {
  const auto model = Model("alexnet", 0.125);
  auto state = StateDict(*model);
  for (auto& [name, tensor] : state) tensor = tensor.clone() + 1;
  const auto before = StateDict(*model).at("features.0.bias").clone();
  state.erase("features.3.bias");
  state["features.0.weight"] = torch::zeros({1, 3, 11, 11});
  state["extra"] = torch::zeros({1});
  const auto status = LoadStateDict(*model, state, "w.safetensors");
  const std::string message(status.message());
  EXPECT_THAT(message, HasSubstr("w.safetensors does not fit the model"));
  EXPECT_THAT(message, HasSubstr("\"features.3.bias\" is missing"));
  EXPECT_THAT(
      message,
      HasSubstr(
          "\"features.0.weight\" has shape [1, 3, 11, 11]; expected [8, 3, 11, 11]"));
  EXPECT_THAT(message, HasSubstr("\"extra\" is left over"));
  EXPECT_TRUE(torch::equal(StateDict(*model).at("features.0.bias"), before));
}

TEST(CreateModelTest, AnUnknownArchitectureIsNamed) {
  const auto model = CreateModel({.architecture = "resnet"}, 0);
  EXPECT_THAT(std::string(model.status().message()),
              HasSubstr("no architecture \"resnet\"; there are alexnet_bn, alexnet"));
}

}  // namespace
}  // namespace iat
