#include "models/inference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <map>

#include "models/torch.h"
#include "models/vision_model.h"

namespace iat {
namespace {

// The same products in another order, and batch norm folded into the weights.
constexpr double kRoundingOfRms = 1e-5;
constexpr int64_t kBatch = 6;

// A network whose batch-norm statistics and affine parameters are those of no default.
std::shared_ptr<VisionModel> NormalizedModel(const std::string& architecture,
                                             double width) {
  auto model = *CreateModel({.architecture = architecture, .width = width}, 3);
  const torch::NoGradGuard no_grad;
  torch::manual_seed(5);
  model->train();
  model->Forward(2 * torch::randn({32, 3, 64, 64}) + 0.5, {});
  for (const auto& item : model->named_parameters()) {
    if (item.value().dim() == 1) item.value().add_(0.3 * torch::randn_like(item.value()));
  }
  model->eval();
  return model;
}

torch::Tensor Images(int64_t seed = 1) {
  torch::manual_seed(seed);
  return torch::randn({kBatch, 3, 64, 64});
}

// [row][image][column][channel], as the engine reads it.
std::vector<float> Input(const torch::Tensor& images) {
  const auto rows = images.permute({2, 0, 3, 1}).contiguous();
  return {rows.data_ptr<float>(), rows.data_ptr<float>() + rows.numel()};
}

// Every unit in the rectangle; channel-major.
UnitCoordinates Units(const LayerGeometry& layer, int row, int column, int rows,
                      int columns) {
  UnitCoordinates units;
  for (int c = 0; c < layer.channels; ++c) {
    for (int y = row; y < row + rows; ++y) {
      for (int x = column; x < column + columns; ++x) {
        units.channel.push_back(c);
        units.row.push_back(layer.side == 0 ? -1 : y);
        units.column.push_back(layer.side == 0 ? -1 : x);
      }
    }
  }
  return units;
}

UnitCoordinates Centre(const LayerGeometry& layer) {
  const int centre = static_cast<int>(layer.side / 2);
  return Units(layer, centre, centre, 1, 1);
}

UnitCoordinates Whole(const LayerGeometry& layer) {
  const int side = static_cast<int>(std::max<int64_t>(layer.side, 1));
  return Units(layer, 0, 0, side, side);
}

// The engine's answers against the network's own forward pass.
void ExpectForwardsValues(const std::shared_ptr<VisionModel>& model,
                          const std::vector<UnitRequest>& requests) {
  const torch::NoGradGuard no_grad;
  const auto images = Images();
  std::vector<Tap> taps;
  for (const auto& request : requests) {
    taps.push_back({request.layer, Stage::kPreRelu});
    taps.push_back({request.layer, Stage::kPostRelu});
  }
  TapRecorder recorder(taps);
  model->Forward(images, {.recorder = &recorder});

  const auto engine =
      InferenceEngine::Create(*model->Chain(model->layers().back()), requests, kBatch);
  ASSERT_TRUE(engine.ok()) << engine.status();
  InferenceEngine::Workspace workspace;
  std::vector<UnitResponses> responses;
  engine->Run(Input(images).data(), workspace, responses);
  ASSERT_EQ(responses.size(), requests.size());
  for (size_t r = 0; r < requests.size(); ++r) {
    const auto& [layer, units] = requests[r];
    const auto values = recorder.Get({layer, Stage::kPreRelu});
    const double rms = values.square().mean().sqrt().item<double>();
    ASSERT_EQ(responses[r].pre.rows(), kBatch);
    ASSERT_EQ(responses[r].pre.cols(), units.channel.size());
    double worst = 0;
    for (int64_t image = 0; image < kBatch; ++image) {
      for (size_t u = 0; u < units.channel.size(); ++u) {
        const auto of_channel = values[image][units.channel[u]];
        const float expected =
            values.dim() == 2 ? of_channel.item<float>()
                              : of_channel[units.row[u]][units.column[u]].item<float>();
        const float pre = responses[r].pre(image, u);
        worst = std::max<double>(worst, std::abs(pre - expected));
        ASSERT_EQ(responses[r].post(image, u), std::max(pre, 0.0f));
      }
    }
    EXPECT_LT(worst, kRoundingOfRms * rms) << layer;
    EXPECT_GT(responses[r].pre.array().abs().maxCoeff(), 0.0f) << layer;
  }
}

TEST(InferenceTest, HypercolumnsAreTheForwardPassesCentres) {
  for (const char* architecture : {"alexnet_bn", "alexnet"}) {
    const auto model = NormalizedModel(architecture, 1.0 / 16);
    std::vector<UnitRequest> requests;
    for (const LayerGeometry& layer : Geometry(*model->Chain("fc7"))) {
      requests.push_back({layer.layer, Centre(layer)});
    }
    ExpectForwardsValues(model, requests);
    requests.resize(
        5);  // and without the fully connected layers, which need all of conv5
    ExpectForwardsValues(model, requests);
  }
}

TEST(InferenceTest, WholeMapsAreTheForwardPasses) {
  const auto model = NormalizedModel("alexnet_bn", 1.0 / 16);
  std::vector<UnitRequest> requests;
  for (const LayerGeometry& layer : Geometry(*model->Chain("fc7"))) {
    requests.push_back({layer.layer, Whole(layer)});
  }
  ExpectForwardsValues(model, requests);
}

// Corners and edges, where rectangles are cut by padding, alone and together.
TEST(InferenceTest, AnyRectangleOfAnyLayerIsTheForwardPasses) {
  const auto model = NormalizedModel("alexnet_bn", 1.0 / 16);
  const auto layers = Geometry(*model->Chain("conv5"));
  for (const LayerGeometry& layer : layers) {
    const int side = static_cast<int>(layer.side);
    for (const auto& [row, column] :
         std::vector<std::pair<int, int>>{{0, 0}, {0, side - 1}, {side - 1, 1}}) {
      ExpectForwardsValues(model, {{layer.layer, Units(layer, row, column, 1, 1)}});
    }
    ExpectForwardsValues(model, {{layer.layer, Units(layer, 1, 0, 2, 2)}});
  }
  ExpectForwardsValues(model, {{"conv5", Units(layers[4], 0, 0, 1, 1)},
                               {"conv1", Units(layers[0], 14, 3, 1, 2)},
                               {"conv3", Units(layers[2], 2, 2, 1, 1)}});
}

// Two channels, a stride on a padded map, and a full layer on more than one position:
// what AlexNet at 64 x 64 has not.
TEST(InferenceTest, AHandMadeChainIsPyTorchs) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(2);
  const auto first = torch::randn({4, 2, 3, 3}), first_bias = torch::randn({4});
  const auto full = torch::randn({5, 4 * 3 * 3}), full_bias = torch::randn({5});
  const auto values = [](const torch::Tensor& t) {
    return std::vector<float>(t.data_ptr<float>(), t.data_ptr<float>() + t.numel());
  };
  InferenceChain chain{.channels = 2, .side = 7, .steps = {}};
  chain.steps.push_back({.kind = InferenceStep::Kind::kConvolution,
                         .kernel = 3,
                         .stride = 3,
                         .padding = 2,
                         .weight = values(first),
                         .bias = values(first_bias),
                         .outputs = 4});
  chain.steps.push_back({.kind = InferenceStep::Kind::kRelu, .layer = "a"});
  chain.steps.push_back({.kind = InferenceStep::Kind::kFull,
                         .weight = values(full),
                         .bias = values(full_bias),
                         .outputs = 5});
  chain.steps.push_back({.kind = InferenceStep::Kind::kRelu, .layer = "b"});
  const auto geometry = Geometry(chain);
  ASSERT_EQ(geometry[0].side, 3);
  const auto engine = *InferenceEngine::Create(
      chain, {{"b", Whole(geometry[1])}, {"a", Whole(geometry[0])}}, kBatch);
  // Rows see 1, 3 and 3 of the kernel's 3: the first starts two pixels outside.
  EXPECT_EQ(engine.multiply_adds(), 7 * 7 * 2 * 4 + 5 * 36);
  const auto images = torch::randn({kBatch, 2, 7, 7});
  InferenceEngine::Workspace workspace;
  std::vector<UnitResponses> responses;
  engine.Run(Input(images).data(), workspace, responses);
  const auto a = torch::conv2d(images, first, first_bias, 3, 2);
  const auto b = torch::linear(torch::relu(a).flatten(1), full, full_bias);
  const auto matrix = [](const ActivationMatrix& m) {
    return torch::from_blob(const_cast<float*>(m.data()), {m.rows(), m.cols()});
  };
  EXPECT_TRUE(torch::allclose(matrix(responses[0].pre), b, 1e-4, 1e-4));
  EXPECT_TRUE(torch::allclose(matrix(responses[1].pre), a.flatten(1), 1e-4, 1e-4));
}

TEST(InferenceTest, OnlyWhatIsSeenIsMultiplied) {
  const auto model = NormalizedModel("alexnet_bn", 1.0);
  const auto chain = *model->Chain("conv5");
  std::vector<UnitRequest> centres, whole;
  for (const LayerGeometry& layer : Geometry(chain)) {
    centres.push_back({layer.layer, Centre(layer)});
    whole.push_back({layer.layer, Whole(layer)});
  }
  // Taps on padding left out: rows of conv1 have 9, 13 x 11 and 10 of 11 (162), of
  // conv2 3, 4, 5, 5, 5, 4, 3 of 5 (29), of conv3 to conv5 2, 3, 2 of 3 (7).
  const int64_t before_conv5 =
      162 * 162 * 3 * 64 + 29 * 29 * 64 * 192 + 7 * 7 * 192 * 384 + 7 * 7 * 384 * 256;
  EXPECT_EQ(InferenceEngine::Create(chain, centres, 1)->multiply_adds(),
            before_conv5 + 3 * 3 * 256 * 256);
  EXPECT_EQ(InferenceEngine::Create(chain, whole, 1)->multiply_adds(),
            before_conv5 + 7 * 7 * 256 * 256);
  // conv1 alone: one position.
  EXPECT_EQ(InferenceEngine::Create(chain, {centres[0]}, 1)->multiply_adds(),
            11 * 11 * 3 * 64);
}

TEST(InferenceTest, NotANumberReachesTheTapsBehindIt) {
  const auto model = NormalizedModel("alexnet_bn", 1.0 / 16);
  auto chain = *model->Chain("conv2");
  chain.steps[0].bias[1] = std::nanf("");
  const auto layers = Geometry(chain);
  const auto engine =
      *InferenceEngine::Create(chain, {{"conv2", Centre(layers[1])}}, kBatch);
  InferenceEngine::Workspace workspace;
  std::vector<UnitResponses> responses;
  engine.Run(Input(Images()).data(), workspace, responses);
  EXPECT_TRUE(responses[0].post.array().isNaN().all());
}

TEST(InferenceTest, RequestsThatDoNotFitAreNamed) {
  const auto chain = *NormalizedModel("alexnet_bn", 1.0 / 16)->Chain("conv2");
  const auto layers = Geometry(chain);
  const auto message = [&](const std::vector<UnitRequest>& requests) {
    return std::string(InferenceEngine::Create(chain, requests, 1).status().message());
  };
  EXPECT_EQ(message({{"conv3", {}}}), "no layer \"conv3\"; there are conv1, conv2");
  EXPECT_EQ(message({{"conv1", Centre(layers[0])}, {"conv1", Centre(layers[0])}}),
            "layer conv1 is asked for twice");
  EXPECT_EQ(message({{"conv2", {.channel = {0}, .row = {7}, .column = {2}}}}),
            "conv2: no unit at channel 0, row 7, column 2; the map is 12 x 7 x 7");
}

TEST(GeometryTest, CentresAreOneAndTheSamePixel) {
  const auto layers = Geometry(*NormalizedModel("alexnet_bn", 1.0 / 16)->Chain("fc7"));
  const std::map<std::string, std::pair<int64_t, int64_t>> expected = {
      // field and jump in pixels, as the reference's table has them
      {"conv1", {11, 4}},   {"conv2", {51, 8}}, {"conv3", {99, 16}}, {"conv4", {131, 16}},
      {"conv5", {163, 16}}, {"fc6", {195, 32}}, {"fc7", {195, 32}}};
  ASSERT_EQ(layers.size(), expected.size());
  for (const LayerGeometry& layer : layers) {
    EXPECT_EQ(layer.field_side, expected.at(layer.layer).first) << layer.layer;
    EXPECT_EQ(layer.jump, expected.at(layer.layer).second) << layer.layer;
    EXPECT_EQ(layer.first_center + static_cast<double>(layer.side / 2 * layer.jump), 31.0)
        << layer.layer;
  }
}

// All units of all layers, by autograd. Weights are made positive, so that every path
// carries a gradient that nothing cancels. A max pool passes it to one of its inputs
// only: images are black but for a few spots of very different brightness, the
// brightest of which draws the paths to wherever it is, edges included.
TEST(GeometryTest, FieldsAreWhereInputGradientsAre) {
  const auto model = *CreateModel({.architecture = "alexnet", .width = 1.0 / 32}, 3);
  {
    const torch::NoGradGuard no_grad;
    for (const auto& item : model->named_parameters()) item.value().abs_();
  }
  model->eval();
  const auto layers = Geometry(*model->Chain("fc7"));
  constexpr int64_t kImages = 48;
  torch::manual_seed(1);
  const auto spots = (torch::rand({kImages, 3, 64, 64}) < 0.01).to(torch::kFloat32) *
                     torch::exp(3 * torch::randn({kImages, 3, 64, 64}));
  for (const LayerGeometry& layer : layers) {
    const Tap tap{layer.layer, Stage::kPreRelu};
    // No pool before the first layer: one image shows it all.
    const int64_t num_images = &layer == &layers.front() ? 1 : kImages;
    const auto images = spots.slice(0, 0, num_images).clone().requires_grad_();
    TapRecorder recorder({tap});
    model->Forward(images, {.recorder = &recorder});
    const auto values = recorder.Get(tap);
    const int64_t side = std::max<int64_t>(layer.side, 1);
    for (int64_t c = 0; c < layer.channels; ++c) {
      for (int64_t row = 0; row < side; ++row) {
        for (int64_t column = 0; column < side; ++column) {
          const auto unit = layer.side == 0
                                ? values.select(1, c)
                                : values.select(1, c).select(1, row).select(1, column);
          const auto gradient =
              torch::autograd::grad({unit.sum()}, {images}, {}, /*retain_graph=*/true)[0];
          const auto touched = (gradient != 0).any(0).any(0);
          const auto rows = torch::nonzero(touched.any(1));
          const auto columns = torch::nonzero(touched.any(0));
          const auto span = [](const torch::Tensor& found) {
            return std::pair<int64_t, int64_t>{found.min().item<int64_t>(),
                                               found.max().item<int64_t>()};
          };
          ASSERT_EQ(span(rows), layer.seen[row]) << layer.layer << " row " << row;
          ASSERT_EQ(span(columns), layer.seen[column])
              << layer.layer << " column " << column;
        }
      }
    }
  }
}

TEST(LayerNamesTest, AreThoseOfAllArchitectures) {
  EXPECT_THAT(LayerNames(), ::testing::ElementsAre("conv1", "conv2", "conv3", "conv4",
                                                   "conv5", "fc6", "fc7"));
}

}  // namespace
}  // namespace iat
