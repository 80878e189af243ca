// Weights to PyTorch's format and back, imported animals, and linear probes, as a user
// runs them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <regex>

#include "base/csv.h"
#include "tests/app/run_command.h"

namespace iat {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kFamily[] = R"(
[images]
source = "dead-leaves"
count = 96
seed = 1

[training]
objective = "simclr"
epochs = 1
batch_size = 32
simclr.hidden_size = 32
simclr.embedding_size = 16

[family]
seeds = [0, 1]
)";
// Of [model], [stimuli] and [compare], shared with the imported animals.
constexpr char kShared[] = R"(
[model]
width = 0.0625

[stimuli.held-out]
source = "dead-leaves"
count = 120
seed = 2

[compare]
num_fit_stimuli = 90
split_seeds = [0, 1]
mappings = ["ridge"]
)";

// Red and blue pictures, by label: a packed set made by hand.
void WriteTwoClasses(const fs::path& folder, int count) {
  fs::create_directories(folder);
  std::string header = "{'descr': '|u1', 'fortran_order': False, 'shape': (" +
                       std::to_string(count) + ", 64, 64, 3), }";
  header.append(117 - header.size(), ' ').push_back('\n');
  std::ofstream pixels(folder / "images.npy", std::ios::binary);
  pixels << "\x93NUMPY" << '\x01' << '\0' << static_cast<char>(header.size()) << '\0'
         << header;
  std::string index = "row,id,label\n";
  uint32_t noise = 1;
  for (int i = 0; i < count; ++i) {
    index += std::to_string(i) + ",image-" + std::to_string(i) + "," +
             std::to_string(i % 2) + "\n";
    for (int pixel = 0; pixel < 64 * 64; ++pixel) {
      for (const int level : {i % 2 == 0 ? 180 : 40, 90, i % 2 == 0 ? 40 : 180}) {
        noise = noise * 1664525u + 1013904223u;
        pixels.put(static_cast<char>(level + static_cast<int>(noise >> 26)));
      }
    }
  }
  WriteText(folder / "index.csv", index);
}

class ExchangeTest : public ::testing::Test {
 protected:
  ExchangeTest() : folder_("exchange_test") {
    config_ = folder_ / "family.toml";
    run_ = folder_ / "run";
  }

  CommandResult Run(const std::vector<std::string>& arguments) {
    CommandResult result = RunCommand(arguments);
    EXPECT_EQ(result.exit_code, 0) << arguments[0] << ": " << result.err;
    return result;
  }
  std::string Weights(const std::string& run, const std::string& animal) {
    return run + "/models/" + animal + "/weights.safetensors";
  }
  // The digest of all tensors, which the file's header notes.
  static std::string TensorDigest(const std::string& path) {
    const auto bytes = ReadFile(path);
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    std::smatch match;
    const std::string text = bytes.value_or("");
    EXPECT_TRUE(
        std::regex_search(text, match, std::regex("\"sha256\":\"([0-9a-f]{64})\"")))
        << path;
    return match.str(1);
  }
  static std::vector<std::string> Column(const std::string& path, const char* name) {
    const auto table = ReadCsv(path);
    EXPECT_TRUE(table.ok()) << table.status();
    std::vector<std::string> cells;
    for (const auto& row : table->rows) cells.push_back(row[table->Column(name)]);
    return cells;
  }

  TemporaryFolder folder_;
  std::string config_, run_;
};

TEST_F(ExchangeTest, ExportedWeightsComeBackIdenticalAndScoreAsAnimals) {
  WriteText(config_, std::string(kFamily) + kShared);
  for (const char* stage : {"train", "extract", "compare"}) {
    Run({stage, config_, "--out", run_});
  }
  const std::string first = folder_ / "first.pt", second = folder_ / "second.safetensors";
  EXPECT_THAT(Run({"weights", "export", Weights(run_, "seed-000"), first}).out,
              HasSubstr("alexnet_bn width=0.0625, 49 tensors"));
  Run({"weights", "export", Weights(run_, "seed-001"), second});
  const std::string back = folder_ / "back/first.safetensors";
  EXPECT_THAT(Run({"weights", "import", first, "--out", back}).out,
              HasSubstr("[family] imported = [\"" + back + "\"] makes it an animal"));
  EXPECT_EQ(TensorDigest(back), TensorDigest(Weights(run_, "seed-000")));
  EXPECT_EQ(TensorDigest(second), TensorDigest(Weights(run_, "seed-001")));
  // A checkpoint of ours is exported by its network alone.
  const std::string of_checkpoint = folder_ / "checkpoint.pth";
  EXPECT_THAT(Run({"weights", "export", run_ + "/models/seed-000/checkpoint.safetensors",
                   of_checkpoint})
                  .out,
              HasSubstr("prefix \"model.\" taken off"));
  EXPECT_EQ(*ReadFile(of_checkpoint), *ReadFile(first));

  // The same weights as imported animals give the same scores, without any training
  // images.
  const std::string imported = folder_ / "imported.toml", other = folder_ / "other";
  WriteText(imported, "[family]\nseeds = []\nimported = [\"" + first + "\", \"" + second +
                          "\"]\n" + kShared);
  const CommandResult made = Run({"reproduce", imported, "--out", other});
  EXPECT_THAT(made.err, HasSubstr("imported-000: alexnet_bn width=0.0625, 49 tensors"));
  EXPECT_EQ(Column(other + "/scores/compare.csv", "median_r2"),
            Column(run_ + "/scores/compare.csv", "median_r2"));
  EXPECT_EQ(Column(other + "/scores/compare.csv", "source_animal")[0], "imported-000");
  EXPECT_TRUE(fs::exists(other + "/report.html"));
  EXPECT_THAT(Run({"train", imported, "--out", other}).err,
              HasSubstr("2 of 2 complete and unchanged"));
}

TEST_F(ExchangeTest, WhatCannotBeImportedIsSaid) {
  const std::string hostile = folder_ / "hostile.pt", out = folder_ / "out.safetensors";
  // The start of a legacy file whose second pickle would call posix.system.
  WriteText(hostile,
            std::string("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.") +
                "\x80\x02" + "cposix\nsystem\nX\x04" + std::string(3, '\0') +
                "true\x85R.");
  const CommandResult refused = RunCommand({"weights", "import", hostile, "--out", out});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err,
              HasSubstr("hostile.pt: its pickle names posix.system, which is "
                        "not part of a state dict; nothing was run"));
  EXPECT_FALSE(fs::exists(out));
  EXPECT_THAT(RunCommand({"weights", "import", hostile, "--out", folder_ / "out.pt"}).err,
              HasSubstr("out.pt: expected a name that ends in .safetensors"));
  EXPECT_THAT(RunCommand({"weights", "export", hostile, folder_ / "out.npz"}).err,
              HasSubstr("expected a name that ends in .safetensors, .pt or .pth"));
  EXPECT_THAT(RunCommand({"weights", "import", folder_ / "none.pt", "--out", out}).err,
              HasSubstr("none.pt: No such file"));
}

TEST_F(ExchangeTest, ImportedAnimalsHaveToFitTheModelOfTheConfig) {
  WriteText(config_, std::string(kFamily) + kShared);
  Run({"train", config_, "--out", run_, "--seeds", "0"});
  WriteText(config_, "[family]\nseeds = []\nimported = [\"" + Weights(run_, "seed-000") +
                         "\"]\n" + kShared);
  const CommandResult result = RunCommand(
      {"train", config_, "--out", folder_ / "other", "--set", "model.width=0.125"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err,
              HasSubstr("is alexnet_bn width=0.0625, the config's [model] alexnet_bn "
                        "width=0.125; animals that are compared share one architecture"));
  WriteText(config_, "[family]\nseeds = []\n");
  EXPECT_THAT(RunCommand({"train", config_, "--out", run_}).err,
              HasSubstr("family.seeds is []; expected at least one seed"));
}

TEST_F(ExchangeTest, ProbesOfTrainedAndUntrainedAnimalsStandInOneTable) {
  const std::string images = folder_ / "two-classes";
  WriteTwoClasses(images, 60);
  WriteText(config_, "[images]\npaths = [\"" + images + R"("]

[family]
seeds = [0]
num_untrained = 1

[model]
width = 0.0625

[training]
objective = "simclr"
epochs = 1
batch_size = 16
knn_images = 12

[probe]
layers = ["conv2", "fc7"]
)");
  EXPECT_THAT(RunCommand({"probe", config_, "--out", run_}).err,
              HasSubstr("is not there yet; run iat train first"));
  const CommandResult trained = Run({"train", config_, "--out", run_});
  const CommandResult first = Run({"probe", config_, "--out", run_});
  EXPECT_THAT(first.out, HasSubstr("seed-000"));
  EXPECT_THAT(first.out, HasSubstr("48+   12"));
  const std::string table = run_ + "/scores/probe.csv";
  EXPECT_EQ(Column(table, "animal"),
            (std::vector<std::string>{"seed-000", "seed-000", "untrained-000",
                                      "untrained-000"}));
  // Red against blue is easy for any network; 12 of 12 have a Wilson interval from
  // 1 / (1 + z^2 / 12).
  EXPECT_EQ(Column(table, "top1"), (std::vector<std::string>(4, "1")));
  EXPECT_NEAR(std::stod(Column(table, "low")[0]), 12 / (12 + 3.841458821), 1e-6);
  EXPECT_EQ(Column(table, "chance")[0].substr(0, 2), "0.");
  EXPECT_EQ(Column(table, "num_features")[0], std::to_string(12 * 7 * 7));
  const std::string bytes = *ReadFile(table);
  const CommandResult again = Run({"probe", config_, "--out", run_, "--json"});
  EXPECT_THAT(again.err, HasSubstr("2 of 2 complete and unchanged"));
  EXPECT_THAT(again.out, HasSubstr("\"animal\": \"seed-000\""));
  EXPECT_EQ(*ReadFile(table), bytes);
  // Nearest neighbours stand in the metrics, one and many. Red's neighbour is red; where
  // all 48 references vote, the class that has more of them may outvote it.
  const auto share = [&](const char* column) {
    return std::stod(Column(run_ + "/models/seed-000/metrics.csv", column).back());
  };
  EXPECT_THAT(share("knn_top1"),
              ::testing::AllOf(::testing::Ge(0.5), ::testing::Le(1.0)));
  EXPECT_THAT(share("knn_weighted_top1"),
              ::testing::AllOf(::testing::Ge(0.0), ::testing::Le(1.0)));

  WriteText(config_, std::string(kFamily) + kShared);
  const std::string unlabelled = folder_ / "unlabelled";
  Run({"train", config_, "--out", unlabelled, "--seeds", "0"});
  EXPECT_THAT(RunCommand({"probe", config_, "--out", unlabelled, "--seeds", "0"}).err,
              HasSubstr("a linear probe needs images in at least 2 classes"));
}

}  // namespace
}  // namespace iat
