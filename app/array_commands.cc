#include "app/array_commands.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/config.h"
#include "base/file.h"
#include "base/json_text.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "base/status.h"
#include "base/workers.h"

namespace iat {
namespace {

std::string ListText() {
  std::string text = "mappings (--mapping, compare.mappings): R2 on held-out stimuli\n";
  for (const MappingInfo& info : RegisteredMappings()) {
    absl::StrAppend(&text, absl::StrFormat("  %-26s %s\n", info.name, info.description));
  }
  absl::StrAppend(&text, "\nmetrics (--metric): one number on all stimuli\n");
  for (const MetricInfo& info : RegisteredMetrics()) {
    absl::StrAppend(
        &text,
        absl::StrFormat("  %-26s %s, %s%s\n", info.name, DirectionName(info.direction),
                        info.description, info.symmetric ? "" : " (not symmetric)"));
  }
  return text;
}

std::string ListJson() {
  nlohmann::ordered_json json;
  json["mappings"] = nlohmann::ordered_json::array();
  for (const MappingInfo& info : RegisteredMappings()) {
    json["mappings"].push_back({{"name", info.name}, {"description", info.description}});
  }
  json["metrics"] = nlohmann::ordered_json::array();
  for (const MetricInfo& info : RegisteredMetrics()) {
    json["metrics"].push_back({{"name", info.name},
                               {"description", info.description},
                               {"direction", DirectionName(info.direction)},
                               {"symmetric", info.symmetric}});
  }
  return JsonText(json) + "\n";
}

}  // namespace

void ArrayCommand::AddTo(CLI::App* command) {
  // Whoever runs the command checks that there is one or the other.
  CLI::Option* config = command->get_option("CONFIG")->required(false);
  CLI::Option* source =
      command
          ->add_option("--source", source_,
                       "stimuli x units: .npy, .csv, or FILE:VARIABLE of netCDF or HDF5")
          ->excludes(config);
  CLI::Option* target =
      command->add_option("--target", target_, "the same stimuli in the other animal")
          ->needs(source);
  source->needs(target);
  command
      ->add_option("--mapping", mappings_, "mappings to fit, e.g. ridge,logistic_ridge")
      ->delimiter(',')
      ->needs(source);
  command->add_option("--metric", metrics_, "metrics, e.g. cka,rsa")
      ->delimiter(',')
      ->needs(source);
  command
      ->add_option("--test-fraction", options_.test_fraction,
                   "share of the stimuli that mappings are scored on (default 0.2)")
      ->needs(source);
  command
      ->add_option("--splits", options_.num_splits,
                   "random splits into fit and test stimuli (default 10)")
      ->needs(source);
  command
      ->add_option("--target-stage", options_.target_stage,
                   "auto (default: pre_relu where a value is below 0, else post_relu), "
                   "pre_relu, post_relu or recorded")
      ->check(CLI::IsMember({"auto", "pre_relu", "post_relu", "recorded"}))
      ->needs(source);
  command
      ->add_option("--units", units_path_, "CSV of R2 and choices of every target unit")
      ->needs(source);
  command->add_flag("--list", list_, "mappings and metrics there are")
      ->excludes(config)
      ->excludes(source);
}

absl::Status ArrayCommand::Prepare(const std::vector<std::string>& overrides) {
  // What is asked for alone; both defaults where nothing is.
  if (!mappings_.empty() || !metrics_.empty()) {
    options_.mappings = mappings_;
    options_.metrics = metrics_;
  }
  IAT_ASSIGN_OR_RETURN(ConfigDocument config,
                       ConfigDocument::Parse("", "--set", overrides));
  config.Read("compare", [&](OptionVisitor& visitor) {
    options_.mapping.Describe(visitor);
    visitor.Table("metric", "metrics",
                  [&](OptionVisitor& inner) { options_.metric.Describe(inner); });
  });
  IAT_RETURN_IF_ERROR(config.Finish());
  return options_.Validate();
}

absl::Status ArrayCommand::Run(int jobs, bool json, bool quiet) const {
  if (list_) {
    std::fputs(json ? ListJson().c_str() : ListText().c_str(), stdout);
    return absl::OkStatus();
  }
  IAT_ASSIGN_OR_RETURN(const ResponseArray source, ReadArray(source_));
  IAT_ASSIGN_OR_RETURN(ResponseArray target, ReadArray(target_));
  absl::StatusOr<ArrayComparison> comparison;
  {
    Progress progress("compare", "parts",
                      quiet ? Progress::Style::kQuiet : Progress::Style::kAuto);
    ArrayCompareControl control;
    control.jobs = jobs;
    control.stop = &StopRequested();
    control.progress = [&](int64_t done, int64_t total, const std::string& line) {
      progress.Update(static_cast<double>(done), static_cast<double>(total), line);
    };
    comparison = CompareArrays(source, std::move(target), options_, control);
  }
  IAT_RETURN_IF_ERROR(comparison.status());
  if (comparison->stage_was_inferred && !comparison->mappings.empty() && !quiet) {
    std::fprintf(stderr,
                 "iat: the target is taken as %s, since %s; --target-stage says "
                 "otherwise\n",
                 StageName(comparison->target_stage).c_str(),
                 comparison->target_stage == Stage::kPreRelu ? "it has values below 0"
                                                             : "no value is below 0");
  }
  if (!units_path_.empty()) {
    IAT_RETURN_IF_ERROR(
        WriteFileAtomically(units_path_, ComparisonUnitsCsv(*comparison)));
  }
  const std::string text =
      json ? ComparisonJson(*comparison) + "\n" : ComparisonText(*comparison);
  std::fputs(text.c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace iat
