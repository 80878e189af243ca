// The measure of neural/consistency.h on activation files, and its tables.

#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/activation_file.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/nan.h"
#include "base/status.h"
#include "neural/consistency.h"
#include "neural/population.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

// The number that an id ends in: 7 of "scene_007.png"; -1: none.
int64_t TrailingNumber(const std::string& stimulus_id) {
  const std::string id = fs::path(stimulus_id).stem().string();
  size_t first = id.size();
  while (first > 0 && id[first - 1] >= '0' && id[first - 1] <= '9') --first;
  int64_t number = -1;
  return absl::SimpleAtoi(id.substr(first), &number) ? number : -1;
}

// Values of one column by image, for the images there are.
class ImageColumn {
 public:
  static absl::StatusOr<ImageColumn> Read(const std::string& path,
                                          const std::string& image_column,
                                          const std::string& value_column) {
    IAT_ASSIGN_OR_RETURN(const CsvTable table, ReadCsv(path));
    const int image = table.Column(image_column), value = table.Column(value_column);
    for (const auto& [place, name] :
         {std::pair(image, image_column), std::pair(value, value_column)}) {
      if (place >= 0) continue;
      return absl::NotFoundError(absl::StrCat(path, ": no column \"", name, "\"; it has ",
                                              absl::StrJoin(table.columns, ", ")));
    }
    ImageColumn column;
    column.path_ = path;
    for (const auto& row : table.rows) {
      if (!column.values_.emplace(row[image], row[value]).second) {
        return absl::InvalidArgumentError(
            absl::StrCat(path, ": image \"", row[image], "\" occurs twice"));
      }
      int64_t number = 0;
      if (absl::SimpleAtoi(row[image], &number)) column.by_number_[number] = row[value];
    }
    return column;
  }

  absl::StatusOr<std::string> At(const std::string& stimulus_id) const {
    const auto by_id = values_.find(stimulus_id);
    if (by_id != values_.end()) return by_id->second;
    const auto by_number = by_number_.find(TrailingNumber(stimulus_id));
    if (by_number != by_number_.end()) return by_number->second;
    return absl::NotFoundError(
        absl::StrCat(path_, ": no row for image \"", stimulus_id, "\""));
  }

 private:
  std::string path_;
  std::map<std::string, std::string> values_;
  std::map<int64_t, std::string> by_number_;
};

absl::StatusOr<std::vector<std::string>> ImagesThatTakePart(
    const ConsistencyOptions& options, const std::vector<std::string>& all,
    std::vector<std::string>& notes) {
  if (options.images.empty()) return all;
  IAT_ASSIGN_OR_RETURN(
      const ImageColumn column,
      ImageColumn::Read(options.images, options.images_image, options.images_column));
  const std::set<std::string> left_out(options.images_left_out.begin(),
                                       options.images_left_out.end());
  std::vector<std::string> kept;
  for (const std::string& id : all) {
    IAT_ASSIGN_OR_RETURN(const std::string value, column.At(id));
    if (!left_out.contains(value)) kept.push_back(id);
  }
  notes.push_back(absl::StrCat(kept.size(), " of ", all.size(), " images: those whose ",
                               options.images_column, " is not ",
                               absl::StrJoin(options.images_left_out, " or ")));
  return kept;
}

absl::StatusOr<Eigen::VectorXd> ReferenceOf(const ConsistencyOptions& options,
                                            const std::vector<std::string>& images) {
  Eigen::VectorXd reference =
      Eigen::VectorXd::Constant(static_cast<Eigen::Index>(images.size()), kNaN);
  if (options.reference.empty()) return reference;
  IAT_ASSIGN_OR_RETURN(const ImageColumn column,
                       ImageColumn::Read(options.reference, options.reference_image,
                                         options.reference_value));
  for (size_t i = 0; i < images.size(); ++i) {
    IAT_ASSIGN_OR_RETURN(const std::string text, column.At(images[i]));
    if (absl::SimpleAtod(text, &reference(static_cast<Eigen::Index>(i)))) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        options.reference, ": image \"", images[i], "\": ", options.reference_value,
        " is \"", text, "\"; expected a number"));
  }
  return reference;
}

absl::StatusOr<ConsistencyRow> RowOf(const ConsistencyOptions& options,
                                     const std::string& name, const Tap& tap,
                                     const std::vector<ActivationFile>& family,
                                     const ConsistencyTable& table) {
  std::vector<Eigen::MatrixXd> responses;
  for (const ActivationFile& file : family) {
    IAT_ASSIGN_OR_RETURN(Population population, PopulationOf(file, tap, table.image_ids));
    responses.push_back(std::move(population.trials[0]));
  }
  auto consistency = ImageConsistency(responses);
  if (!consistency.ok()) return Annotate(consistency.status(), tap.Name());
  ConsistencyRow row;
  row.name = name;
  row.layer = tap.layer;
  row.stage = StageName(tap.stage);
  row.num_animals = static_cast<int64_t>(family.size());
  row.num_units = responses[0].cols();
  row.simulated = family[0].metadata().simulated;
  row.of_image = consistency->Mean();
  row.num_images = (!row.of_image.array().isNaN()).count();
  row.consistency = JackknifeStatistic(consistency->num_animals, [&](size_t left_out) {
    const Eigen::VectorXd values = consistency->Mean(left_out);
    return values.array().isNaN().select(0.0, values.array()).sum() /
           static_cast<double>((!values.array().isNaN()).count());
  });
  if (options.reference.empty()) {
    constexpr ReferenceCorrelation kNone{kNaN, kNaN, kNaN, kNaN, kNaN};
    row.reference = {kNone, kNone, 0};
  } else {
    IAT_ASSIGN_OR_RETURN(
        row.reference,
        CorrelateWithReference(*consistency, table.reference, options.sample_seed));
  }
  return row;
}

std::string IntervalText(double low, double high) {
  return std::isnan(low) ? "none" : absl::StrFormat("%.3f ... %.3f", low, high);
}

}  // namespace

void ConsistencyOptions::Describe(OptionVisitor& visitor) {
  visitor.Text("activations", activations,
               "the [stimuli.NAME] of the images, all of whose animals are compared");
  visitor.Choices("layers", layers,
                  {"conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"},
                  "layers; empty: all that are extracted");
  visitor.Choices("stages", stages, {"pre_relu", "post_relu"},
                  "before and after the ReLU");
  visitor.Path("reference", reference,
               "CSV with a value an image to correlate with; empty: none");
  visitor.Text("reference_image", reference_image,
               "its column with the image: the stimulus id, or the number it ends in");
  visitor.Text("reference_value", reference_value, "its column with the value");
  visitor.Path("images", images,
               "CSV that says which images take part; empty: all of them");
  visitor.Text("images_image", images_image, "its column with the image");
  visitor.Text("images_column", images_column, "its column to choose by");
  visitor.Paths("images_left_out", images_left_out,
                "images with these values there do not take part");
  visitor.Integer("sample_seed", sample_seed, {.min = 0},
                  "seed of the bootstrap over images");
}

absl::Status ConsistencyOptions::Validate() const {
  if (activations.empty()) {
    return absl::InvalidArgumentError(
        "activations is empty; expected the name of a [stimuli.NAME]");
  }
  if (stages.empty()) {
    return absl::InvalidArgumentError("stages is []; expected at least one");
  }
  return absl::OkStatus();
}

absl::StatusOr<ConsistencyTable> MeasureConsistency(const ConsistencyOptions& options,
                                                    const std::string& name,
                                                    const std::vector<fs::path>& files) {
  IAT_RETURN_IF_ERROR(options.Validate());
  std::vector<ActivationFile> family;
  for (const fs::path& path : files) {
    IAT_ASSIGN_OR_RETURN(ActivationFile file, ActivationFile::Open(path));
    family.push_back(std::move(file));
  }
  if (family.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": no activation files; run iat extract"));
  }
  ConsistencyTable table;
  IAT_ASSIGN_OR_RETURN(
      table.image_ids,
      ImagesThatTakePart(options, family[0].stimulus_ids(), table.notes));
  IAT_ASSIGN_OR_RETURN(table.reference, ReferenceOf(options, table.image_ids));
  const std::vector<Tap> taps = family[0].taps();
  for (const std::string& layer : options.layers) {
    const auto there = family[0].layers();
    if (std::find(there.begin(), there.end(), layer) != there.end()) continue;
    return absl::NotFoundError(absl::StrCat(files[0].string(), ": no layer \"", layer,
                                            "\"; it holds ", absl::StrJoin(there, ", ")));
  }
  for (const Tap& tap : taps) {
    const auto has = [](const std::vector<std::string>& names, const std::string& one) {
      return std::find(names.begin(), names.end(), one) != names.end();
    };
    if ((!options.layers.empty() && !has(options.layers, tap.layer)) ||
        !has(options.stages, StageName(tap.stage))) {
      continue;
    }
    IAT_ASSIGN_OR_RETURN(table.rows.emplace_back(),
                         RowOf(options, name, tap, family, table));
  }
  return table;
}

absl::Status WriteConsistency(const fs::path& folder,
                              const std::vector<ConsistencyTable>& tables) {
  CsvTable rows{{"name", "layer", "stage", "num_animals", "num_units", "num_images",
                 "simulated", "consistency", "low", "high"},
                {}};
  for (const char* kind : {"spearman", "pearson"}) {
    for (const char* part :
         {"", "_images_low", "_images_high", "_animals_low", "_animals_high"}) {
      rows.columns.push_back(absl::StrCat(kind, part));
    }
  }
  CsvTable images{{"name", "layer", "stage", "stimulus_id", "consistency", "reference"},
                  {}};
  for (const ConsistencyTable& table : tables) {
    for (const ConsistencyRow& row : table.rows) {
      std::vector<std::string> cells = {row.name,
                                        row.layer,
                                        row.stage,
                                        absl::StrCat(row.num_animals),
                                        absl::StrCat(row.num_units),
                                        absl::StrCat(row.num_images),
                                        row.simulated ? "yes" : "no",
                                        FormatNumber(row.consistency.mean),
                                        FormatNumber(row.consistency.low),
                                        FormatNumber(row.consistency.high)};
      for (const ReferenceCorrelation* r :
           {&row.reference.spearman, &row.reference.pearson}) {
        for (const double value :
             {r->value, r->images_low, r->images_high, r->animals_low, r->animals_high}) {
          cells.push_back(FormatNumber(value));
        }
      }
      rows.rows.push_back(std::move(cells));
      for (size_t i = 0; i < table.image_ids.size(); ++i) {
        const Eigen::Index image = static_cast<Eigen::Index>(i);
        images.rows.push_back({row.name, row.layer, row.stage, table.image_ids[i],
                               FormatNumber(row.of_image(image)),
                               FormatNumber(table.reference(image))});
      }
    }
  }
  IAT_RETURN_IF_ERROR(WriteFileAtomically(folder / "consistency.csv", CsvText(rows)));
  return WriteFileAtomically(folder / "consistency_images.csv", CsvText(images));
}

std::string ConsistencyText(const std::vector<ConsistencyTable>& tables) {
  std::string text;
  for (const ConsistencyTable& table : tables) {
    for (const std::string& note : table.notes) absl::StrAppend(&text, note, "\n");
    absl::StrAppendFormat(&text, "%-16s %-7s %-10s %7s %6s %12s %17s %9s %17s %17s %9s\n",
                          "images", "layer", "stage", "animals", "images", "consistency",
                          "over animals", "Spearman", "over images", "over animals",
                          "Pearson");
    for (const ConsistencyRow& row : table.rows) {
      absl::StrAppendFormat(
          &text, "%-16s %-7s %-10s %7d %6d %12.3f %17s %9.3f %17s %17s %9.3f%s\n",
          row.name, row.layer, row.stage, row.num_animals, row.num_images,
          row.consistency.mean, IntervalText(row.consistency.low, row.consistency.high),
          row.reference.spearman.value,
          IntervalText(row.reference.spearman.images_low,
                       row.reference.spearman.images_high),
          IntervalText(row.reference.spearman.animals_low,
                       row.reference.spearman.animals_high),
          row.reference.pearson.value, row.simulated ? "  SIMULATED" : "");
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

}  // namespace iat
