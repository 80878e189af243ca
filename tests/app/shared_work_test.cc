// Work that is cut into pieces ends in the same files whoever does the pieces and
// whatever happens on the way: extraction killed at random moments, and extraction and
// comparing by the ranks of a launcher.

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tests/app/run_command.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

// 20 chunks of each of two animals.
constexpr char kConfig[] = R"(
[run]
name = "shared"

[family]
seeds = [0, 1]

[images]
source = "dead-leaves"
count = 64
seed = 1

[model]
width = 0.125

[training]
objective = "instance_recognition"
epochs = 1
batch_size = 32
instance_recognition.num_noise = 16

[stimuli.noise]
source = "white-noise"
count = 1000
seed = 2

[extraction]
batch_size = 10
batches_per_chunk = 5

[compare]
num_fit_stimuli = 700
split_seeds = [0, 1]
mappings = ["ridge", "ridge_clamped"]
)";
const std::vector<std::string> kActivations = {"activations/noise/seed-000.nc",
                                               "activations/noise/seed-001.nc"};

class SharedWorkTest : public ::testing::Test {
 protected:
  // Two trained networks, and what an undisturbed process on its own makes of them.
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder("shared_work_test");
    WriteText(Config(), kConfig);
    Expect0(RunCommand({"train", Config(), "--out", Run("alone")}));
    const auto start = std::chrono::steady_clock::now();
    Expect0(RunCommand({"extract", Config(), "--out", Run("alone"), "--jobs", "2"}));
    undisturbed_ = std::chrono::steady_clock::now() - start;
  }
  static void TearDownTestSuite() { delete folder_; }

  static std::string Config() { return *folder_ / "shared.toml"; }
  static std::string Run(const std::string& name) { return *folder_ / name; }
  static void Expect0(const CommandResult& result) {
    ASSERT_EQ(result.exit_code, 0) << result.err;
  }
  static std::string Bytes(const std::string& run, const std::string& file) {
    const auto bytes = ReadFile(fs::path(Run(run)) / file);
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    return bytes.value_or("");
  }

  // A run folder with the trained networks and the packed stimuli alone.
  static void CopyModels(const std::string& run) {
    for (const char* part : {"models", "images"}) {
      fs::create_directories(Run(run));
      fs::copy(fs::path(Run("alone")) / part, fs::path(Run(run)) / part,
               fs::copy_options::recursive);
    }
  }

  static void ExpectTheSameActivations(const std::string& run) {
    for (const std::string& file : kActivations) {
      // Every variable and attribute, since every byte.
      EXPECT_TRUE(Bytes(run, file) == Bytes("alone", file)) << run << ": " << file;
    }
    for (const auto& entry : fs::directory_iterator(Run(run) + "/activations/noise")) {
      const std::string name = entry.path().filename();
      // What a process was writing of a part when it was killed stays until a command
      // has the folder to itself: another rank might be writing it.
      const bool is_temporary = absl::StrContains(name, kTemporaryMark);
      const bool is_of_part = absl::StrContains(name, ".part-");
      EXPECT_EQ(is_temporary, is_of_part) << name << " is left";
    }
  }

  static TemporaryFolder* folder_;
  static std::chrono::duration<double> undisturbed_;
};
TemporaryFolder* SharedWorkTest::folder_ = nullptr;
std::chrono::duration<double> SharedWorkTest::undisturbed_;

std::vector<pid_t> ChildrenOf(pid_t process) {
  std::vector<pid_t> children;
  const auto text =
      ReadFile(absl::StrCat("/proc/", process, "/task/", process, "/children"));
  for (const absl::string_view word :
       absl::StrSplit(text.value_or(""), ' ', absl::SkipEmpty())) {
    int child = 0;
    if (absl::SimpleAtoi(word, &child)) children.push_back(child);
  }
  return children;
}

TEST_F(SharedWorkTest, ExtractionKilledTwentyTimesAtRandomEndsWithTheSameBytes) {
  CopyModels("killed");
  constexpr int kKills = 20, kMostAttempts = 400;
  constexpr uint64_t kSeed = 20251126;
  std::mt19937_64 random(kSeed);
  std::uniform_real_distribution<double> part(0.0, 1.0);
  int kills = 0;
  bool is_fresh = true;  // nothing there to go on with
  for (int attempt = 0; attempt < kMostAttempts && kills < kKills; ++attempt) {
    RunningCommand command =
        StartCommand({"extract", Config(), "--out", Run("killed"), "--jobs", "2"});
    const auto start = std::chrono::steady_clock::now();
    const auto moment = start + undisturbed_ * part(random);
    int status = 0;
    bool is_over = false;
    while (!is_over && std::chrono::steady_clock::now() < moment) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      is_over = ::waitpid(command.process, &status, WNOHANG) != 0;
    }
    if (!is_over) {
      // The command, its whole group, or one of its workers.
      const std::vector<pid_t> workers = ChildrenOf(command.process);
      if (kills % 3 == 2 && !workers.empty()) {
        ::kill(workers[random() % workers.size()], SIGKILL);
      } else {
        ::kill(kills % 3 == 1 ? -command.process : command.process, SIGKILL);
      }
      // A worker may have been about to end anyway; what is there then is complete.
      kills += command.Wait().exit_code != 0;
      is_fresh = false;
    } else {
      // A busy machine may have become idle.
      if (is_fresh) undisturbed_ = std::chrono::steady_clock::now() - start;
      is_fresh = true;
      command.Wait();
      EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
      // All there: the next kill needs work to interrupt.
      fs::remove_all(Run("killed") + "/activations");
    }
  }
  ASSERT_EQ(kills, kKills);
  // As a kill while the file is assembled leaves it, which chance may not have met.
  fs::remove(Run("killed") + "/" + kActivations.front());
  fs::create_directories(Run("killed") + "/activations/noise");
  WriteText(Run("killed") + "/activations/noise/.seed-000.iat-tmp-1-0.nc", "cut short");
  Expect0(RunCommand({"extract", Config(), "--out", Run("killed"), "--jobs", "2"}));
  ExpectTheSameActivations("killed");
}

struct Launcher {
  std::string name;
  std::vector<std::string> probe;
  std::vector<std::string> (*words)(int ranks);
};

// Those that are here and start processes here.
std::vector<Launcher> Launchers() {
  const std::vector<Launcher> all = {
      {"mpirun",
       {"mpirun", "--allow-run-as-root", "-n", "1", "true"},
       [](int ranks) -> std::vector<std::string> {
         return {"mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none",
                 "-n",     absl::StrCat(ranks)};
       }},
      {"torchrun",
       {"torchrun", "--no_python", "--nproc_per_node", "1", "true"},
       [](int ranks) -> std::vector<std::string> {
         return {"torchrun", "--no_python", "--nproc_per_node", absl::StrCat(ranks)};
       }},
      {"srun",
       {"srun", "--immediate=5", "--ntasks", "1", "true"},
       [](int ranks) -> std::vector<std::string> {
         return {"srun", "--overcommit", "--ntasks", absl::StrCat(ranks)};
       }}};
  std::vector<Launcher> here;
  for (const Launcher& launcher : all) {
    if (StartProgram(launcher.probe).Wait().exit_code == 0) here.push_back(launcher);
  }
  return here;
}

CommandResult Launch(const Launcher& launcher, int ranks,
                     const std::vector<std::string>& arguments) {
  std::vector<std::string> words = launcher.words(ranks);
  words.push_back(IatBinary());
  words.insert(words.end(), arguments.begin(), arguments.end());
  return StartProgram(std::move(words)).Wait();
}

std::string SortedLines(const std::string& text) {
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  std::sort(lines.begin(), lines.end());
  return absl::StrJoin(lines, "\n");
}

TEST_F(SharedWorkTest, RanksOfALauncherMakeTheFilesOfOneProcess) {
  const std::vector<Launcher> launchers = Launchers();
  if (launchers.empty()) GTEST_SKIP() << "no mpirun, torchrun or srun that works here";
  Expect0(RunCommand({"compare", Config(), "--out", Run("alone"), "--jobs", "2"}));
  const std::string table = SortedLines(Bytes("alone", "scores/compare.csv"));
  for (const Launcher& launcher : launchers) {
    std::printf("ranks of %s\n", launcher.name.c_str());
    for (const int ranks : {1, 2, 3}) {
      const std::string run = absl::StrCat(launcher.name, "-", ranks);
      CopyModels(run);
      const CommandResult extracted = Launch(
          launcher, ranks, {"extract", Config(), "--out", Run(run), "--jobs", "1"});
      ASSERT_EQ(extracted.exit_code, 0) << run << ": " << extracted.err;
      ExpectTheSameActivations(run);
      const CommandResult compared = Launch(
          launcher, ranks, {"compare", Config(), "--out", Run(run), "--jobs", "1"});
      ASSERT_EQ(compared.exit_code, 0) << run << ": " << compared.err;
      EXPECT_TRUE(SortedLines(Bytes(run, "scores/compare.csv")) == table)
          << run << ": " << compared.err;
    }
  }
}

}  // namespace
}  // namespace iat
