#include "extraction/activation_tools.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/netcdf.h"
#include "base/npy.h"

namespace iat {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const UnitCoordinates kConv{{0, 1, 2}, {7, 7, 7}, {7, 7, 7}};
const UnitCoordinates kFull{{0, 1}, {-1, -1}, {-1, -1}};

float Value(const Tap& tap, int64_t stimulus, int64_t unit) {
  const float x =
      std::sin(1.0f + 7.0f * static_cast<float>(stimulus) +
               0.3f * static_cast<float>(unit) + (tap.layer == "fc6" ? 0.1f : 0.0f));
  return tap.stage == Stage::kPreRelu ? x : std::max(x, 0.0f);
}

class ActivationToolsTest : public ::testing::Test {
 protected:
  ActivationToolsTest()
      : folder_(fs::path(::testing::TempDir()) /
                absl::StrCat("activation_tools-", ::getpid())) {
    fs::create_directories(folder_);
  }
  ~ActivationToolsTest() override { fs::remove_all(folder_); }

  // Stimuli s<first> ... with known values.
  fs::path Write(const std::string& name, int64_t first, int64_t count,
                 ActivationMetadata metadata = {.animal = "seed-003",
                                                .architecture = "alexnet_bn width=1",
                                                .weights_sha256 = "w",
                                                .stimuli_sha256 = "s",
                                                .scope = "hypercolumn",
                                                .preprocessing = "none",
                                                .fingerprint = "f"}) {
    const fs::path path = folder_ / name;
    std::vector<std::string> ids;
    for (int64_t i = first; i < first + count; ++i) ids.push_back(absl::StrCat("s", i));
    const std::vector<Stage> both = {Stage::kPreRelu, Stage::kPostRelu};
    auto writer = ActivationWriter::Create(
        path, ids, {{"conv1", kConv, both}, {"fc6", kFull, both}}, metadata);
    EXPECT_TRUE(writer.ok()) << writer.status();
    for (const Tap& tap : AllTaps()) {
      ActivationMatrix rows(count, tap.layer == "fc6" ? 2 : 3);
      for (int64_t i = 0; i < count; ++i) {
        for (Eigen::Index u = 0; u < rows.cols(); ++u)
          rows(i, u) = Value(tap, first + i, u);
      }
      EXPECT_TRUE(writer->Write(tap, 0, rows).ok());
    }
    EXPECT_TRUE(writer->WriteByUnit("conv1", "rf_row", "centre", {31, 31, 31}).ok());
    EXPECT_TRUE(writer->WriteByUnit("conv1", "pre_relu_mean", "mean", {1, 2, 3}).ok());
    EXPECT_TRUE(writer->Close().ok());
    return path;
  }

  static std::vector<Tap> AllTaps() {
    return {{"conv1", Stage::kPreRelu},
            {"conv1", Stage::kPostRelu},
            {"fc6", Stage::kPreRelu},
            {"fc6", Stage::kPostRelu}};
  }

  // Each row has the values of the stimulus that its id names.
  static void ExpectKnownValues(const fs::path& path) {
    const auto file = ActivationFile::Open(path);
    ASSERT_TRUE(file.ok()) << file.status();
    for (const Tap& tap : file->taps()) {
      const auto values = file->Read(tap);
      ASSERT_TRUE(values.ok()) << values.status();
      for (Eigen::Index i = 0; i < values->rows(); ++i) {
        int64_t stimulus = 0;
        ASSERT_TRUE(absl::SimpleAtoi(file->stimulus_ids()[i].substr(1), &stimulus));
        for (Eigen::Index u = 0; u < values->cols(); ++u) {
          ASSERT_EQ((*values)(i, u), Value(tap, stimulus, u)) << tap.Name();
        }
      }
    }
  }

  fs::path folder_;
};

TEST_F(ActivationToolsTest, MergedFilesHoldAllStimuli) {
  const auto a = Write("a.nc", 0, 300), b = Write("b.nc", 300, 5);
  const fs::path merged = folder_ / "merged.nc";
  ASSERT_TRUE(MergeActivations({a, b}, merged).ok());
  ExpectKnownValues(merged);
  const auto file = ActivationFile::Open(merged);
  EXPECT_EQ(file->stimulus_ids().size(), 305u);
  EXPECT_EQ(*file->ReadByUnit("conv1", "rf_row"), (std::vector<double>{31, 31, 31}));
  // A mean over one part's stimuli is none over all.
  EXPECT_FALSE(file->ReadByUnit("conv1", "pre_relu_mean").ok());
  EXPECT_NE(file->metadata().stimuli_sha256, "s");
}

TEST_F(ActivationToolsTest, WhatDoesNotGoTogetherIsNamed) {
  const auto a = Write("a.nc", 0, 3);
  const fs::path out = folder_ / "out.nc";
  EXPECT_THAT(std::string(MergeActivations({a, a}, out).message()),
              HasSubstr("stimulus id \"s0\" appears twice"));
  const auto other = Write("other.nc", 9, 3,
                           {.animal = "seed-004",
                            .architecture = "alexnet_bn width=1",
                            .weights_sha256 = "w",
                            .stimuli_sha256 = "s",
                            .scope = "hypercolumn",
                            .preprocessing = "none",
                            .fingerprint = "f"});
  EXPECT_EQ(MergeActivations({a, other}, out).message(),
            absl::StrCat(a.string(), " and ", other.string(),
                         " do not go together: animal is \"seed-003\" and \"seed-004\""));
  EXPECT_FALSE(fs::exists(out));
}

TEST_F(ActivationToolsTest, SelectionsKeepWhatTheyName) {
  const auto a = Write("a.nc", 0, 40);
  const fs::path out = folder_ / "out.nc";
  ASSERT_TRUE(
      SelectActivations(
          a,
          {.layers = {"fc6"}, .stages = {Stage::kPostRelu}, .stimulus_ids = {"s7", "s2"}},
          out)
          .ok());
  ExpectKnownValues(out);
  auto file = ActivationFile::Open(out);
  EXPECT_THAT(file->taps(), ElementsAre(Tap{"fc6", Stage::kPostRelu}));
  EXPECT_THAT(file->stimulus_ids(), ElementsAre("s7", "s2"));
  ASSERT_TRUE(
      SelectActivations(a, {.layers = {"conv1"}, .stages = {}, .stimulus_ids = {}}, out)
          .ok());
  ExpectKnownValues(out);
  file = ActivationFile::Open(out);
  EXPECT_EQ(file->taps().size(), 2u);
  EXPECT_TRUE(file->ReadByUnit("conv1", "pre_relu_mean").ok());
  EXPECT_THAT(
      std::string(SelectActivations(
                      a, {.layers = {"conv9"}, .stages = {}, .stimulus_ids = {}}, out)
                      .message()),
      HasSubstr("a.nc: no layer \"conv9\"; it holds conv1, fc6"));
  EXPECT_THAT(
      std::string(
          SelectActivations(a, {.layers = {}, .stages = {}, .stimulus_ids = {"s99"}}, out)
              .message()),
      HasSubstr("a.nc: no stimulus \"s99\""));
}

TEST_F(ActivationToolsTest, NpyGivesTheExactValues) {
  const auto a = Write("a.nc", 0, 300);
  ASSERT_TRUE(ExportNpy(a, folder_ / "npy").ok());
  const auto file = ActivationFile::Open(a);
  for (const Tap& tap : AllTaps()) {
    const std::string bytes = *ReadFile(
        folder_ / "npy" / absl::StrCat(tap.layer, "_", StageName(tap.stage), ".npy"));
    const auto header = ParseNpyHeader(bytes, "x");
    ASSERT_TRUE(header.ok()) << header.status();
    const ActivationMatrix values = *file->Read(tap);
    EXPECT_EQ(header->type, "<f4");
    EXPECT_THAT(header->shape, ElementsAre(values.rows(), values.cols()));
    EXPECT_EQ(header->data_start % 64, 0u);
    ASSERT_EQ(bytes.size(), header->data_start + values.size() * sizeof(float));
    EXPECT_EQ(std::memcmp(bytes.data() + header->data_start, values.data(),
                          values.size() * sizeof(float)),
              0);
  }
  const auto units = ReadCsv(folder_ / "npy/conv1_units.csv");
  ASSERT_TRUE(units.ok());
  EXPECT_THAT(units->columns,
              ElementsAre("unit", "channel", "row", "column", "rf_row", "pre_relu_mean"));
  EXPECT_THAT(units->rows[1], ElementsAre("1", "1", "7", "7", "31", "2"));
}

TEST_F(ActivationToolsTest, CsvGivesTheExactValues) {
  const auto a = Write("a.nc", 0, 5);
  ASSERT_TRUE(ExportCsv(a, folder_ / "csv").ok());
  const auto table = ReadCsv(folder_ / "csv/conv1_pre_relu.csv");
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_THAT(table->columns, ElementsAre("stimulus_id", "0-7-7", "1-7-7", "2-7-7"));
  for (int64_t i = 0; i < 5; ++i) {
    EXPECT_EQ(table->rows[i][0], absl::StrCat("s", i));
    for (int64_t u = 0; u < 3; ++u) {
      float value = 0;
      ASSERT_TRUE(absl::SimpleAtof(table->rows[i][u + 1], &value));
      EXPECT_EQ(value, Value({"conv1", Stage::kPreRelu}, i, u));
    }
  }
  EXPECT_THAT(ReadCsv(folder_ / "csv/fc6_post_relu.csv")->columns,
              ElementsAre("stimulus_id", "0", "1"));
}

TEST_F(ActivationToolsTest, BrainScoreHasPresentationsAndNeuroids) {
  const auto a = Write("a.nc", 0, 300);
  const fs::path out = folder_ / "assembly.nc";
  ASSERT_TRUE(ExportBrainScore(a, out).ok());
  const auto file = NetcdfFile::Open(out);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(*file->DimensionSize("presentation"), 300u);
  EXPECT_EQ(*file->DimensionSize("neuroid"), 10u);  // (3 + 2) units, both stages
  EXPECT_EQ((*file->ReadStrings("stimulus_id"))[299], "s299");
  EXPECT_EQ((*file->ReadStrings("neuroid_id"))[4], "seed-003.conv1/post_relu.1-7-7");
  EXPECT_EQ((*file->ReadStrings("layer"))[6], "fc6");
  EXPECT_EQ((*file->ReadStrings("stage"))[9], "post_relu");
  EXPECT_THAT(*file->ReadIntegers("row"), ElementsAre(7, 7, 7, 7, 7, 7, -1, -1, -1, -1));
  float value = 0;
  const size_t at[] = {299, 9};
  ASSERT_EQ(nc_get_var1_float(file->id(), *file->Variable("data"), at, &value), NC_NOERR);
  EXPECT_EQ(value, Value({"fc6", Stage::kPostRelu}, 299, 1));
}

}  // namespace
}  // namespace iat
