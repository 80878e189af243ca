#include "neural/consistency.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <limits>

#include "absl/strings/str_format.h"
#include "base/activation_file.h"
#include "base/csv.h"
#include "base/file.h"
#include "tests/similarity/golden_file.h"
#include "tests/similarity/synthetic.h"

namespace iat {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
constexpr double kSameArithmetic = 1e-12;

// As make_noise_correction.py has them.
std::vector<Eigen::MatrixXd> GoldenAnimals() {
  constexpr int kImages = 20, kUnits = 9;
  const Eigen::MatrixXd shared = FormulaMatrix(kImages, kUnits, 31);
  std::vector<Eigen::MatrixXd> animals;
  for (int a = 0; a < 3; ++a) {
    Eigen::MatrixXd x = shared * FormulaMatrix(kUnits, kUnits, 32 + a) +
                        FormulaMatrix(kImages, kUnits, 40 + a);
    x.col(0).setConstant(2.5);
    x.col(1) = x.col(1).cwiseMax(0.0);
    animals.push_back(x);
  }
  return animals;
}

TEST(ImageConsistencyTest, EqualsNumPysAndSciPys) {
  const auto golden = ReadGoldenAt("neural/consistency.txt");
  const std::vector<Eigen::MatrixXd> animals = GoldenAnimals();
  EXPECT_TRUE(
      ImageSimilarity(animals[0]).isApprox(golden.at("similarity.0"), kSameArithmetic));
  const auto consistency = ImageConsistency(animals);
  ASSERT_TRUE(consistency.ok()) << consistency.status();
  ASSERT_EQ(consistency->of_pair.size(), 3u);
  for (size_t p = 0; p < 3; ++p) {
    EXPECT_TRUE(
        consistency->of_pair[p].isApprox(golden.at("of_pair").col(p), kSameArithmetic));
  }
  EXPECT_TRUE(
      consistency->Mean().isApprox(golden.at("mean").transpose(), kSameArithmetic));
  const auto with = CorrelateWithReference(*consistency, FormulaMatrix(20, 1, 50), 0);
  ASSERT_TRUE(with.ok()) << with.status();
  EXPECT_NEAR(with->spearman.value, golden.at("spearman")(0, 0), kSameArithmetic);
  EXPECT_NEAR(with->pearson.value, golden.at("pearson")(0, 0), kSameArithmetic);
}

TEST(ImageConsistencyTest, IsOneForAnimalsThatAgreeUpToAGainOfEachNeuron) {
  const Eigen::MatrixXd first = NormalMatrix(12, 5, 1);
  Eigen::MatrixXd second = 3.0 * first.rowwise().reverse();
  second.array() += 4.0;
  const auto consistency = ImageConsistency({first, second});
  for (const double value : consistency->Mean()) EXPECT_NEAR(value, 1.0, 1e-12);
}

TEST(ImageConsistencyTest, IsAroundZeroForAnimalsThatHaveNothingInCommon) {
  const auto consistency =
      ImageConsistency({NormalMatrix(200, 30, 1), NormalMatrix(200, 30, 2)});
  // A Spearman correlation over 199 images has a deviation of 0.07; the mean over 200
  // images, whose rows share entries, of at most that.
  EXPECT_NEAR(consistency->Mean().mean(), 0.0, 0.05);
}

TEST(ImageConsistencyTest, ExplainsWhatItNeeds) {
  EXPECT_THAT(ImageConsistency({NormalMatrix(9, 3, 1)}).status().message(),
              HasSubstr("compares pairs of animals; there are 1"));
  EXPECT_THAT(
      ImageConsistency({NormalMatrix(9, 3, 1), NormalMatrix(8, 3, 1)}).status().message(),
      HasSubstr("the same for all animals; the first has 9, another 8"));
}

TEST(CorrelateWithReferenceTest, LeavesImagesWithoutAValueOut) {
  const auto consistency = ImageConsistency(GoldenAnimals());
  Eigen::VectorXd reference = consistency->Mean();
  reference(4) = std::numeric_limits<double>::quiet_NaN();
  const auto with = CorrelateWithReference(*consistency, reference, 0);
  EXPECT_EQ(with->num_images, 19);
  EXPECT_NEAR(with->spearman.value, 1.0, kSameArithmetic);
  EXPECT_NEAR(with->pearson.images_low, 1.0, 1e-9);
  EXPECT_TRUE(std::isnan(with->spearman.animals_low)) << "3 animals";
  reference.setConstant(std::numeric_limits<double>::quiet_NaN());
  EXPECT_THAT(CorrelateWithReference(*consistency, reference, 0).status().message(),
              HasSubstr("0 images have a consistency and a reference value"));
}

TEST(CorrelateWithReferenceTest, ItsIntervalOverImagesCoversThePlantedCorrelation) {
  // Values of images with a known correlation, given as one pair of animals.
  constexpr int kExperiments = 60, kImages = 80;
  constexpr double kCorrelation = 0.5;
  int covered = 0;
  for (int k = 0; k < kExperiments; ++k) {
    const Eigen::MatrixXd normal = NormalMatrix(kImages, 2, 1000 + k);
    FamilyConsistency family;
    family.num_animals = 2;
    family.pairs = {{0, 1}};
    family.of_pair = {normal.col(0)};
    const Eigen::VectorXd reference =
        kCorrelation * normal.col(0) +
        std::sqrt(1.0 - kCorrelation * kCorrelation) * normal.col(1);
    const auto with = CorrelateWithReference(family, reference, k);
    covered += with->pearson.images_low <= kCorrelation &&
                       kCorrelation <= with->pearson.images_high
                   ? 1
                   : 0;
  }
  // 95 % of 60 is 57; a percentile bootstrap falls a little short of it.
  EXPECT_GE(covered, 50);
}

class MeasureConsistencyTest : public ::testing::Test {
 protected:
  MeasureConsistencyTest()
      : folder_(fs::path(::testing::TempDir()) /
                ("consistency_test-" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
    for (int k = 0; k < 5; ++k) files_.push_back(WriteModel(k));
    std::string reference = "image,consistency\n", images = "scene,source\n";
    for (int i = 0; i < kImages; ++i) {
      reference += std::to_string(i) + "," + std::to_string(0.01 * (i * 7 % 30)) + "\n";
      images += std::to_string(i) + (i % 3 == 0 ? ",upsampled\n" : ",figure\n");
    }
    EXPECT_TRUE(WriteFileAtomically(folder_ / "reference.csv", reference).ok());
    EXPECT_TRUE(WriteFileAtomically(folder_ / "images.csv", images).ok());
    options_.activations = "scenes";
    options_.reference = (folder_ / "reference.csv").string();
  }
  ~MeasureConsistencyTest() override { fs::remove_all(folder_); }

  static constexpr int kImages = 30, kUnits = 12;

  fs::path WriteModel(int k) {
    ActivationWriter::Layer layer{"conv2", {}, {Stage::kPreRelu, Stage::kPostRelu}};
    layer.units.channel.assign(kUnits, 0);
    layer.units.row.assign(kUnits, -1);
    layer.units.column.assign(kUnits, -1);
    std::vector<std::string> ids;
    for (int i = 0; i < kImages; ++i) {
      ids.push_back(absl::StrFormat("scene_%03d.png", i));
    }
    ActivationMetadata metadata;
    metadata.animal = "seed-00" + std::to_string(k);
    const fs::path path = folder_ / (metadata.animal + ".nc");
    auto writer = ActivationWriter::Create(path, ids, {layer}, metadata);
    const ActivationMatrix before =
        (NormalMatrix(kImages, kUnits, 1) + NormalMatrix(kImages, kUnits, 10 + k))
            .cast<float>();
    EXPECT_TRUE(writer->Write({"conv2", Stage::kPreRelu}, 0, before).ok());
    EXPECT_TRUE(
        writer->Write({"conv2", Stage::kPostRelu}, 0, before.cwiseMax(0.0f)).ok());
    EXPECT_TRUE(writer->Close().ok());
    return path;
  }
  std::string Message() {
    return std::string(MeasureConsistency(options_, "all", files_).status().message());
  }

  fs::path folder_;
  std::vector<fs::path> files_;
  ConsistencyOptions options_;
};

TEST_F(MeasureConsistencyTest, GivesEveryLayerBeforeAndAfterItsRelu) {
  const auto table = MeasureConsistency(options_, "all", files_);
  ASSERT_TRUE(table.ok()) << table.status();
  ASSERT_EQ(table->rows.size(), 2u);
  for (const ConsistencyRow& row : table->rows) {
    EXPECT_EQ(row.num_animals, 5);
    EXPECT_EQ(row.num_images, kImages);
    EXPECT_GT(row.consistency.mean, 0.1);
    EXPECT_LT(row.consistency.low, row.consistency.mean);
    EXPECT_FALSE(std::isnan(row.reference.spearman.animals_high));
  }
  ASSERT_TRUE(WriteConsistency(folder_, {*table}).ok());
  const auto rows = ReadCsv(folder_ / "consistency.csv");
  ASSERT_TRUE(rows.ok());
  EXPECT_EQ(rows->rows.size(), 2u);
  EXPECT_EQ(rows->rows[1][rows->Column("stage")], "post_relu");
  const auto images = ReadCsv(folder_ / "consistency_images.csv");
  EXPECT_EQ(images->rows.size(), 2u * kImages);
  EXPECT_EQ(images->rows[9][images->Column("reference")], "0.03");
  EXPECT_THAT(ConsistencyText({*table}), HasSubstr("conv2   pre_relu"));
}

TEST_F(MeasureConsistencyTest, TakesOnlyTheImagesThatTheTableAllows) {
  options_.images = (folder_ / "images.csv").string();
  const auto table = MeasureConsistency(options_, "sharp", files_);
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ(table->image_ids.size(), 20u);
  EXPECT_EQ(table->image_ids[0], "scene_001.png");
  EXPECT_EQ(table->reference(0), 0.07);
  EXPECT_THAT(table->notes[0], HasSubstr("20 of 30 images"));
}

TEST_F(MeasureConsistencyTest, SaysWhatDoesNotFit) {
  options_.reference_value = "consistence";
  EXPECT_THAT(Message(), HasSubstr("reference.csv: no column \"consistence\"; it has "
                                   "image, consistency"));
  options_.reference_value = "consistency";
  ASSERT_TRUE(
      WriteFileAtomically(folder_ / "reference.csv", "image,consistency\n0,1\n").ok());
  EXPECT_THAT(Message(), HasSubstr("no row for image \"scene_001.png\""));
  ASSERT_TRUE(
      WriteFileAtomically(folder_ / "reference.csv", "image,consistency\n0,one\n").ok());
  EXPECT_THAT(Message(), HasSubstr("is \"one\"; expected a number"));
  options_.reference = "";
  options_.layers = {"conv3"};
  EXPECT_THAT(Message(), HasSubstr("no layer \"conv3\"; it holds conv2"));
  files_.clear();
  EXPECT_THAT(Message(), HasSubstr("all: no activation files; run iat extract"));
  options_.activations = "";
  EXPECT_THAT(Message(), HasSubstr("activations is empty"));
}

}  // namespace
}  // namespace iat
