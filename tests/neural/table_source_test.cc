#include "neural/table_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>

#include "base/file.h"
#include "base/npy.h"
#include "neural/import.h"
#include "neural/response_block.h"
#include "tests/neural/hdf5_writer.h"
#include "tests/neural/test_folder.h"

namespace iat {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TableTest : public ::testing::Test {
 protected:
  TableTest() {
    options_.files = {path_.string()};
    options_.dataset = "/{animal}/trials";
    options_.area = "V1";
    options_.stimulus_id = "s{}";
    splits_.num_splits = 10;
  }
  absl::StatusOr<Recording> Read() {
    record_ = {};
    auto recording = ReadTable(options_, splits_, 2, record_);
    if (recording.ok()) {
      EXPECT_TRUE(recording->Validate().ok()) << recording->Validate();
    }
    return recording;
  }
  std::string Message() { return std::string(Read().status().message()); }
  // first, first + 1, ...
  static std::vector<double> Count(size_t n, double first = 0.0) {
    std::vector<double> values(n);
    for (size_t i = 0; i < n; ++i) values[i] = first + static_cast<double>(i);
    return values;
  }
  void WriteNpy(const std::filesystem::path& path, const std::string& type,
                const std::vector<int64_t>& shape, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << NpyHeaderText(type, shape) << bytes;
  }

  TestFolder folder_;
  const std::filesystem::path path_ = folder_ / "table.h5";
  TableOptions options_;
  TrialSplitOptions splits_;
  SelectionRecord record_;
};

TEST_F(TableTest, EveryAnimalADatasetWithUnequalTrials) {
  {
    Hdf5Writer writer(path_);
    writer.Numbers("/m1/trials", H5T_IEEE_F32LE, {2, 3, 2}, Count(12), {1, 2, 2});
    writer.Numbers("/m2/trials", H5T_STD_I16LE, {1, 3, 1}, Count(3, 100));
    writer.Numbers("/m3/other", H5T_STD_I16LE, {1}, {0});
  }
  const auto recording = Read();
  ASSERT_TRUE(recording.ok()) << recording.status();
  EXPECT_THAT(recording->animals(), ElementsAre("m1", "m2"));
  EXPECT_THAT(recording->stimulus_ids, ElementsAre("s0", "s1", "s2"));
  EXPECT_EQ(recording->num_trials, 2);
  EXPECT_EQ(recording->neurons[1].id, "V1-001");
  EXPECT_EQ(recording->at(1, 2, 1), 11.0f);
  EXPECT_EQ(recording->at(0, 1, 2), 101.0f);
  EXPECT_TRUE(std::isnan(recording->at(1, 1, 2)));
  // One trial cannot be halved; the values 0 ... 11 repeat their order perfectly.
  EXPECT_NEAR(recording->by_neuron.at("reliability")[0], 1.0, 1e-12);
  EXPECT_TRUE(std::isnan(recording->by_neuron.at("reliability")[2]));
  options_.animals = {"m2"};
  EXPECT_EQ(Read()->neurons.size(), 1u);
  EXPECT_EQ(record_.steps()[0].counts.at({"m1", "V1"}).dropped, 2);
}

TEST_F(TableTest, DimensionsComeInAnyOrder) {
  {
    Hdf5Writer writer(path_);
    // neuron x animal x stimulus x time x trial.
    writer.Numbers("/all", H5T_IEEE_F64LE, {2, 2, 3, 4, 2}, Count(96));
  }
  options_.dataset = "/all";
  options_.dimensions = {"neuron", "animal", "stimulus", "time", "trial"};
  options_.first_time_bin = 1;
  options_.num_time_bins = 2;
  const auto recording = Read();
  ASSERT_TRUE(recording.ok()) << recording.status();
  EXPECT_THAT(recording->animals(), ElementsAre("animal-000", "animal-001"));
  // neuron 1, animal 1, stimulus 2, times 1 and 2, trial 1.
  const double expected = ((1 * 2 + 1) * 3 + 2) * 8 + (1 * 2 + 1 + 2 * 2 + 1) / 2.0;
  EXPECT_EQ(recording->at(1, 2, 3), static_cast<float>(expected));
  options_.num_time_bins = 0;  // to the end: 1, 2, 3
  EXPECT_EQ(Read()->at(1, 2, 3), static_cast<float>(expected + 1.0));
  options_.first_time_bin = 4;
  EXPECT_THAT(Message(), HasSubstr("/all: 4 time bins; table.first_time_bin is 4"));
}

TEST_F(TableTest, AreasComeFromPathsOrAttributes) {
  {
    Hdf5Writer writer(path_);
    writer.Numbers("/session_00/first", H5T_STD_U8LE, {1, 2, 2}, Count(4));
    writer.Attribute("/session_00/first", "area", "V1");
    writer.Numbers("/session_00/second", H5T_STD_U8LE, {1, 2, 1}, Count(2));
    writer.Attribute("/session_00/second", "area", "AM-PM");
    writer.Numbers("/session_01/first", H5T_STD_U8LE, {1, 2, 1}, Count(2));
    writer.Attribute("/session_01/first", "area", "LM");
  }
  options_.dataset = "/{animal}/{area}";
  options_.area = "";
  auto recording = Read();
  ASSERT_TRUE(recording.ok()) << recording.status();
  EXPECT_THAT(recording->areas(), ElementsAre("first", "second"));
  options_.area_attribute = "area";
  options_.dataset = "/session_{animal}/*";
  options_.areas = {"V1", "LM"};
  recording = Read();
  ASSERT_TRUE(recording.ok()) << recording.status();
  EXPECT_THAT(recording->areas(), ElementsAre("V1", "LM"));
  EXPECT_THAT(recording->animals(), ElementsAre("00", "01"));
  EXPECT_EQ(record_.steps()[0].counts.at({"00", "AM-PM"}).dropped, 1);
  options_.area_attribute = "region";
  EXPECT_THAT(Message(), HasSubstr("/session_00/first: attribute region: there is none"));
}

TEST_F(TableTest, BinsOfAFilmBecomeStimuliInBlocks) {
  {
    Hdf5Writer writer(path_);
    writer.Numbers("/m1/trials", H5T_STD_U8LE, {1, 8, 1}, Count(8));
  }
  options_.bins_per_stimulus = 2;
  options_.stimuli_per_block = 2;
  options_.stimulus_id = "texture-{block:02d}-bin-{within}";
  auto recording = Read();
  ASSERT_TRUE(recording.ok()) << recording.status();
  EXPECT_THAT(recording->stimulus_ids,
              ElementsAre("texture-00-bin-0", "texture-00-bin-1", "texture-01-bin-0",
                          "texture-01-bin-1"));
  EXPECT_THAT(recording->responses, ElementsAre(0.5f, 2.5f, 4.5f, 6.5f));
  options_.combine_bins = "sum";
  EXPECT_THAT(Read()->responses, ElementsAre(1.0f, 5.0f, 9.0f, 13.0f));
  options_.bins_per_stimulus = 3;
  EXPECT_THAT(Message(),
              HasSubstr("/m1/trials: 8 entries along stimulus are no whole number of 3"));
}

TEST_F(TableTest, PresentationsAreSortedIntoTrialsByTheirLabels) {
  {
    Hdf5Writer writer(path_);
    writer.Numbers("/m1/trials", H5T_IEEE_F64LE, {5, 1}, {10, 20, 11, 12, 21});
    writer.Integers("/m1/image", {4, 2, 4, 4, 2});
    writer.Strings("/m1/ids", {"n7"});
  }
  options_.dimensions = {"presentation", "neuron"};
  options_.presentation_labels = "/{animal}/image";
  options_.neuron_ids = "/{animal}/ids";
  options_.stimulus_id = "scene_{:03d}.png";
  const auto recording = Read();
  ASSERT_TRUE(recording.ok()) << recording.status();
  EXPECT_THAT(recording->stimulus_ids, ElementsAre("scene_002.png", "scene_004.png"));
  EXPECT_EQ(recording->num_trials, 3);
  EXPECT_EQ(recording->neurons[0].id, "n7");
  EXPECT_EQ(recording->at(0, 0, 0), 20.0f);
  EXPECT_EQ(recording->at(1, 0, 0), 21.0f);
  EXPECT_TRUE(std::isnan(recording->at(2, 0, 0)));
  EXPECT_EQ(recording->at(2, 1, 0), 12.0f);
}

TEST_F(TableTest, IdsMayComeFromADatasetOrAFile) {
  {
    Hdf5Writer writer(path_);
    writer.Numbers("/m1/trials", H5T_STD_U8LE, {1, 2, 1}, {1, 2});
    writer.Strings("/m1/names", {"cat", "dog"});
  }
  options_.stimulus_ids = "/{animal}/names";
  EXPECT_THAT(Read()->stimulus_ids, ElementsAre("cat", "dog"));
  options_.stimulus_ids_file = (folder_ / "ids.txt").string();
  std::ofstream(options_.stimulus_ids_file) << "one\r\ntwo\n\n";
  EXPECT_THAT(Read()->stimulus_ids, ElementsAre("one", "two"));
  std::ofstream(options_.stimulus_ids_file) << "one\n";
  EXPECT_THAT(Message(), HasSubstr("ids.txt has 1 ids; expected one a stimulus, 2"));
}

TEST_F(TableTest, MissingValuesAndNeuronsWithoutAny) {
  {
    Hdf5Writer writer(path_);
    writer.Numbers("/m1/trials", H5T_IEEE_F32LE, {1, 2, 3}, {1, -9, NAN, 2, -9, NAN});
  }
  options_.missing_value = -9;
  const auto recording = Read();
  ASSERT_TRUE(recording.ok()) << recording.status();
  EXPECT_EQ(recording->neurons.size(), 1u);
  EXPECT_EQ(record_.steps()[0].name, "with a response");
  EXPECT_EQ(record_.steps()[0].counts.at({"m1", "V1"}).dropped, 2);
  options_.min_reliability = 0.5;
  EXPECT_THAT(Message(), HasSubstr("no neuron is left; the steps dropped:"));
}

TEST_F(TableTest, NpyFilesAreAnimals) {
  const auto bytes = [](auto... values) {
    const std::common_type_t<decltype(values)...> array[] = {values...};
    return std::string(reinterpret_cast<const char*>(array), sizeof(array));
  };
  WriteNpy(folder_ / "a.npy", "<f4", {2, 2, 1}, bytes(1.0f, 2.0f, 3.0f, 4.5f));
  WriteNpy(folder_ / "b.npy", "<i8", {1, 2, 1}, bytes(int64_t{-1}, int64_t{7}));
  options_.files = {(folder_ / "a.npy").string(), (folder_ / "b.npy").string()};
  options_.dataset = "";
  auto recording = Read();
  ASSERT_TRUE(recording.ok()) << recording.status();
  EXPECT_THAT(recording->animals(), ElementsAre("a", "b"));
  EXPECT_EQ(recording->at(1, 1, 0), 4.5f);
  EXPECT_EQ(recording->at(0, 0, 1), -1.0f);
  options_.animal_names = {"x", "y"};
  EXPECT_THAT(Read()->animals(), ElementsAre("x", "y"));
  options_.animal_names = {"x"};
  EXPECT_THAT(Message(), HasSubstr("animal_names has 1 entries; expected one a file, 2"));
  options_.animal_names = {};
  WriteNpy(folder_ / "a.npy", "<f4", {2, 2, 1}, bytes(1.0f, 2.0f));
  EXPECT_THAT(Message(),
              HasSubstr("a.npy: 8 bytes of values; expected 4 of 4 bytes each"));
  WriteNpy(folder_ / "a.npy", ">f4", {1, 1, 1}, bytes(1.0f));
  EXPECT_THAT(Message(), HasSubstr("values of type >f4; expected little-endian"));
  options_.dataset = "/x";
  EXPECT_THAT(Message(), HasSubstr("holds one array without a name"));
}

TEST_F(TableTest, SaysWhatDoesNotFit) {
  {
    Hdf5Writer writer(path_);
    writer.Numbers("/m1/trials", H5T_STD_U8LE, {2, 1}, {1, 2});
    writer.Numbers("/m1/empty", H5T_STD_U8LE, {0, 2, 1}, {});
    writer.Strings("/m1/text", {"a"});
  }
  const std::string path = path_.string();
  EXPECT_EQ(Message(), path +
                           ": /m1/trials is 2 x 1; expected trial x stimulus x neuron "
                           "(table.dimensions)");
  options_.dataset = "/{animal}/empty";
  EXPECT_EQ(Message(), path + ": /m1/empty is 0 x 2 x 1: empty");
  options_.dataset = "/{animal}/text";
  EXPECT_EQ(Message(), path + ": /m1/text: it holds text; expected numbers");
  options_.dataset = "/{animal}/none";
  EXPECT_EQ(Message(),
            path + ": no dataset fits \"/{animal}/none\"; at the top there is m1");
  const auto invalid = [&](auto change) {
    TableOptions changed = options_;
    change(changed);
    return std::string(changed.Validate().message());
  };
  using O = TableOptions;
  EXPECT_THAT(invalid([](O& o) {
                o.dimensions = {"trial", "neuron"};
              }),
              HasSubstr("dimensions is [trial, neuron]; expected neuron, and either"));
  EXPECT_THAT(invalid([](O& o) {
                o.dimensions = {"presentation", "neuron"};
              }),
              HasSubstr("presentation_labels is \"\""));
  EXPECT_THAT(invalid([](O& o) { o.area = ""; }),
              HasSubstr("area is \"\" and area_attribute is \"\""));
  EXPECT_THAT(invalid([](O& o) { o.stimulus_id = ""; }),
              HasSubstr("expected one of stimulus_id, stimulus_ids"));
  EXPECT_THAT(invalid([](O& o) { o.stimulus_id = "s"; }),
              HasSubstr("the pattern is \"s\""));
  EXPECT_THAT(invalid([](O& o) { o.files.clear(); }), HasSubstr("files is []"));
}

}  // namespace
}  // namespace iat
