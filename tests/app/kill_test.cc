// iat reproduce, killed with SIGKILL in the middle of everything it does and started
// again each time, ends with the same bytes as an undisturbed run.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <functional>
#include <map>
#include <thread>

#include "absl/strings/match.h"
#include "tests/app/run_command.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

constexpr char kConfig[] = R"(
[run]
name = "killed"

[family]
seeds = [0, 1]

[images]
source = "dead-leaves"
count = 192
seed = 1

[model]
width = 0.125

[training]
objective = "instance_recognition"
epochs = 6
batch_size = 32
learning_rate = 0.01
instance_recognition.num_noise = 256
checkpoint_every = 3
log_every = 2

[stimuli.held-out]
source = "dead-leaves"
count = 600
seed = 2

[compare]
num_fit_stimuli = 450
split_seeds = [0, 1]
mappings = ["ridge", "ridge_clamped", "logistic_ridge"]
)";

// What a killed run must have been in the middle of: a temporary of this kind lies
// below the run folder.
bool HasTemporary(const fs::path& folder, const std::string& stem,
                  const std::string& extension) {
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (absl::StrContains(name, kTemporaryMark) && absl::StartsWith(name, "." + stem) &&
        absl::EndsWith(name, extension)) {
      return true;
    }
  }
  return false;
}

bool Exists(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

struct Moment {
  std::string name;
  // Seen from outside while the command runs: now is the time to kill.
  std::function<bool(const fs::path& run)> reached;
  // Seen after the kill: it really was in the middle.
  std::function<bool(const fs::path& run)> interrupted;
};

std::vector<Moment> Moments() {
  const auto temporary = [](const std::string& stem, const std::string& extension) {
    return [=](const fs::path& run) { return HasTemporary(run, stem, extension); };
  };
  return {
      {"training step",
       [](const fs::path& run) { return Exists(run / "models/seed-000/metrics.csv"); },
       [](const fs::path& run) {
         return !Exists(run / "models/seed-000/weights.safetensors") ||
                !Exists(run / "models/seed-001/weights.safetensors");
       }},
      {"checkpoint before its rename", temporary("checkpoint", ".safetensors"),
       temporary("checkpoint", ".safetensors")},
      {"extraction", temporary("seed-00", ".nc"), temporary("seed-00", ".nc")},
      {"comparing", [](const fs::path& run) { return Exists(run / "scores/parts"); },
       [](const fs::path& run) { return !Exists(run / "scores/compare.csv"); }},
      {"report", [](const fs::path& run) { return Exists(run / "figures/figure-1.csv"); },
       [](const fs::path& run) { return !Exists(run / "report.html"); }},
  };
}

// Starts the command and kills it as soon as `moment` is reached. False when the
// command ended first.
bool KillAt(const std::vector<std::string>& arguments, const fs::path& run,
            const Moment& moment) {
  RunningCommand command = StartCommand(arguments);
  while (true) {
    int status = 0;
    if (::waitpid(command.process, &status, WNOHANG) == command.process) return false;
    if (moment.reached(run)) break;
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  ::kill(command.process, SIGKILL);
  command.Wait();
  return true;
}

TEST(KillTest, AKilledRunEndsWithTheSameBytes) {
  TemporaryFolder folder("kill_test");
  const std::string config = folder / "killed.toml";
  WriteText(config, kConfig);
  const std::string undisturbed = folder / "undisturbed";
  const CommandResult reference =
      RunCommand({"reproduce", config, "--out", undisturbed, "--jobs", "2"});
  ASSERT_EQ(reference.exit_code, 0) << reference.err;

  const fs::path killed = folder / "killed";
  const std::vector<std::string> command = {"reproduce", config,   "--out",
                                            killed,      "--jobs", "2"};
  constexpr int kKillsEach = 2;
  for (const Moment& moment : Moments()) {
    int kills = 0;
    for (int attempt = 0; attempt < 40 && kills < kKillsEach; ++attempt) {
      // A second time needs the work to be there again.
      if (kills > 0 || attempt > 0) {
        if (moment.name == "training step" ||
            absl::StrContains(moment.name, "checkpoint")) {
          fs::remove_all(killed / "models");
        }
        if (moment.name == "extraction") fs::remove_all(killed / "activations");
        if (moment.name == "comparing") fs::remove_all(killed / "scores");
        fs::remove_all(killed / "figures");
        fs::remove(killed / "report.html");
      }
      if (KillAt(command, killed, moment) && moment.interrupted(killed)) ++kills;
    }
    EXPECT_EQ(kills, kKillsEach) << "never killed in the middle of: " << moment.name;
  }
  const CommandResult last = RunCommand(command);
  ASSERT_EQ(last.exit_code, 0) << last.err;

  for (const char* file :
       {"models/seed-000/weights.safetensors", "models/seed-001/weights.safetensors",
        "activations/held-out/seed-000.nc", "activations/held-out/seed-001.nc",
        "scores/compare.csv", "scores/splits.csv", "scores/compare_units.nc",
        "figures/figure-1.csv", "figures/figure-1.svg"}) {
    const auto expected = ReadFile(fs::path(undisturbed) / file);
    const auto found = ReadFile(killed / file);
    ASSERT_TRUE(expected.ok()) << expected.status();
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_TRUE(*expected == *found) << file << " differs";
  }
  // Nothing half-written is left behind.
  EXPECT_FALSE(HasTemporary(killed, "", ""));
}

TEST(KillTest, ASignalStopsAtACheckpointWithExitCode130) {
  TemporaryFolder folder("stop_test");
  const std::string config = folder / "stopped.toml";
  WriteText(config, kConfig);
  const fs::path run = folder / "run";
  RunningCommand command =
      StartCommand({"train", config, "--out", run, "--set", "training.epochs=1000"});
  while (!Exists(run / "models/seed-000/metrics.csv")) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ::kill(command.process, SIGTERM);
  const CommandResult result = command.Wait();
  EXPECT_EQ(result.exit_code, 130) << result.err;
  EXPECT_TRUE(Exists(run / "models/seed-000/checkpoint.safetensors"));
  EXPECT_FALSE(Exists(run / "models/seed-000/weights.safetensors"));
}

}  // namespace
}  // namespace iat
