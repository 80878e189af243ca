#include "training/batches.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "models/torch.h"
#include "tests/training/small_world.h"

namespace iat {
namespace {

// Every pixel as it is: what is left is normalisation.
AugmentOptions NoAugmentation() {
  AugmentOptions options;
  options.min_crop_area = options.max_crop_area = 1.0;
  options.min_crop_aspect = options.max_crop_aspect = 1.0;
  options.flip_probability = options.grayscale_probability = 0.0;
  options.jitter_probability = options.blur_probability = 0.0;
  return options;
}

class BatchMakerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    images_ = new PackedSet(PackDeadLeaves(folder_->path() / "packed", 24));
  }
  static void TearDownTestSuite() {
    delete images_;
    delete folder_;
  }

  static std::vector<int64_t> AllRows() {
    std::vector<int64_t> rows(images_->size());
    std::iota(rows.begin(), rows.end(), 0);
    return rows;
  }
  static BatchMaker Maker(int64_t data_seed, int64_t batch_size = 8, int num_views = 2) {
    return BatchMaker(*images_, AllRows(),
                      {.augmentation = SimClrAugmentation(),
                       .data_seed = data_seed,
                       .batch_size = batch_size,
                       .num_views = num_views});
  }
  static std::vector<int64_t> Indices(const TrainingBatch& batch) {
    const int64_t* values = batch.indices.data_ptr<int64_t>();
    return {values, values + batch.indices.numel()};
  }

  static TemporaryFolder* folder_;
  static PackedSet* images_;
};
TemporaryFolder* BatchMakerTest::folder_ = nullptr;
PackedSet* BatchMakerTest::images_ = nullptr;

TEST_F(BatchMakerTest, EveryImageComesOnceAnEpochInAnotherOrderEachTime) {
  auto maker = Maker(1);
  ASSERT_EQ(maker.steps_per_epoch(), 3);
  std::vector<std::vector<int64_t>> orders;
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    std::vector<int64_t> order;
    for (int64_t step = 0; step < 3; ++step) {
      const auto batch = *maker.Get(epoch * 3 + step);
      EXPECT_EQ(batch.step, epoch * 3 + step);
      EXPECT_EQ(batch.images.sizes(), (std::vector<int64_t>{16, 3, 64, 64}));
      for (const int64_t index : Indices(batch)) order.push_back(index);
    }
    EXPECT_EQ(std::set<int64_t>(order.begin(), order.end()).size(), 24u);
    orders.push_back(order);
  }
  EXPECT_NE(orders[0], orders[1]);
  EXPECT_NE(orders[1], orders[2]);
}

TEST_F(BatchMakerTest, ImagesBeyondTheLastWholeBatchWait) {
  auto maker = Maker(1, /*batch_size=*/10);
  ASSERT_EQ(maker.steps_per_epoch(), 2);
  std::set<int64_t> seen;
  for (int64_t step = 0; step < 2; ++step) {
    for (const int64_t index : Indices(*maker.Get(step))) seen.insert(index);
  }
  EXPECT_EQ(seen.size(), 20u);
}

TEST_F(BatchMakerTest, AStepIsTheSameWhateverWasAskedForBefore) {
  auto in_order = Maker(1);
  std::vector<TrainingBatch> batches;
  for (int64_t step = 0; step < 6; ++step) batches.push_back(*in_order.Get(step));
  auto jumping = Maker(1);
  for (const int64_t step : {5, 2, 3, 0, 0, 4}) {
    const auto batch = *jumping.Get(step);
    EXPECT_TRUE(torch::equal(batch.images, batches[step].images)) << step;
    EXPECT_TRUE(torch::equal(batch.indices, batches[step].indices)) << step;
  }
}

TEST_F(BatchMakerTest, AnotherDataSeedGivesAnotherOrder) {
  EXPECT_NE(Indices(*Maker(1).Get(0)), Indices(*Maker(2).Get(0)));
}

TEST_F(BatchMakerTest, ViewsDifferFromEachOtherAndFromEpochToEpoch) {
  auto maker = Maker(1, /*batch_size=*/24);
  const auto first = *maker.Get(0);
  const auto second = *maker.Get(1);
  const auto view = [](const TrainingBatch& batch, int v, int64_t index) {
    const auto place = (batch.indices == index).nonzero().item<int64_t>();
    return batch.images[v * 24 + place];
  };
  for (int64_t index = 0; index < 24; ++index) {
    EXPECT_FALSE(torch::equal(view(first, 0, index), view(first, 1, index))) << index;
    EXPECT_FALSE(torch::equal(view(first, 0, index), view(second, 0, index))) << index;
  }
}

TEST_F(BatchMakerTest, IndicesCountTheRowsThatAreTrainedOn) {
  const std::vector<int64_t> rows = {3, 8, 20, 21};
  BatchMaker maker(*images_, rows,
                   {.augmentation = NoAugmentation(),
                    .data_seed = 1,
                    .batch_size = 4,
                    .num_views = 2});
  EXPECT_EQ(maker.num_training_images(), 4);
  const auto batch = *maker.Get(0);
  const auto indices = Indices(batch);
  EXPECT_EQ(std::set<int64_t>(indices.begin(), indices.end()),
            (std::set<int64_t>{0, 1, 2, 3}));
  for (int64_t i = 0; i < 4; ++i) {
    auto expected = torch::empty({3, 64, 64});
    NormalizeInto(images_->pixels(rows[indices[i]]), 64, 64, expected.data_ptr<float>());
    for (const int64_t place : {i, i + 4}) {
      EXPECT_LT((batch.images[place] - expected).abs().max().item<double>(), 1e-5);
    }
  }
}

TEST_F(BatchMakerTest, EachViewHasItsOwnChain) {
  AugmentOptions options = NoAugmentation();
  options.second_solarize_probability = 1.0;
  BatchMaker maker(
      *images_, AllRows(),
      {.augmentation = options, .data_seed = 1, .batch_size = 4, .num_views = 2});
  const auto batch = *maker.Get(0);
  const auto mean = torch::tensor({0.485f, 0.456f, 0.406f}).view({3, 1, 1});
  const auto deviation = torch::tensor({0.229f, 0.224f, 0.225f}).view({3, 1, 1});
  for (int64_t i = 0; i < 4; ++i) {
    const auto plain = batch.images[i] * deviation + mean;
    const auto second = batch.images[4 + i] * deviation + mean;
    // Solarized: bright values are upside down.
    const auto expected = torch::where(plain * 255 < 127.5, plain, 1.0 - plain);
    EXPECT_LT((second - expected).abs().max().item<double>(), 1e-5);
  }
}

TEST_F(BatchMakerTest, LabelsGoWithTheirImages) {
  const PackedSet colours = WriteTwoColours(folder_->path() / "colours", 20);
  const std::vector<int64_t> rows = {3, 4, 7, 9, 10, 15};
  BatchMaker maker(colours, rows,
                   {.augmentation = NoAugmentation(),
                    .data_seed = 1,
                    .batch_size = 6,
                    .num_views = 1});
  const auto batch = *maker.Get(0);
  for (int64_t i = 0; i < 6; ++i) {
    const int64_t row = rows[batch.indices[i].item<int64_t>()];
    EXPECT_EQ(batch.labels[i].item<int64_t>(), row % 2);
    // Label 0 is reddish, label 1 bluish.
    const auto means = batch.images[i].mean({1, 2});
    EXPECT_EQ((means[0] > means[2]).item<bool>(), row % 2 == 0);
  }
  EXPECT_EQ(NumLabels(colours, rows), 2);
  EXPECT_EQ(NumLabels(colours, {4, 10}), 1);
  EXPECT_EQ(NumLabels(*images_, {0, 1}), 0);  // dead leaves have none
}

}  // namespace
}  // namespace iat
