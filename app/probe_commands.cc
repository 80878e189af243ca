#include "app/probe_commands.h"

#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "app/pipeline.h"
#include "base/file.h"
#include "base/json_text.h"
#include "base/progress.h"
#include "base/status.h"
#include "base/workers.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

double Cell(const CsvTable& table, const std::vector<std::string>& row,
            const char* column) {
  double value = 0.0;
  (void)absl::SimpleAtod(row[table.Column(column)], &value);
  return value;
}

}  // namespace

std::string ProbeText(const CsvTable& table) {
  std::string text =
      absl::StrFormat("%-14s %-7s %-10s %7s  %-16s %11s %8s %6s\n", "animal", "layer",
                      "stage", "top-1", "95 % interval", "images", "chance", "C");
  std::map<std::string, std::pair<double, int>> means;  // "seed fc7 post_relu"
  for (const auto& row : table.rows) {
    const auto text_of = [&](const char* column) { return row[table.Column(column)]; };
    const double top1 = Cell(table, row, "top1");
    const double num_images = Cell(table, row, "num_images");
    absl::StrAppendFormat(
        &text, "%-14s %-7s %-10s %7.3f  [%.3f, %.3f]   %5s+%5s %8.3f %6.2g%s%s\n",
        text_of("animal"), text_of("layer"), text_of("stage"), top1,
        Cell(table, row, "low"), Cell(table, row, "high"), text_of("num_images"),
        text_of("num_test_images"), Cell(table, row, "chance"),
        1.0 / (2.0 * num_images * Cell(table, row, "l2_penalty")),
        text_of("penalty_at_edge") == "1" ? "  penalty at the grid's edge" : "",
        text_of("converged") == "1" ? "" : "  not converged: raise probe.max_iterations");
    const std::string animal = text_of("animal");
    auto& [sum, count] = means[absl::StrCat(animal.substr(0, animal.rfind('-')), " ",
                                            text_of("layer"), " ", text_of("stage"))];
    sum += top1;
    ++count;
  }
  for (const auto& [group, mean] : means) {
    if (mean.second < 2) continue;
    absl::StrAppendFormat(&text, "mean of %d: %s %.3f\n", mean.second, group,
                          mean.first / mean.second);
  }
  return text;
}

std::string ProbeJson(const CsvTable& table) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const auto& row : table.rows) {
    auto& entry = json.emplace_back();
    for (size_t i = 0; i < table.columns.size(); ++i) {
      double number = 0.0;
      if (absl::SimpleAtod(row[i], &number)) {
        entry[table.columns[i]] = number;
      } else {
        entry[table.columns[i]] = row[i];
      }
    }
  }
  return JsonText(json) + "\n";
}

ProbeJob Pipeline::MakeProbeJob(const Animal& animal, const PackedSet& images) const {
  ProbeJob job;
  job.animal = animal.name;
  job.folder = folder_ / "models" / animal.name;
  job.model = config_.model;
  job.options = config_.probe;
  job.num_test_images = config_.training.knn_images;
  job.images = &images;
  job.device = options_.device;
  return job;
}

absl::Status Pipeline::Probe(bool json) {
  IAT_RETURN_IF_ERROR(Timed("probe", [&]() -> absl::Status {
    const auto images = TrainingImages();
    if (!images.ok() && !(options_.dry_run && absl::IsUnavailable(images.status()))) {
      return images.status();
    }
    std::vector<Task> tasks;
    int64_t complete = 0;
    for (const Animal& animal : config_.family.Animals()) {
      if (!Selected(animal)) continue;
      const fs::path weights = folder_ / "models" / animal.name / "weights.safetensors";
      if (!options_.dry_run && !fs::exists(weights)) {
        return absl::NotFoundError(
            absl::StrCat(weights.string(),
                         " is not there yet; run iat train first, or choose with "
                         "--seeds"));
      }
      if (images.ok() && IsProbed(MakeProbeJob(animal, *images))) {
        ++complete;
      } else {
        tasks.push_back({animal, ""});
      }
    }
    return RunTasks("probe", "layers", tasks, complete);
  }));
  if (options_.dry_run) return absl::OkStatus();
  std::vector<fs::path> folders;
  for (const Animal& animal : config_.family.Animals()) {
    // Those of other seeds, from an earlier run, stand beside the ones chosen now.
    const fs::path folder = folder_ / "models" / animal.name;
    if (fs::exists(folder / "probe.csv")) folders.push_back(folder);
  }
  IAT_ASSIGN_OR_RETURN(const CsvTable table, GatherProbes(folders));
  IAT_RETURN_IF_ERROR(
      WriteFileAtomically(folder_ / "scores" / "probe.csv", CsvText(table)));
  IAT_RETURN_IF_ERROR(WriteProvenance());
  std::printf("%s", (json ? ProbeJson(table) : ProbeText(table)).c_str());
  return absl::OkStatus();
}

absl::Status Pipeline::WorkOnProbe(const Animal& animal) {
  IAT_ASSIGN_OR_RETURN(const PackedSet images, TrainingImages());
  ProbeJob job = MakeProbeJob(animal, images);
  IAT_ASSIGN_OR_RETURN(
      const FileLock lock,
      FileLock::TryAcquire(job.folder / ".probe.lock", FileLock::Mode::kExclusive));
  if (IsProbed(job)) return absl::OkStatus();
  job.progress = [&](int64_t done, int64_t total) {
    TellProgress(static_cast<double>(done), static_cast<double>(total), animal.name);
  };
  return ProbeAnimal(job);
}

}  // namespace iat
