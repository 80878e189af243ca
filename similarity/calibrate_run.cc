#include "similarity/calibrate_run.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/activation_file.h"
#include "base/file.h"
#include "base/status.h"
#include "similarity/area_match.h"
#include "similarity/r2.h"
#include "similarity/subsample.h"
#include "similarity/target_curves.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

// What a file says of itself. Files are closed again: HDF5 does not bear one that is open
// while others open and close it.
struct AnimalFile {
  fs::path path;
  std::string name;
  std::vector<Tap> taps;
  std::set<std::string> stimuli;
  bool simulated = false;
};

// The files of a run, checked against each other.
struct World {
  std::vector<AnimalFile> models, animals;
  std::vector<std::string> layers;  // of the networks, at the stage asked for
  std::map<std::string, std::vector<size_t>> animals_of_area;  // two or more
  std::vector<std::string> too_few;                            // areas of a single animal
  bool simulated = false;

  std::vector<std::string> areas() const {
    std::vector<std::string> names;
    for (const auto& [area, unused] : animals_of_area) names.push_back(area);
    return names;
  }
};

absl::StatusOr<std::vector<AnimalFile>> ReadAll(const std::vector<fs::path>& paths) {
  std::vector<AnimalFile> animals;
  for (const fs::path& path : paths) {
    IAT_ASSIGN_OR_RETURN(const ActivationFile file, ActivationFile::Open(path));
    animals.push_back(
        {.path = path,
         .name = file.metadata().animal,
         .taps = file.taps(),
         .stimuli = {file.stimulus_ids().begin(), file.stimulus_ids().end()},
         .simulated = file.metadata().simulated});
  }
  return animals;
}

absl::Status CheckSameStimuli(const AnimalFile& first, const AnimalFile& other) {
  if (first.stimuli == other.stimuli) return absl::OkStatus();
  std::vector<std::string> difference;
  std::set_symmetric_difference(first.stimuli.begin(), first.stimuli.end(),
                                other.stimuli.begin(), other.stimuli.end(),
                                std::back_inserter(difference));
  const bool lacks = first.stimuli.count(difference[0]) > 0;
  return absl::InvalidArgumentError(
      absl::StrCat(first.path.string(), " has ", first.stimuli.size(), " stimuli, ",
                   other.path.string(), " ", other.stimuli.size(), "; ",
                   (lacks ? other : first).path.string(), " lacks \"", difference[0],
                   "\". A calibration needs the same stimuli everywhere"));
}

absl::StatusOr<World> OpenWorld(const CalibrateOptions& options,
                                const CalibrateInput& input) {
  World world;
  IAT_ASSIGN_OR_RETURN(world.models, ReadAll(input.models));
  IAT_ASSIGN_OR_RETURN(world.animals, ReadAll(input.animals));
  if (world.models.size() < 2) {
    return absl::FailedPreconditionError(
        absl::StrCat("a calibration needs at least 2 networks of one family; there are ",
                     world.models.size()));
  }
  for (const auto* files : {&world.models, &world.animals}) {
    for (const AnimalFile& file : *files) {
      IAT_RETURN_IF_ERROR(CheckSameStimuli(world.models[0], file));
    }
  }
  IAT_ASSIGN_OR_RETURN(const Stage stage, ParseStage(options.model_stage));
  for (const Tap& tap : world.models[0].taps) {
    if (tap.stage == stage) world.layers.push_back(tap.layer);
  }
  if (world.layers.empty()) {
    return absl::NotFoundError(absl::StrCat(
        world.models[0].path.string(), " has no tap at stage ", options.model_stage));
  }
  std::map<std::string, std::vector<size_t>> all;
  for (size_t i = 0; i < world.animals.size(); ++i) {
    for (const Tap& tap : world.animals[i].taps) {
      if (tap.stage == Stage::kRecorded) all[tap.layer].push_back(i);
    }
    const bool simulated = world.animals[i].simulated;
    if (i > 0 && simulated != world.simulated) {
      return absl::InvalidArgumentError(absl::StrCat(
          "of ", world.animals[i].path.string(), " and ", world.animals[0].path.string(),
          " only one is simulated; expected recorded animals of one kind"));
    }
    world.simulated = simulated;
  }
  for (auto& [area, animals] : all) {
    if (animals.size() >= 2) {
      world.animals_of_area[area] = std::move(animals);
    } else {
      world.too_few.push_back(area);
    }
  }
  if (world.animals_of_area.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "a calibration needs an area that at least 2 recorded animals have; there are ",
        world.animals.size(), " recorded animals for stimuli ", input.stimuli,
        world.too_few.empty() ? ""
                              : absl::StrCat(", with nothing in common: ",
                                             absl::StrJoin(world.too_few, ", "))));
  }
  return world;
}

SubsampleOptions BaseOptions(const CalibrateOptions& options) {
  SubsampleOptions subsample;
  subsample.axes = {"units"};
  subsample.mappings = {options.mapping};
  subsample.num_samples = options.num_samples;
  subsample.num_fit_stimuli = options.num_fit_stimuli;
  subsample.num_test_stimuli = options.num_test_stimuli;
  subsample.split_seeds = options.split_seeds;
  subsample.mapping = options.mapping_options;
  return subsample;
}

// Rows of one subsampling; none while other ranks are at it.
absl::StatusOr<std::optional<std::vector<SamplingRow>>> Subsample(
    const SubsampleOptions& options, const SubsampleInput& input, const fs::path& table,
    const CompareControl& control) {
  IAT_RETURN_IF_ERROR(MakeFolder(table.parent_path()));
  IAT_ASSIGN_OR_RETURN(SubsampleResult result,
                       RunSubsample(options, input, table, control));
  if (!result.complete) return std::nullopt;
  return std::move(result.rows);
}

// Median over the area's neurons of what the recording says of their reliability.
absl::StatusOr<Reliability> ReadReliability(const World& world) {
  Reliability reliability;
  for (const auto& [area, animals] : world.animals_of_area) {
    for (const size_t i : animals) {
      IAT_ASSIGN_OR_RETURN(const ActivationFile file,
                           ActivationFile::Open(world.animals[i].path));
      const auto values = file.ReadByUnit(area, "reliability");
      if (!values.ok()) {
        return Annotate(values.status(),
                        "calibrate.noise_correction = \"target\" needs reliabilities");
      }
      reliability[{world.animals[i].name, area}] = Quantile(*values, 0.5);
    }
  }
  return reliability;
}

// Every pair's curves, fitted. A pair without a curve is left out and named.
absl::Status FitPairs(const CalibrateOptions& options,
                      const std::vector<SamplingRow>& rows,
                      const std::vector<AreaPair>& pairs, CalibrationReport& report) {
  const std::vector<TargetCurves> curves = MakeTargetCurves(rows);
  const auto find = [&](const std::string& layer,
                        const std::string& stage) -> const TargetCurves* {
    for (const TargetCurves& curve : curves) {
      if (curve.key.layer == layer && curve.key.stage == stage) return &curve;
    }
    return nullptr;
  };
  for (const auto& [area, layer] : pairs) {
    const TargetCurves* models = find(layer, options.model_stage);
    const TargetCurves* animals = find(area, "recorded");
    if (models == nullptr || animals == nullptr) {
      report.left_out.push_back(absl::StrCat(
          "area ", area, ", layer ", layer, ": no sampling curve of the ",
          models == nullptr ? "networks" : "recorded animals",
          ": no neuron could be scored, or fewer than two sizes are common to all "
          "animals"));
      continue;
    }
    IAT_ASSIGN_OR_RETURN(Calibration calibration,
                         Calibrate(*models, *animals, options.fit));
    report.calibrations.push_back(std::move(calibration));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<AreaPair>> MatchLayers(const CalibrateOptions& options,
                                                  const CalibrateInput& input,
                                                  const World& world,
                                                  const CompareControl& control,
                                                  std::vector<AreaMatch>& matches) {
  IAT_ASSIGN_OR_RETURN(const std::vector<AreaPair> pairs,
                       ParseAreaPairs(options.matches));
  std::vector<std::string> unnamed;
  for (const std::string& area : world.areas()) {
    if (std::find(world.layers.begin(), world.layers.end(), area) == world.layers.end()) {
      unnamed.push_back(area);
    }
  }
  if (pairs.empty() && !unnamed.empty()) {
    PredictivityJob job;
    job.models = input.models;
    job.animals = input.animals;
    job.areas = unnamed;
    job.layers = world.layers;
    IAT_ASSIGN_OR_RETURN(job.model_stage, ParseStage(options.model_stage));
    job.mapping = options.mapping;
    job.mapping_options = options.mapping_options;
    job.split_seeds = options.split_seeds;
    job.num_fit_stimuli = options.num_fit_stimuli;
    job.num_test_stimuli = options.num_test_stimuli;
    job.jobs = control.jobs;
    job.stop = control.stop;
    IAT_ASSIGN_OR_RETURN(matches, AreaPredictivity(job));
  }
  return ChooseLayers(world.areas(), world.layers, pairs, matches);
}

}  // namespace

void CalibrateOptions::Describe(OptionVisitor& visitor) {
  visitor.Text("stimuli", stimuli,
               "stimulus set that networks and recorded animals have seen, a "
               "[stimuli.NAME] table; empty: the only one there is");
  visitor.Choice("mapping", mapping, MappingNames(), "mapping class, the same for both");
  visitor.Choice("model_stage", model_stage, {"pre_relu", "post_relu"},
                 "stage of the networks that stands beside recordings");
  visitor.Text("matches", matches,
               "\"VISp->conv3, VISl->conv4\": which layer belongs to which area; empty: "
               "the layer of the area's name, or else the one that predicts it best");
  visitor.Integer("num_fit_stimuli", num_fit_stimuli, {.min = 2},
                  "stimuli that mappings are fitted on");
  visitor.Integer("num_test_stimuli", num_test_stimuli, {.min = 1},
                  "stimuli that mappings are scored on");
  visitor.Integers("split_seeds", split_seeds, {.min = 0},
                   "one split of the stimuli for each");
  visitor.Integers("unit_sizes", unit_sizes, {.min = 1},
                   "source units of the networks' pools; none: a log grid");
  visitor.Integers("neuron_sizes", neuron_sizes, {.min = 1},
                   "source neurons of the recorded animals' pools; none: a log grid");
  visitor.Integer("num_samples", num_samples, {.min = 1}, "subsamples a size");
  visitor.Integer("num_pooled_sources", num_pooled_sources, {.min = 1},
                  "networks in a pool; recorded animals pool all others");
  visitor.Choice("noise_correction", noise_correction, {"none", "target"},
                 "\"target\": R2 of recorded targets over their reliability");
  visitor.Choice("form", fit.form, {"log", "literal", "sampled"},
                 "of the recorded animals' curve: a ln n + c, ln(k n) + b as printed, or "
                 "interpolated between its points");
  visitor.Number("confidence", fit.confidence,
                 {.min = 0, .max = 1, .min_excluded = true, .max_excluded = true},
                 "of the intervals");
  visitor.Number("min_ratio", fit.min_ratio, {.min = 0, .min_excluded = true},
                 "neurons per unit: smallest ratio looked at");
  visitor.Number("max_ratio", fit.max_ratio, {.min = 0, .min_excluded = true},
                 "neurons per unit: largest ratio looked at");
  mapping_options.Describe(visitor);
}

absl::Status CalibrateOptions::Validate() const {
  if (split_seeds.empty()) {
    return absl::InvalidArgumentError(
        "split_seeds is empty; expected at least one entry");
  }
  if (!(fit.min_ratio < fit.max_ratio)) {
    return absl::InvalidArgumentError(absl::StrCat("min_ratio is ", fit.min_ratio,
                                                   "; expected less than max_ratio, ",
                                                   fit.max_ratio));
  }
  IAT_RETURN_IF_ERROR(ParseAreaPairs(matches).status());
  return mapping_options.Validate();
}

absl::StatusOr<std::vector<fs::path>> RecordedAnimals(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (!absl::EndsWith(name, ".nc") || absl::StrContains(name, kTemporaryMark)) continue;
    IAT_ASSIGN_OR_RETURN(const ActivationFile file, ActivationFile::Open(it->path()));
    const std::vector<Tap> taps = file.taps();
    if (std::any_of(taps.begin(), taps.end(),
                    [](const Tap& tap) { return tap.stage == Stage::kRecorded; })) {
      found.push_back(it->path());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

absl::StatusOr<std::optional<CalibrationReport>> RunCalibrate(
    const CalibrateOptions& options, const CalibrateInput& input,
    const fs::path& scores_folder, const CompareControl& control) {
  IAT_ASSIGN_OR_RETURN(const World world, OpenWorld(options, input));
  CalibrationReport report;
  report.options = options.fit;
  report.noise_correction = options.noise_correction;
  report.simulated = world.simulated;
  IAT_ASSIGN_OR_RETURN(const std::vector<AreaPair> pairs,
                       MatchLayers(options, input, world, control, report.matches));
  std::set<std::string> layers, areas;
  for (const auto& [area, layer] : pairs) {
    areas.insert(area);
    layers.insert(layer);
  }
  const fs::path folder = scores_folder / "calibrate";
  SubsampleOptions networks = BaseOptions(options);
  networks.layers.assign(layers.begin(), layers.end());
  networks.stages = {options.model_stage};
  networks.unit_sizes = options.unit_sizes;
  networks.num_pooled_sources = options.num_pooled_sources;
  IAT_ASSIGN_OR_RETURN(auto rows, Subsample(networks, {input.stimuli, input.models},
                                            folder / "networks.csv", control));
  bool complete = rows.has_value();
  std::vector<SamplingRow> recorded_rows;
  for (const std::string& area : areas) {
    SubsampleOptions recorded = BaseOptions(options);
    SubsampleInput of_area{input.stimuli, {}};
    for (const size_t i : world.animals_of_area.at(area)) {
      of_area.animals.push_back(input.animals[i]);
    }
    recorded.layers = {area};
    recorded.stages = {"recorded"};
    recorded.unit_sizes = options.neuron_sizes;
    recorded.num_pooled_sources = static_cast<int64_t>(of_area.animals.size()) - 1;
    IAT_ASSIGN_OR_RETURN(
        const auto measured,
        Subsample(recorded, of_area, folder / absl::StrCat("recorded-", area, ".csv"),
                  control));
    complete = complete && measured.has_value();
    if (!measured) continue;
    recorded_rows.insert(recorded_rows.end(), measured->begin(), measured->end());
  }
  if (!complete) return std::nullopt;
  if (options.noise_correction == "target") {
    IAT_ASSIGN_OR_RETURN(const Reliability reliability, ReadReliability(world));
    IAT_ASSIGN_OR_RETURN(recorded_rows,
                         CorrectForTargetNoise(std::move(recorded_rows), reliability));
  }
  rows->insert(rows->end(), recorded_rows.begin(), recorded_rows.end());
  IAT_RETURN_IF_ERROR(WriteSampling(scores_folder / "calibrate.csv", *rows));
  IAT_RETURN_IF_ERROR(FitPairs(options, *rows, pairs, report));
  IAT_RETURN_IF_ERROR(
      WriteFileAtomically(scores_folder / "calibrate.json", CalibrationJson(report)));
  return report;
}

absl::StatusOr<CalibrationReport> ReadCalibration(const CalibrateOptions& options,
                                                  const fs::path& scores_folder) {
  const fs::path path = scores_folder / "calibrate.json";
  IAT_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  CalibrationReport report;
  report.options = options.fit;
  std::vector<AreaPair> pairs;
  try {
    report.simulated = json.at("simulated").get<bool>();
    report.noise_correction = json.at("measure").at("noise_correction");
    for (const auto& match : json.at("matches")) {
      pairs.push_back({match.at("area"), match.at("layer")});
    }
    for (const auto& pair : json.at("left_out")) report.left_out.push_back(pair);
    for (const auto& match : json.at("area_match")) {
      report.matches.push_back(
          {match.at("area"), match.at("layer"),
           match.at("r2").is_null() ? std::nan("") : match.at("r2").get<double>(),
           match.at("chosen")});
    }
  } catch (const nlohmann::json::exception& error) {
    return absl::DataLossError(absl::StrCat(path.string(),
                                            " is no calibrate.json: ", error.what(),
                                            "; iat calibrate makes it again"));
  }
  IAT_ASSIGN_OR_RETURN(const std::vector<SamplingRow> rows,
                       ReadSampling(scores_folder / "calibrate.csv"));
  IAT_RETURN_IF_ERROR(FitPairs(options, rows, pairs, report));
  return report;
}

}  // namespace iat
