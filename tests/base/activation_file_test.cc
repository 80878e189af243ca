#include "base/activation_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>

#include "base/file.h"
#include "base/half.h"

namespace iat {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class ActivationFileTest : public ::testing::Test {
 protected:
  ActivationFileTest()
      : path_(fs::path(::testing::TempDir()) /
              ("activation_file_test-" + std::to_string(::getpid()) + ".nc")) {}
  ~ActivationFileTest() override { fs::remove(path_); }

  static ActivationMatrix Values(int rows, int columns) {
    ActivationMatrix values(rows, columns);
    for (int i = 0; i < rows; ++i) {
      for (int j = 0; j < columns; ++j) values(i, j) = std::sin(1.0f + i * columns + j);
    }
    return values;
  }

  absl::StatusOr<ActivationWriter> Create(const std::vector<std::string>& ids) {
    return ActivationWriter::Create(path_, ids,
                                    {{"conv1",
                                      {{0, 1, 2}, {7, 7, 7}, {7, 7, 7}},
                                      {Stage::kPreRelu, Stage::kPostRelu}}},
                                    {.animal = "seed-003",
                                     .architecture = "alexnet_bn width=1",
                                     .init_seed = 3,
                                     .data_seed = 4,
                                     .weights_sha256 = "abc",
                                     .stimuli_sha256 = "def",
                                     .scope = "hypercolumn",
                                     .preprocessing = "as it is",
                                     .fingerprint = "ghi",
                                     .simulated = false});
  }

  fs::path path_;
  const std::vector<std::string> ids_ = {"a", "b/ü", "c", "d"};
};

TEST_F(ActivationFileTest, GivesBackWhatWasWritten) {
  const ActivationMatrix values = Values(4, 3);
  auto writer = Create(ids_);
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE(writer->Write({"conv1", Stage::kPreRelu}, 0, values.topRows(3)).ok());
  ASSERT_TRUE(writer->Write({"conv1", Stage::kPreRelu}, 3, values.bottomRows(1)).ok());
  ASSERT_TRUE(writer->Write({"conv1", Stage::kPostRelu}, 0, values.cwiseMax(0.0f)).ok());
  ASSERT_TRUE(writer->Close().ok());

  auto file = ActivationFile::Open(path_);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->stimulus_ids(), ids_);
  EXPECT_EQ(file->metadata().animal, "seed-003");
  EXPECT_EQ(file->metadata().init_seed, 3);
  EXPECT_EQ(file->metadata().data_seed, 4);
  EXPECT_EQ(file->metadata().fingerprint, "ghi");
  EXPECT_FALSE(file->metadata().simulated);
  EXPECT_EQ(file->Units("conv1")->row, (std::vector<int32_t>{7, 7, 7}));
  EXPECT_EQ(*file->Read({"conv1", Stage::kPreRelu}), values);
  EXPECT_EQ(*file->Read({"conv1", Stage::kPostRelu}), values.cwiseMax(0.0f));

  const auto missing = file->Read({"conv2", Stage::kPreRelu});
  EXPECT_THAT(std::string(missing.status().message()),
              HasSubstr("no conv2/pre_relu; it holds conv1/pre_relu, conv1/post_relu"));
}

TEST_F(ActivationFileTest, RefusesIncompleteFiles) {
  auto writer = Create(ids_);
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE(writer->Write({"conv1", Stage::kPreRelu}, 0, Values(4, 3)).ok());
  EXPECT_THAT(std::string(writer->Close().message()),
              HasSubstr("conv1/post_relu has 0 of 4 stimuli"));
}

TEST_F(ActivationFileTest, NamesTheStimulusAndUnitThatIsNotFinite) {
  ActivationMatrix values = Values(4, 3);
  values(2, 1) = NAN;
  auto writer = Create(ids_);
  ASSERT_TRUE(writer.ok());
  EXPECT_THAT(
      std::string(writer->Write({"conv1", Stage::kPreRelu}, 0, values).message()),
      HasSubstr(
          "conv1/pre_relu: stimulus \"c\", unit 1 is nan; expected a finite number"));
}

TEST_F(ActivationFileTest, RefusesDuplicateStimuli) {
  EXPECT_THAT(std::string(Create({"a", "b", "a"}).status().message()),
              HasSubstr("stimulus id \"a\" appears twice"));
}

TEST_F(ActivationFileTest, RefusesOtherFiles) {
  std::ofstream(path_) << "not netCDF";
  const auto file = ActivationFile::Open(path_);
  EXPECT_EQ(file.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(file.status().message()), HasSubstr(path_.string()));
}

TEST_F(ActivationFileTest, ADamagedChunkIsAnError) {
  auto writer = Create(ids_);
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE(writer->Write({"conv1", Stage::kPreRelu}, 0, Values(4, 3)).ok());
  ASSERT_TRUE(writer->Write({"conv1", Stage::kPostRelu}, 0, Values(4, 3)).ok());
  ASSERT_TRUE(writer->Close().ok());
  std::string bytes = *ReadFile(path_);
  const float first = Values(4, 3)(0, 0);
  const size_t place = bytes.find(std::string(reinterpret_cast<const char*>(&first), 4));
  ASSERT_NE(place, std::string::npos);
  bytes[place] ^= 1;
  std::ofstream(path_, std::ios::binary) << bytes;
  auto file = ActivationFile::Open(path_);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->Read({"conv1", Stage::kPreRelu}).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST_F(ActivationFileTest, RowsAndNumbersByUnitComeBack) {
  auto writer = Create({"a", "b", "c"});
  ASSERT_TRUE(writer.ok()) << writer.status();
  const ActivationMatrix values = Values(3, 3);
  for (const Stage stage : {Stage::kPreRelu, Stage::kPostRelu}) {
    ASSERT_TRUE(writer->Write({"conv1", stage}, 0, values).ok());
  }
  ASSERT_TRUE(writer->WriteByUnit("conv1", "rf_row", "centre, row", {31, 31.5, 32}).ok());
  ASSERT_TRUE(writer->Close().ok());
  const auto file = ActivationFile::Open(path_);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(*file->ReadRows({"conv1", Stage::kPreRelu}, 1, 2), values.bottomRows(2));
  EXPECT_EQ(file->layers(), std::vector<std::string>{"conv1"});
  EXPECT_EQ(*file->ReadByUnit("conv1", "rf_row"), (std::vector<double>{31, 31.5, 32}));
  EXPECT_EQ(
      file->ByUnitNames("conv1"),
      (std::vector<std::pair<std::string, std::string>>{{"rf_row", "centre, row"}}));
  EXPECT_TRUE(absl::IsNotFound(file->ReadByUnit("conv1", "none").status()));
}

TEST_F(ActivationFileTest, HalfPrecisionRoundsAndRefusesWhatIsTooLarge) {
  ActivationMetadata metadata;
  metadata.precision = "float16";
  const std::vector<ActivationWriter::Layer> layers = {
      {"conv1", {{0, 1}, {7, 7}, {7, 7}}, {Stage::kPreRelu}}};
  {
    auto writer = ActivationWriter::Create(path_, {"s"}, layers, metadata);
    ASSERT_TRUE(writer.ok()) << writer.status();
    ActivationMatrix values(1, 2);
    values << 1.0f, 70000.0f;
    const absl::Status status = writer->Write({"conv1", Stage::kPreRelu}, 0, values);
    EXPECT_TRUE(absl::IsOutOfRange(status));
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("conv1/pre_relu: stimulus \"s\", unit 1 is 70000, beyond "
                          "float16's 65504; store float32"));
    values << 1.0f / 3.0f, -1e-5f;
    ASSERT_TRUE(writer->Write({"conv1", Stage::kPreRelu}, 0, values).ok());
    ASSERT_TRUE(writer->Close().ok());
  }
  const auto file = ActivationFile::Open(path_);
  EXPECT_EQ(file->metadata().precision, "float16");
  const auto values = file->Read({"conv1", Stage::kPreRelu});
  EXPECT_EQ((*values)(0, 0), 1365.0f / 4096.0f);   // 1/3 to 11 bits
  EXPECT_EQ((*values)(0, 1), -168.0f * 0x1p-24f);  // in steps of 2^-24
}

TEST(HalfTest, RoundsToEvenAndKnowsItsLimits) {
  EXPECT_EQ(RoundToHalf(1.0f + 0x1p-11f), 1.0f);                // a tie, down to even
  EXPECT_EQ(RoundToHalf(1.0f + 3 * 0x1p-11f), 1.0f + 0x1p-9f);  // a tie, up to even
  EXPECT_EQ(RoundToHalf(65504.0f), 65504.0f);
  EXPECT_EQ(RoundToHalf(65519.0f), 65504.0f);
  EXPECT_TRUE(std::isinf(RoundToHalf(65520.0f)));
  EXPECT_TRUE(std::isinf(RoundToHalf(-1e10f)));
  EXPECT_EQ(RoundToHalf(0x1p-24f), 0x1p-24f);
  EXPECT_EQ(RoundToHalf(0x1p-26f), 0.0f);
  EXPECT_TRUE(std::isnan(RoundToHalf(std::nanf(""))));
}

}  // namespace
}  // namespace iat
