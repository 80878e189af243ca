#include "similarity/metric_compare.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/activation_file.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/json_text.h"
#include "base/nan.h"
#include "base/parallel.h"
#include "base/status.h"
#include "similarity/metric.h"
#include "similarity/split.h"

namespace iat {
namespace {

struct Animal {
  ActivationFile file;
  std::vector<int64_t> rows;  // of the chosen stimuli, in their order
};

// What one thread does: a source layer at a stage, for one family.
struct Task {
  size_t family = 0;
  Stage stage = Stage::kPreRelu;
  std::string source_layer;
  std::vector<std::string> target_layers;
};

absl::StatusOr<std::vector<std::string>> ChooseStimuli(
    const std::vector<std::string>& ids, const MetricCompareOptions& options) {
  const auto available = static_cast<int64_t>(ids.size());
  std::vector<std::string> chosen = ids;
  std::sort(chosen.begin(), chosen.end());
  if (options.num_stimuli == 0 || options.num_stimuli >= available) return chosen;
  IAT_ASSIGN_OR_RETURN(const Split split,
                       MakeSplit(ids, {.split_seed = options.sample_seed,
                                       .num_fit = options.num_stimuli}));
  chosen.clear();
  for (const int64_t row : split.fit) chosen.push_back(ids[row]);
  return chosen;
}

absl::StatusOr<std::vector<std::vector<Animal>>> LoadAnimals(
    const CompareInput& input, const MetricCompareOptions& options,
    std::vector<std::string>& stimuli) {
  std::vector<std::vector<Animal>> families;
  for (const auto& paths : input.families) {
    auto& family = families.emplace_back();
    for (const auto& path : paths) {
      IAT_ASSIGN_OR_RETURN(ActivationFile file, ActivationFile::Open(path));
      if (stimuli.empty()) {
        IAT_ASSIGN_OR_RETURN(stimuli, ChooseStimuli(file.stimulus_ids(), options));
      }
      std::unordered_map<std::string, int64_t> row_of;
      for (size_t i = 0; i < file.stimulus_ids().size(); ++i) {
        row_of.emplace(file.stimulus_ids()[i], static_cast<int64_t>(i));
      }
      std::vector<int64_t> rows;
      for (const std::string& id : stimuli) {
        const auto found = row_of.find(id);
        if (found == row_of.end()) {
          return absl::InvalidArgumentError(
              absl::StrCat(path.string(), ": no stimulus \"", id,
                           "\"; extract all animals with the same stimulus list"));
        }
        rows.push_back(found->second);
      }
      family.push_back({std::move(file), std::move(rows)});
    }
  }
  return families;
}

absl::StatusOr<std::vector<Task>> MakeTasks(
    const MetricCompareOptions& options,
    const std::vector<std::vector<Animal>>& families) {
  std::vector<Task> tasks;
  for (size_t f = 0; f < families.size(); ++f) {
    if (families[f].empty()) continue;
    std::vector<std::string> layers = options.layers;
    if (layers.empty()) layers = families[f].front().file.layers();
    for (const std::string& name : options.stages) {
      IAT_ASSIGN_OR_RETURN(const Stage stage, ParseStage(name));
      for (const std::string& layer : layers) {
        tasks.push_back(
            {f, stage, layer,
             options.every_layer_pair ? layers : std::vector<std::string>{layer}});
      }
    }
  }
  return tasks;
}

absl::StatusOr<std::vector<MetricData>> Load(const std::vector<Animal>& animals,
                                             const Tap& tap) {
  std::vector<MetricData> all;
  for (const Animal& animal : animals) {
    IAT_ASSIGN_OR_RETURN(const ActivationMatrix values, animal.file.Read(tap));
    Eigen::MatrixXd chosen(animal.rows.size(), values.cols());
    for (size_t i = 0; i < animal.rows.size(); ++i) {
      chosen.row(static_cast<Eigen::Index>(i)) =
          values.row(animal.rows[i]).cast<double>();
    }
    IAT_ASSIGN_OR_RETURN(
        MetricData data,
        MetricData::Make(std::move(chosen),
                         absl::StrCat(animal.file.metadata().animal, " ", tap.Name())));
    all.push_back(std::move(data));
  }
  return all;
}

bool IsSymmetric(const std::string& name) {
  for (const MetricInfo& info : RegisteredMetrics()) {
    if (info.name == name) return info.symmetric;
  }
  return false;
}

absl::StatusOr<std::vector<MetricRow>> RunTask(const MetricCompareOptions& options,
                                               const std::string& stimuli,
                                               const std::vector<Animal>& animals,
                                               const Task& task) {
  std::vector<MetricRow> rows;
  IAT_ASSIGN_OR_RETURN(std::vector<MetricData> sources,
                       Load(animals, {task.source_layer, task.stage}));
  for (const std::string& target_layer : task.target_layers) {
    const bool same = target_layer == task.source_layer;
    std::vector<MetricData> others;
    if (!same) {
      IAT_ASSIGN_OR_RETURN(others, Load(animals, {target_layer, task.stage}));
    }
    std::vector<MetricData>& targets = same ? sources : others;
    for (const std::string& name : options.names) {
      IAT_ASSIGN_OR_RETURN(const auto metric, MakeMetric(name, options.metric));
      const bool once = same && IsSymmetric(name);
      for (size_t s = 0; s < sources.size(); ++s) {
        for (size_t t = 0; t < targets.size(); ++t) {
          if (s == t || (once && t < s)) continue;
          MetricRow row{.stimuli = stimuli,
                        .source_animal = animals[s].file.metadata().animal,
                        .target_animal = animals[t].file.metadata().animal,
                        .source_layer = task.source_layer,
                        .target_layer = target_layer,
                        .stage = StageName(task.stage),
                        .scope = animals[s].file.metadata().scope,
                        .metric = name,
                        .num_stimuli = sources[s].num_stimuli(),
                        .num_source_units = sources[s].num_units(),
                        .num_target_units = targets[t].num_units(),
                        .value = kNaN,
                        .note = ""};
          const auto result = metric->Compare(sources[s], targets[t]);
          if (result.ok()) {
            row.value = result->value;
            row.note = result->note;
          } else {
            row.note = std::string(result.status().message());
          }
          rows.push_back(std::move(row));
        }
      }
    }
  }
  return rows;
}

auto KeyOf(const MetricRow& row) {
  return std::tie(row.stimuli, row.source_animal, row.target_animal, row.source_layer,
                  row.target_layer, row.stage, row.scope, row.metric);
}

const std::vector<std::string>& Columns() {
  static const auto* const columns = new std::vector<std::string>{"stimuli",
                                                                  "source_animal",
                                                                  "target_animal",
                                                                  "source_layer",
                                                                  "target_layer",
                                                                  "stage",
                                                                  "scope",
                                                                  "metric",
                                                                  "num_stimuli",
                                                                  "num_source_units",
                                                                  "num_target_units",
                                                                  "value",
                                                                  "note"};
  return *columns;
}

CsvTable TableOf(const std::vector<MetricRow>& rows) {
  CsvTable table{.columns = Columns(), .rows = {}};
  for (const MetricRow& row : rows) {
    table.rows.push_back(
        {row.stimuli, row.source_animal, row.target_animal, row.source_layer,
         row.target_layer, row.stage, row.scope, row.metric,
         absl::StrCat(row.num_stimuli), absl::StrCat(row.num_source_units),
         absl::StrCat(row.num_target_units), FormatNumber(row.value), row.note});
  }
  return table;
}

}  // namespace

void MetricCompareOptions::Describe(OptionVisitor& visitor) {
  visitor.Choices("names", names, MetricNames(), "metrics to measure");
  visitor.Choices("layers", layers,
                  {"conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"},
                  "layers to compare; none: every layer the activation files hold");
  visitor.Flag("every_layer_pair", every_layer_pair,
               "every layer with every other, not only with itself");
  visitor.Choices("stages", stages, {"pre_relu", "post_relu", "recorded"},
                  "before the ReLU, after it, or recorded");
  visitor.Integer("num_stimuli", num_stimuli, {.min = 0},
                  "seeded sample of the stimuli; 0: all");
  visitor.Integer("sample_seed", sample_seed, {.min = 0}, "chooses it");
  metric.Describe(visitor);
}

absl::Status MetricCompareOptions::Validate() const {
  for (const auto& [name, empty] : {std::pair<const char*, bool>{"names", names.empty()},
                                    {"stages", stages.empty()}}) {
    if (empty) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, " is empty; expected at least one entry"));
    }
  }
  return metric.Validate();
}

absl::StatusOr<std::vector<MetricRow>> RunMetricCompare(
    const MetricCompareOptions& options, const CompareInput& input,
    const std::filesystem::path& scores_folder, const CompareControl& control) {
  std::vector<std::string> stimuli;
  IAT_ASSIGN_OR_RETURN(const auto families, LoadAnimals(input, options, stimuli));
  IAT_ASSIGN_OR_RETURN(const std::vector<Task> tasks, MakeTasks(options, families));
  std::vector<std::vector<MetricRow>> results(tasks.size());
  std::mutex mutex;
  int64_t done = 0;
  IAT_RETURN_IF_ERROR(ParallelFor(
      control.jobs, static_cast<int64_t>(tasks.size()), [&](int64_t i) -> absl::Status {
        if (control.stop != nullptr && *control.stop) {
          return absl::CancelledError("stopped");
        }
        const Task& task = tasks[i];
        IAT_ASSIGN_OR_RETURN(
            results[i], RunTask(options, input.stimuli, families[task.family], task));
        if (control.progress) {
          const std::lock_guard<std::mutex> lock(mutex);
          control.progress(
              ++done, static_cast<int64_t>(tasks.size()),
              absl::StrCat(task.source_layer, "/", StageName(task.stage), " metrics"));
        }
        return absl::OkStatus();
      }));
  std::vector<MetricRow> rows;
  for (auto& part : results) {
    std::move(part.begin(), part.end(), std::back_inserter(rows));
  }
  std::sort(rows.begin(), rows.end(),
            [](const MetricRow& a, const MetricRow& b) { return KeyOf(a) < KeyOf(b); });
  IAT_RETURN_IF_ERROR(
      WriteFileAtomically(scores_folder / "metrics.csv", CsvText(TableOf(rows))));
  return rows;
}

absl::StatusOr<std::vector<MetricRow>> ReadMetrics(const std::filesystem::path& path) {
  IAT_ASSIGN_OR_RETURN(const CsvTable table, ReadCsv(path));
  if (table.columns != Columns()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path.string(), ":1: columns are ", absl::StrJoin(table.columns, ","),
                     "; expected ", absl::StrJoin(Columns(), ",")));
  }
  std::vector<MetricRow> rows;
  for (size_t i = 0; i < table.rows.size(); ++i) {
    const std::vector<std::string>& cells = table.rows[i];
    MetricRow& row = rows.emplace_back();
    size_t c = 0;
    for (std::string* text :
         {&row.stimuli, &row.source_animal, &row.target_animal, &row.source_layer,
          &row.target_layer, &row.stage, &row.scope, &row.metric}) {
      *text = cells[c++];
    }
    bool numbers = true;
    for (int64_t* number :
         {&row.num_stimuli, &row.num_source_units, &row.num_target_units}) {
      numbers = numbers && absl::SimpleAtoi(cells[c++], number);
    }
    numbers = numbers && absl::SimpleAtod(cells[c++], &row.value);
    row.note = cells.back();
    if (!numbers) {
      return absl::InvalidArgumentError(absl::StrCat(
          path.string(), ":", i + 2,
          ": num_stimuli, num_source_units, num_target_units or value is no number"));
    }
  }
  return rows;
}

std::vector<MetricLine> SummariseMetrics(const std::vector<MetricRow>& rows) {
  struct Group {
    MetricLine line;
    std::map<std::pair<std::string, std::string>, double> values;
    std::set<std::string> animals;
    std::set<std::pair<std::string, std::string>> pairs;
  };
  std::map<std::tuple<std::string, std::string, std::string, std::string, std::string,
                      std::string>,
           Group>
      groups;
  for (const MetricRow& row : rows) {
    const std::string family = FamilyOf(row.source_animal);
    Group& group = groups[{row.stimuli, family, row.metric, row.stage, row.source_layer,
                           row.target_layer}];
    group.line.stimuli = row.stimuli;
    group.line.family = family;
    group.line.metric = row.metric;
    group.line.stage = row.stage;
    group.line.source_layer = row.source_layer;
    group.line.target_layer = row.target_layer;
    group.line.num_stimuli = row.num_stimuli;
    group.line.num_undefined += std::isnan(row.value);
    group.values[{row.source_animal, row.target_animal}] = row.value;
    group.animals.insert({row.source_animal, row.target_animal});
    group.pairs.insert(std::minmax(row.source_animal, row.target_animal));
  }
  std::vector<MetricLine> lines;
  for (auto& [unused, group] : groups) {
    group.line.value = JackknifeOverAnimals(group.values);
    group.line.num_animals = static_cast<int64_t>(group.animals.size());
    group.line.num_pairs = static_cast<int64_t>(group.pairs.size());
    lines.push_back(std::move(group.line));
  }
  // Before the ReLU first.
  std::stable_sort(lines.begin(), lines.end(),
                   [](const MetricLine& a, const MetricLine& b) {
                     const auto key = [](const MetricLine& line) {
                       return std::make_tuple(line.stimuli, line.family, line.metric,
                                              line.stage != "pre_relu");
                     };
                     return key(a) < key(b);
                   });
  return lines;
}

std::string MetricsText(const std::vector<MetricLine>& lines) {
  std::string text = absl::StrFormat("%-12s %-14s %-10s %-24s %7s %17s %7s %5s %7s\n",
                                     "family", "layer", "stage", "metric", "mean",
                                     "95 % interval", "animals", "pairs", "stimuli");
  for (const MetricLine& line : lines) {
    const std::string interval =
        std::isnan(line.value.low)
            ? "-"
            : absl::StrFormat("[%7.4f,%7.4f]", line.value.low, line.value.high);
    absl::StrAppendFormat(&text, "%-12s %-14s %-10s %-24s %7.4f %17s %7d %5d %7d\n",
                          line.family,
                          line.source_layer == line.target_layer
                              ? line.source_layer
                              : absl::StrCat(line.source_layer, "->", line.target_layer),
                          line.stage, line.metric, line.value.mean, interval,
                          line.num_animals, line.num_pairs, line.num_stimuli);
  }
  return text;
}

std::string MetricsJson(const std::vector<MetricLine>& lines) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const MetricLine& line : lines) {
    all.push_back({{"stimuli", line.stimuli},
                   {"family", line.family},
                   {"source_layer", line.source_layer},
                   {"target_layer", line.target_layer},
                   {"stage", line.stage},
                   {"metric", line.metric},
                   {"value", NumberJson(line.value.mean)},
                   {"low", NumberJson(line.value.low)},
                   {"high", NumberJson(line.value.high)},
                   {"num_animals", line.num_animals},
                   {"num_pairs", line.num_pairs},
                   {"num_stimuli", line.num_stimuli},
                   {"num_undefined", line.num_undefined}});
  }
  return JsonText(all) + "\n";
}

}  // namespace iat
