// The iat command: parse, call, print.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "app/activation_commands.h"
#include "app/array_commands.h"
#include "app/command_tree.h"
#include "app/doctor.h"
#include "app/image_commands.h"
#include "app/look_commands.h"
#include "app/neural_commands.h"
#include "app/pipeline.h"
#include "app/provenance.h"
#include "app/reference_commands.h"
#include "app/run_comparison.h"
#include "app/run_config.h"
#include "app/show.h"
#include "app/weights_commands.h"
#include "base/file.h"
#include "base/parallel.h"
#include "base/status.h"
#include "base/terminal.h"
#include "base/workers.h"
#include "models/torch_device.h"

namespace iat {
namespace {

enum ExitCode { kDone = 0, kFailed = 1, kBadUsage = 2, kInterrupted = 130 };

void Complain(const absl::Status& status) {
  std::fprintf(stderr, "%s %s\n", Coloured("iat:", Colour::kRed, STDERR_FILENO).c_str(),
               std::string(status.message()).c_str());
}

int Finish(const absl::Status& status) {
  if (status.ok()) return kDone;
  Complain(status);
  return absl::IsCancelled(status) ? kInterrupted : kFailed;
}

// What every stage command takes.
struct StageArguments {
  std::string config;
  std::vector<std::string> overrides;
  std::string out;
  std::string seeds;
  PipelineOptions pipeline;
  bool json = false;

  void AddTo(CLI::App* command) {
    command->add_option("CONFIG", config, "config file, e.g. configs/quickstart.toml")
        ->required();
    command->add_option("--set", overrides, "replace one value: table.key=value")
        ->allow_extra_args(false);
    command->add_option("--out", out, "run folder (instead of runs/NAME)");
    command->add_option("--jobs", pipeline.jobs, "models, pairs or images at once")
        ->default_val(NumUsableCores())
        ->default_str("all cores")
        ->check(CLI::Range(1, 4096));
    command->add_option("--device", pipeline.device, "auto, cpu or cuda[:N]")
        ->default_val("auto");
    command->add_option("--seeds", seeds, "only these seeds, e.g. 0-3,7");
    command->add_flag("--quiet", pipeline.quiet, "no progress");
    command->add_flag("--dry-run", pipeline.dry_run,
                      "say what would be done, do nothing");
    command->add_flag("--json", json, "print the result table as JSON");
  }
};

absl::StatusOr<std::string> ResolveDevice(const std::string& name) {
  const bool has_cuda = NumCudaDevices() > 0;
  if (name == "auto") return std::string(has_cuda ? "cuda" : "cpu");
  if (name == "cpu") return name;
  if (name != "cuda" && name.rfind("cuda:", 0) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("--device is \"", name, "\"; expected auto, cpu or cuda[:N]"));
  }
  if (!has_cuda) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--device ", name, ": this LibTorch sees no CUDA device; iat doctor says more"));
  }
  return name;
}

int RunStage(StageArguments arguments, FileLock::Mode mode,
             absl::Status (*stage)(Pipeline&, bool json)) {
  if (!arguments.out.empty()) {
    arguments.overrides.push_back(absl::StrCat("run.out=", arguments.out));
  }
  auto config = RunConfig::Load(arguments.config, arguments.overrides);
  auto device = ResolveDevice(arguments.pipeline.device);
  absl::StatusOr<std::vector<int64_t>> seeds = std::vector<int64_t>{};
  if (!arguments.seeds.empty()) seeds = ParseSeeds(arguments.seeds);
  for (const absl::Status& status : {config.status(), device.status(), seeds.status()}) {
    if (status.ok()) continue;
    Complain(status);
    return kBadUsage;
  }
  arguments.pipeline.device = *device;
  arguments.pipeline.seeds = *seeds;
  const std::string warning = BlasWarning();
  if (!warning.empty()) {
    std::fprintf(stderr, "%s %s\n",
                 Coloured("iat: warning:", Colour::kYellow, STDERR_FILENO).c_str(),
                 warning.c_str());
  }
  InstallStopHandler();
  SetBlasThreads(1);
  auto pipeline = Pipeline::Open(*std::move(config), arguments.pipeline, mode);
  if (!pipeline.ok()) return Finish(pipeline.status());
  return Finish(stage(*pipeline, arguments.json));
}

// iat compare on two matrices or --list, in place of a config.
int RunArrays(ArrayCommand& arrays, const StageArguments& arguments) {
  absl::Status usage = arrays.Prepare(arguments.overrides);
  if (!arguments.out.empty() || !arguments.seeds.empty() || arguments.pipeline.dry_run) {
    usage = absl::InvalidArgumentError(
        "--out, --seeds and --dry-run go with a CONFIG, not with --source or --list");
  }
  if (!usage.ok()) {
    Complain(usage);
    return kBadUsage;
  }
  InstallStopHandler();
  SetBlasThreads(1);
  return Finish(
      arrays.Run(arguments.pipeline.jobs, arguments.json, arguments.pipeline.quiet));
}

// A worker process of train or extract (base/workers.h); not for users.
int RunWorker(const std::string& config_path, const std::string& device,
              const std::vector<std::string>& job) {
  InstallStopHandler();
  const auto config = RunConfig::Load(config_path, {});
  if (!config.ok()) return Finish(config.status());
  PipelineOptions options;
  options.device = device;
  return Finish(Pipeline::Work(*config, options, job));
}

absl::Status ReportDifferences(const std::string& first, const std::string& second) {
  IAT_ASSIGN_OR_RETURN(const RunComparison comparison, CompareRuns(first, second));
  // A folder may be given with a slash at its end.
  std::filesystem::path other(second);
  if (!other.has_filename()) other = other.parent_path();
  const std::filesystem::path path =
      std::filesystem::path(first) /
      absl::StrCat("against-", other.filename().string(), ".html");
  IAT_RETURN_IF_ERROR(WriteFileAtomically(path, RunComparisonHtml(comparison)));
  std::printf("%s\nreport: %s\n", RunComparisonText(comparison).c_str(), path.c_str());
  return absl::OkStatus();
}

std::string VersionText() {
  std::string text;
  for (const auto& [name, value] : GetProvenance().entries) {
    absl::StrAppend(&text, name, " ", value, "\n");
  }
  text.pop_back();
  return text;
}

int Main(int argc, char** argv) {
  CLI::App app("iat: how well one animal's neural responses map onto another's");
  app.require_subcommand(1);
  app.set_help_all_flag("--help-all", "Print the help of every command and exit");
  app.set_version_flag("--version", VersionText,
                       "Print version, git revision and libraries and exit");
  int exit_code = kDone;

  struct StageCommand {
    const char* name;
    const char* help;
    FileLock::Mode mode;
    absl::Status (*run)(Pipeline&, bool);
  };
  const StageCommand stages[] = {
      {"reproduce", "the whole pipeline, resumable; ends with the report",
       FileLock::Mode::kExclusive,
       [](Pipeline& pipeline, bool json) { return pipeline.Reproduce(json); }},
      {"train", "a family of models, one per seed", FileLock::Mode::kShared,
       [](Pipeline& pipeline, bool) { return pipeline.Train(); }},
      {"extract", "activations for the stimulus sets", FileLock::Mode::kShared,
       [](Pipeline& pipeline, bool) { return pipeline.Extract(); }},
      {"probe", "linear probes of the animals' features", FileLock::Mode::kShared,
       [](Pipeline& pipeline, bool json) { return pipeline.Probe(json); }},
      {"calibrate", "neuron-to-unit ratio and the animals' sampling curve",
       FileLock::Mode::kShared,
       [](Pipeline& pipeline, bool json) { return pipeline.Calibrate(json); }},
      {"compare", "mappings between animals -> scores", FileLock::Mode::kShared,
       [](Pipeline& pipeline, bool json) { return pipeline.Compare(json); }},
      {"subsample", "R2 against the numbers of fit stimuli and of source units",
       FileLock::Mode::kShared,
       [](Pipeline& pipeline, bool json) { return pipeline.Subsample(json); }},
  };
  std::vector<StageArguments> arguments(std::size(stages));
  ArrayCommand arrays;
  for (size_t i = 0; i < std::size(stages); ++i) {
    CLI::App* command = app.add_subcommand(stages[i].name, stages[i].help);
    arguments[i].AddTo(command);
    const auto run_stage = [&, i] {
      exit_code = RunStage(arguments[i], stages[i].mode, stages[i].run);
    };
    command->callback(run_stage);
    if (command->get_name() != "compare") continue;
    arrays.AddTo(command);
    command->callback([&, i, run_stage] {
      if (arrays.requested()) {
        exit_code = RunArrays(arrays, arguments[i]);
      } else if (arguments[i].config.empty()) {
        throw CLI::RequiredError("CONFIG, or --source and --target,");
      } else {
        run_stage();
      }
    });
  }

  std::string report_folder, other_folder;
  CLI::App* report = app.add_subcommand(
      "report", "figures and report.html of a run, or what differs between two");
  report->add_option("RUN_FOLDER", report_folder, "e.g. runs/quickstart")->required();
  report->add_option("OTHER_RUN", other_folder,
                     "a second run: compares configs and scores instead, and writes "
                     "RUN_FOLDER/against-OTHER_RUN.html");
  report->callback([&] {
    if (!other_folder.empty()) {
      exit_code = Finish(ReportDifferences(report_folder, other_folder));
      return;
    }
    StageArguments of_folder;
    of_folder.config = absl::StrCat(report_folder, "/config.toml");
    of_folder.out = report_folder;
    of_folder.pipeline.device = "cpu";
    exit_code = RunStage(of_folder, FileLock::Mode::kShared,
                         [](Pipeline& pipeline, bool) { return pipeline.Report(); });
  });

  AddActivationCommands(app,
                        [&](const absl::Status& status) { exit_code = Finish(status); });
  AddImageCommands(app, [&](const absl::Status& status) { exit_code = Finish(status); });
  AddNeuralCommands(app, [&](const absl::Status& status) { exit_code = Finish(status); });
  const StageCommand neural_stages[] = {
      {"simulate", "the config's recordings: simulated, imported, found",
       FileLock::Mode::kShared,
       [](Pipeline& pipeline, bool) { return pipeline.Record(); }},
      {"scores", "animals onto animals, models onto animals, animals onto models",
       FileLock::Mode::kShared,
       [](Pipeline& pipeline, bool json) { return pipeline.Neural(json); }},
      {"consistency", "how consistently the models represent each image",
       FileLock::Mode::kShared,
       [](Pipeline& pipeline, bool) { return pipeline.Consistency(); }},
  };
  std::vector<StageArguments> neural_arguments(std::size(neural_stages));
  CLI::App* neural = app.get_subcommand("neural");
  neural->description("recordings: import, simulate, score");
  for (size_t i = 0; i < std::size(neural_stages); ++i) {
    CLI::App* command =
        neural->add_subcommand(neural_stages[i].name, neural_stages[i].help);
    neural_arguments[i].AddTo(command);
    command->callback([&, i] {
      exit_code =
          RunStage(neural_arguments[i], neural_stages[i].mode, neural_stages[i].run);
    });
  }
  AddWeightsCommands(app,
                     [&](const absl::Status& status) { exit_code = Finish(status); });

  AddLookCommand(app, [&](const absl::Status& status) { exit_code = Finish(status); });

  std::string show_path;
  CLI::App* show = app.add_subcommand("show", "what any file of ours holds, in words");
  show->add_option("FILE", show_path,
                   "activations, weights, scores, images, a run folder")
      ->required();
  show->callback([&] { exit_code = Finish(Show(show_path)); });

  CLI::App* doctor = app.add_subcommand(
      "doctor", "threads, BLAS, device, versions, what is slow and why");
  doctor->callback([&] { exit_code = Doctor(".") ? kDone : kFailed; });

  AddReferenceCommands(app);

  std::string worker_stage, worker_config, worker_device = "cpu";
  std::vector<std::string> worker_job;
  CLI::App* worker = app.add_subcommand("worker", "")->group("");
  worker->add_option("STAGE", worker_stage)->required();
  worker->add_option("CONFIG", worker_config)->required();
  worker->add_option("--device", worker_device);
  worker->add_option("JOB", worker_job)->required();
  worker->callback([&] {
    std::vector<std::string> job = {worker_stage};
    job.insert(job.end(), worker_job.begin(), worker_job.end());
    exit_code = RunWorker(worker_config, worker_device, job);
  });

  AddExamples(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kBadUsage;
  }
  return exit_code;
}

}  // namespace
}  // namespace iat

int main(int argc, char** argv) { return iat::Main(argc, argv); }
