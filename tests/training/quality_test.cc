#include "training/quality.h"

#include <gtest/gtest.h>

#include <cmath>

#include "models/torch.h"

namespace iat {
namespace {

double KnnAccuracy(const torch::Tensor& references,
                   const std::vector<int>& reference_labels, const torch::Tensor& queries,
                   const std::vector<int>& labels, int64_t k) {
  return KnnAccuracies(references, reference_labels, queries, labels, {k})[0];
}

struct LabelledFeatures {
  torch::Tensor features;
  std::vector<int> labels;
};

// Points around the first `num_classes` axes of 16 dimensions.
LabelledFeatures Clusters(int64_t n, int num_classes, double noise) {
  LabelledFeatures set;
  set.features = noise * torch::randn({n, 16});
  for (int64_t i = 0; i < n; ++i) {
    const int label = static_cast<int>(i % num_classes);
    set.features[i][label] += 1.0;
    set.labels.push_back(label);
  }
  return set;
}

TEST(KnnAccuracyTest, SeparableClustersAreAllFound) {
  torch::manual_seed(1);
  const auto references = Clusters(200, 5, 0.05);
  // More queries than one block of 256.
  const auto queries = Clusters(600, 5, 0.05);
  EXPECT_EQ(KnnAccuracy(references.features, references.labels, queries.features,
                        queries.labels, 10),
            1.0);
  // Cosines: the length of a feature does not matter.
  EXPECT_EQ(KnnAccuracy(references.features * 100, references.labels,
                        queries.features * 0.01, queries.labels, 10),
            1.0);
}

TEST(KnnAccuracyTest, ShuffledLabelsAreGuessed) {
  torch::manual_seed(2);
  auto references = Clusters(500, 5, 0.05);
  for (auto& label : references.labels)
    label = static_cast<int>(torch::randint(5, {1}).item<int>());
  const auto queries = Clusters(1000, 5, 1.0);
  const double accuracy = KnnAccuracy(references.features, references.labels,
                                      queries.features, queries.labels, 1);
  // Chance is 0.2; four deviations of 1,000 guesses.
  EXPECT_NEAR(accuracy, 0.2, 4 * std::sqrt(0.2 * 0.8 / 1000));
}

TEST(KnnAccuracyTest, ANearNeighbourOutweighsTwoFarOnes) {
  const auto references = torch::tensor({{1.0f, 0.0f}, {0.0f, 1.0f}, {0.0f, 1.0f}});
  const auto query = torch::tensor({{1.0f, 0.1f}});
  EXPECT_EQ(KnnAccuracy(references, {7, 3, 3}, query, {7}, 3), 1.0);
  // At equal cosines the two win.
  EXPECT_EQ(KnnAccuracy(references, {7, 3, 3}, torch::ones({1, 2}), {7}, 3), 0.0);
}

TEST(KnnAccuracyTest, KIsCutToTheReferences) {
  torch::manual_seed(3);
  const auto references = Clusters(6, 2, 0.05);
  const auto queries = Clusters(20, 2, 0.05);
  const auto at = [&](int64_t k) {
    return KnnAccuracy(references.features, references.labels, queries.features,
                       queries.labels, k);
  };
  EXPECT_EQ(at(1000), at(6));
  EXPECT_EQ(at(1000), 1.0);
}

// One ranking serves every k, k = 1 is the nearest neighbour's label.
TEST(KnnAccuracyTest, SeveralKAtOnceAreThoseOneByOne) {
  torch::manual_seed(7);
  const auto references = Clusters(300, 5, 0.8);
  const auto queries = Clusters(400, 5, 0.8);
  const std::vector<int64_t> ks = {200, 1, 7, 1000};
  const auto together = KnnAccuracies(references.features, references.labels,
                                      queries.features, queries.labels, ks);
  ASSERT_EQ(together.size(), ks.size());
  for (size_t i = 0; i < ks.size(); ++i) {
    EXPECT_EQ(together[i], KnnAccuracy(references.features, references.labels,
                                       queries.features, queries.labels, ks[i]));
  }
  const auto nearest = torch::nn::functional::normalize(queries.features)
                           .mm(torch::nn::functional::normalize(references.features).t())
                           .argmax(1);
  int correct = 0;
  for (size_t i = 0; i < queries.labels.size(); ++i) {
    correct += references.labels[nearest[i].item<int64_t>()] == queries.labels[i];
  }
  EXPECT_EQ(together[1], correct / 400.0);
  EXPECT_NE(together[0], together[1]);  // noisy enough for votes to matter
}

TEST(KnnAccuracyTest, WithNothingToScoreThereIsNoNumber) {
  const auto some = torch::ones({2, 4});
  const auto none = torch::empty({0, 4});
  EXPECT_TRUE(std::isnan(KnnAccuracy(some, {0, 1}, none, {}, 5)));
  EXPECT_TRUE(std::isnan(KnnAccuracy(none, {}, some, {0, 1}, 5)));
}

TEST(MeasureSpreadTest, AnEvenSphereHasDeviationOneAndUsesAllDirections) {
  torch::manual_seed(4);
  const auto sphere = torch::nn::functional::normalize(torch::randn({4000, 16}));
  const EmbeddingSpread spread = MeasureSpread(sphere);
  EXPECT_NEAR(spread.deviation, 1.0, 0.01);
  EXPECT_NEAR(spread.effective_rank, 16.0, 0.1);
  EXPECT_FALSE(spread.Collapsed());
}

TEST(MeasureSpreadTest, FewImagesGiveTheSameNumbersAsTheirWholeCovariance) {
  // 5 images in 16 dimensions take the smaller Gram matrix; padding the images with
  // copies takes the larger one and changes neither covariance nor rank.
  torch::manual_seed(5);
  const auto few = torch::nn::functional::normalize(torch::randn({5, 16}));
  const EmbeddingSpread small = MeasureSpread(few);
  const EmbeddingSpread large = MeasureSpread(few.repeat({4, 1}));
  EXPECT_NEAR(small.deviation, large.deviation, 1e-9);
  EXPECT_NEAR(small.effective_rank, large.effective_rank, 1e-6);
  EXPECT_LE(small.effective_rank, 4.0 + 1e-9);
}

TEST(MeasureSpreadTest, TwoEqualDirectionsAreARankOfTwo) {
  // The four points +-e1, +-e2: variance 1/2 along each, none elsewhere.
  const auto points = torch::tensor(
      {{1.0f, 0.0f, 0.0f}, {-1.0f, 0.0f, 0.0f}, {0.0f, 1.0f, 0.0f}, {0.0f, -1.0f, 0.0f}});
  const EmbeddingSpread spread = MeasureSpread(points);
  EXPECT_NEAR(spread.effective_rank, 2.0, 1e-9);
  EXPECT_NEAR(spread.deviation, std::sqrt(3.0) * (2.0 * std::sqrt(0.5)) / 3.0, 1e-9);
}

TEST(MeasureSpreadTest, APointAndALineHaveCollapsed) {
  const auto point = torch::nn::functional::normalize(torch::ones({100, 16}));
  EXPECT_NEAR(MeasureSpread(point).deviation, 0.0, 1e-6);
  EXPECT_TRUE(MeasureSpread(point).Collapsed());
  torch::manual_seed(6);
  const auto nearly =
      torch::nn::functional::normalize(point + 0.001 * torch::randn({100, 16}));
  EXPECT_GT(MeasureSpread(nearly).effective_rank, 1.5);  // the deviation tells
  EXPECT_TRUE(MeasureSpread(nearly).Collapsed());
  const auto line = torch::randn({100, 1}).sign() * point;
  const EmbeddingSpread spread = MeasureSpread(line);
  EXPECT_NEAR(spread.deviation, 1.0, 0.05);  // the rank tells
  EXPECT_NEAR(spread.effective_rank, 1.0, 1e-6);
  EXPECT_TRUE(spread.Collapsed());
}

TEST(CollapseMessageTest, SaysWhatIsWrongAndWhatToTry) {
  EXPECT_EQ(CollapseMessage({.deviation = 0.012, .effective_rank = 9.0}, "try patience"),
            "the embedding has collapsed: all images fall on nearly one point (deviation "
            "0.012, effective rank 9.0); try patience");
  EXPECT_EQ(CollapseMessage({.deviation = 0.9, .effective_rank = 1.1}, "try patience"),
            "the embedding has collapsed: all images fall on nearly one line (deviation "
            "0.900, effective rank 1.1); try patience");
}

}  // namespace
}  // namespace iat
