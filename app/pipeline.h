// The stages of a run, which meet only in files: what is complete and unchanged is
// kept, the rest is made.
//
//   pack     images/training, images/stimuli/NAME
//   train    models/ANIMAL/weights.safetensors            one worker process each
//   extract  activations/NAME/ANIMAL.nc                   all animals in one pass, the
//            stimuli shared by worker processes and by the ranks of mpirun or srun
//   neural   neural/NAME.nc, activations/NAME/ANIMAL.nc   recordings (app/neural_stage.h)
//   compare  scores/*
//   subsample  scores/subsample.csv, where the config has a [subsample] table
//   calibrate  scores/calibrate.csv, .json, where it has a [calibrate] table
//   neural   scores/neural*, scores/consistency* (app/neural_scores_stage.cc)
//   report   figures/*, report.html

#ifndef IAT_APP_PIPELINE_H_
#define IAT_APP_PIPELINE_H_

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "app/run_config.h"
#include "app/run_figure.h"
#include "base/file.h"
#include "base/progress.h"
#include "images/packed_set.h"
#include "neural/neural_score_table.h"
#include "report/report.h"
#include "similarity/calibration_text.h"
#include "similarity/compare.h"
#include "similarity/metric_compare.h"
#include "similarity/scope_compare.h"
#include "similarity/verdict.h"
#include "training/animal_probe.h"

namespace iat {

struct PipelineOptions {
  int jobs = 1;
  std::string device = "cpu";
  bool quiet = false;
  bool dry_run = false;
  // Only animals of these seeds are trained and extracted; empty: all.
  std::vector<int64_t> seeds;
};

class Pipeline {
 public:
  // Creates the run folder and locks it: exclusively for `reproduce`, else shared.
  // FailedPrecondition naming the holder when it is in use.
  static absl::StatusOr<Pipeline> Open(RunConfig config, PipelineOptions options,
                                       FileLock::Mode mode);

  absl::Status Train();
  // Recordings first: their pictures may be among the stimuli.
  absl::Status Extract();
  // Also prints the summary table (JSON when asked) to stdout.
  absl::Status Compare(bool json);
  // scores/subsample.csv; prints it as Compare does its table (app/subsample_stage.cc).
  // FailedPrecondition where the config has no [subsample].
  absl::Status Subsample(bool json);
  absl::Status Report();
  // scores/calibrate.csv and .json; prints the ratios (app/calibrate_stage.cc).
  absl::Status Calibrate(bool json);
  // scores/probe.csv; prints it as Compare does its table (app/probe_commands.cc).
  absl::Status Probe(bool json);
  // Recordings that are imported or simulated, and their scores, printed; the images'
  // consistency (app/neural_scores_stage.cc).
  absl::Status Record();
  absl::Status Neural(bool json);
  absl::Status Consistency();
  // Train, Extract, Compare, and Record, Subsample, Calibrate, Neural and Consistency
  // where they are on, and Report; ends with the paper's claims.
  absl::Status Reproduce(bool json);

  // A worker process's whole job: "train" ANIMAL, "extract" RANK STIMULI SCOPE ANIMAL...
  // or "probe" ANIMAL. Takes the artefact's own lock, not the folder's.
  static absl::Status Work(const RunConfig& config, const PipelineOptions& options,
                           const std::vector<std::string>& job);

  const std::filesystem::path& folder() const { return folder_; }

 private:
  Pipeline(RunConfig config, PipelineOptions options);

  struct Task {
    Animal animal;
    std::string stimuli;  // extraction only
  };

  // Packs where needed.
  absl::StatusOr<PackedSet> TrainingImages();
  absl::StatusOr<PackedSet> Stimuli(const std::string& name);
  absl::StatusOr<PackedSet> Packed(const ImageOptions& options,
                                   const std::filesystem::path& folder,
                                   const std::string& name);
  absl::Status CheckDisjoint(const std::string& stimuli_name);

  bool Selected(const Animal& animal) const;
  // `images` may be null for an imported animal.
  TrainingJob MakeTrainingJob(const Animal& animal, const PackedSet* images) const;
  // app/extract_stage.cc
  struct ExtractionTarget {
    std::string stimuli, scope;
    std::vector<Animal> animals;
  };
  std::vector<ExtractionTarget> ExtractionTargets() const;
  std::filesystem::path ActivationPath(const std::string& stimuli_name,
                                       const std::string& scope,
                                       const std::string& animal) const;
  ExtractionJob MakeExtractionJob(const std::vector<Animal>& animals,
                                  const std::string& stimuli_name,
                                  const std::string& scope,
                                  const PackedSet& stimuli) const;
  absl::Status WorkOnExtraction(const std::vector<std::string>& job);
  // app/neural_scores_stage.cc
  std::vector<std::filesystem::path> ModelFiles(const std::string& stimuli_name) const;
  absl::StatusOr<bool> HaveModelFiles(const std::string& stage,
                                      const std::string& stimuli_name) const;
  absl::StatusOr<bool> Record(const std::string& name);
  // scores/neural.csv, of recordings whose scores.directions are not empty.
  absl::Status ScoreRecordings();
  absl::Status PrintNeural(bool json) const;
  absl::Status MeasureAllConsistency(bool print);
  absl::StatusOr<std::vector<NeuralScoreRow>> ScoreRecording(const std::string& name);
  ProbeJob MakeProbeJob(const Animal& animal, const PackedSet& images) const;
  absl::Status WorkOnProbe(const Animal& animal);
  absl::Status RunTasks(const std::string& stage, const std::string& unit,
                        const std::vector<Task>& tasks, int64_t num_complete);
  absl::Status Timed(const std::string& stage, const std::function<absl::Status()>& work);
  // Adds this run's times to those of earlier ones.
  absl::Status WriteProvenance();
  std::map<std::string, double> TotalSeconds() const;
  absl::Status WriteConfig() const;
  // The one compared stimulus set, the usual case, needs no folder of its own.
  std::filesystem::path ScoresFolder(const std::string& stimuli_name) const;
  // compare.stimuli, or all.
  std::vector<std::string> ComparedStimuli() const;
  // Jobs, stop, rank, and a line of `progress` (which must outlive it) after every cell.
  absl::StatusOr<CompareControl> MakeControl(Progress& progress) const;
  CompareInput MakeCompareInput(const std::string& stimuli_name) const;
  // True once the tables are written; false in a dry run, or with other ranks at work.
  absl::StatusOr<bool> CompareOne(const std::string& stimuli_name);
  absl::StatusOr<bool> CompareAll();
  // app/scopes_stage.cc
  std::vector<Animal> ScopeAnimals() const;
  // True once its tables are written, or when the config does not ask for them.
  absl::StatusOr<bool> CompareScopes();
  // Of every stimulus set; none when the config does not ask for them.
  absl::StatusOr<std::vector<ScopeLine>> ScopeLines() const;
  // app/metrics_stage.cc; nothing when the config does not ask for metrics.
  absl::Status MeasureMetrics();
  absl::StatusOr<std::vector<MetricLine>> MetricLines() const;
  // app/calibrate_stage.cc. True once its files are written, or when the config does not
  // ask for them.
  absl::StatusOr<bool> CalibrateAll();
  std::string CalibrationStimuli() const;
  // None where nothing has been calibrated.
  absl::StatusOr<std::optional<CalibrationReport>> CalibrationOfRun() const;
  // Of every stimulus set that has a subsample.csv.
  absl::StatusOr<std::vector<Saturation>> Saturations() const;
  absl::StatusOr<std::vector<VerdictLine>> Verdicts() const;
  // app/subsample_stage.cc: as CompareOne and CompareAll.
  absl::StatusOr<bool> SubsampleOne(const std::string& stimuli_name);
  absl::StatusOr<bool> SubsampleAll();
  absl::Status PrintSampling(bool json) const;
  // Draws figure 2 and adds it to the report, or a warning that its table is missing.
  absl::Status AddFigure2(ReportData& data) const;
  // app/figures_stage.cc: the figures that have no number.
  FigureFamily DrawnFamily(bool simulated) const;
  void AddScoreFigures(const Summary& summary, const std::vector<MetricLine>& metrics,
                       ReportData& data) const;
  void AddTrainingFigures(ReportData& data) const;
  absl::Status PrintSummary(bool json, bool with_verdicts = false) const;
  absl::Status DrawAndWrite();
  // What a dry run says of time and disk (app/estimate.h); NotFound naming a path that
  // is not there and that no import will bring.
  absl::Status PlanPacking(const ImageOptions& options, const std::string& name);
  void SayTrainingPlan(int64_t num_networks, int64_t num_untrained,
                       const absl::StatusOr<PackedSet>& images) const;
  void SayExtractionPlan(int64_t num_animals, const std::string& stimuli_name,
                         const std::string& scope,
                         const absl::StatusOr<PackedSet>& stimuli) const;
  std::string TrainingInWords(bool trained) const;
  TrainingQuality Quality(std::vector<std::string>& warnings) const;
  void Say(const std::string& stage, const std::string& text) const;

  RunConfig config_;
  PipelineOptions options_;
  std::filesystem::path folder_;
  std::optional<FileLock> lock_;
  std::map<std::string, double> stage_seconds_;
  std::set<std::string> planned_;  // image sets that a dry run has spoken of
};

}  // namespace iat

#endif  // IAT_APP_PIPELINE_H_
