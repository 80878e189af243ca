// A whole config: one struct a table, read strictly, written out resolved.

#ifndef IAT_APP_RUN_CONFIG_H_
#define IAT_APP_RUN_CONFIG_H_

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "app/neural_options.h"
#include "base/options.h"
#include "base/reference.h"
#include "extraction/extract.h"
#include "images/image_source.h"
#include "models/model_options.h"
#include "neural/consistency.h"
#include "report/figure1.h"
#include "similarity/calibrate_run.h"
#include "similarity/compare.h"
#include "similarity/metric_compare.h"
#include "similarity/scope_compare.h"
#include "similarity/subsample.h"
#include "similarity/verdict.h"
#include "training/probe_options.h"
#include "training/trainer.h"

namespace iat {

// Config table [run].
struct RunOptions {
  std::string name = "run";
  std::string out;  // "": runs/NAME

  void Describe(OptionVisitor& visitor);
  std::filesystem::path folder() const;
};

// Config table [family].
struct FamilyOptions {
  std::vector<int64_t> seeds = {0, 1, 2, 3};
  int64_t fixed_init_seed = -1;
  int64_t fixed_data_seed = -1;
  int64_t num_untrained = 0;
  std::vector<std::string> imported;

  void Describe(OptionVisitor& visitor);
  // Trained animals in order of seeds, then the untrained ones, then the imported.
  std::vector<Animal> Animals() const;
};

struct RunConfig {
  RunOptions run;
  FamilyOptions family;
  ImageOptions images;
  ModelOptions model;
  TrainingOptions training;
  ProbeOptions probe;
  std::map<std::string, ImageOptions> stimuli;
  ExtractionOptions extraction;
  std::map<std::string, NeuralOptions> neural;
  CompareOptions compare;
  std::map<std::string, ConsistencyOptions> consistency;
  // Without the table nothing of it is done.
  std::optional<ScopeOptions> scopes;
  std::optional<MetricCompareOptions> metrics;
  std::optional<CalibrateOptions> calibrate;
  VerdictOptions verdict;
  std::optional<SubsampleOptions> subsample;  // none: the stage is off
  FigureOptions report;

  // Names every table once, in the order of a resolved config, to a visitor that has
  //   template <Options> void One(name, doc, Options&)
  //   template <Options> void Optional(name, doc, std::optional<Options>&)
  //   template <Options> void Named(name, doc, std::map<std::string, Options>&,
  //                                 Options defaults)       [name.ANYTHING] tables
  // Reading, writing and the reference page are such visitors (run_config.cc).
  template <typename Visitor>
  void VisitTables(Visitor& visitor);

  // Every table's Describe and Validate, and what only holds across tables.
  static absl::StatusOr<RunConfig> Load(const std::filesystem::path& path,
                                        const std::vector<std::string>& overrides);
  // A config that reads back as this one.
  std::string ResolvedText() const;
};

// Every key there is, from the same tables (base/reference.h).
ReferencePage ConfigReference();

// "0-3,7" -> 0, 1, 2, 3, 7.
absl::StatusOr<std::vector<int64_t>> ParseSeeds(absl::string_view text);

}  // namespace iat

#endif  // IAT_APP_RUN_CONFIG_H_
