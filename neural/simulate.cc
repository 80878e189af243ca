#include "neural/simulate.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/activation_file.h"
#include "base/file.h"
#include "base/fingerprint.h"
#include "base/status.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

// exp(-rate) must not underflow; larger rates are sums.
constexpr double kLargestRateAtOnce = 16.0;

int64_t SmallPoissonCount(double rate, RandomStream& stream) {
  const double limit = std::exp(-rate);
  int64_t count = 0;
  for (double product = stream.Uniform(); product > limit; product *= stream.Uniform()) {
    ++count;
  }
  return count;
}

// Over each unit's deviation across the stimuli; which units vary.
struct Layer {
  Eigen::MatrixXd values;  // stimuli x units
  std::vector<int64_t> varying;
};

Layer Standardise(const ActivationMatrix& activations, int64_t num_stimuli) {
  Layer layer;
  layer.values = activations.topRows(num_stimuli).cast<double>();
  for (Eigen::Index u = 0; u < layer.values.cols(); ++u) {
    auto unit = layer.values.col(u);
    if (!(unit.minCoeff() < unit.maxCoeff())) continue;
    unit /= std::sqrt((unit.array() - unit.mean()).square().mean());
    layer.varying.push_back(u);
  }
  return layer;
}

Eigen::VectorXd DriveOf(const SimulationOptions& options, const Layer& layer,
                        const std::vector<int64_t>& own,
                        const std::vector<int64_t>& drawn, RandomStream& stream) {
  Eigen::VectorXd drive = Eigen::VectorXd::Zero(layer.values.rows());
  for (const int64_t unit : own) drive += layer.values.col(unit);
  std::vector<int64_t> others;
  for (const int64_t unit : drawn) {
    if (std::find(own.begin(), own.end(), unit) == own.end()) others.push_back(unit);
  }
  for (int64_t k = 0; k < options.mixing_units && !others.empty(); ++k) {
    const int64_t other = others[stream.UniformInt(others.size())];
    drive += options.mixing_weight * stream.Normal() * layer.values.col(other);
  }
  return drive;
}

// Neurons of one animal's area: their rates, and how many units drive each.
struct Area {
  std::string animal, layer;
  std::vector<Eigen::VectorXd> rates;
  std::vector<int64_t> num_units;
  std::vector<double> gains;
};

Area MakeArea(const SimulationOptions& options, const std::string& animal,
              const std::string& layer_name, const Layer& layer) {
  Area area;
  area.animal = animal;
  area.layer = layer_name;
  const std::string purpose = absl::StrCat(animal, "/", layer_name);
  const int64_t available = static_cast<int64_t>(std::floor(
      static_cast<double>(layer.varying.size()) * options.neuron_to_unit_ratio));
  const int64_t num_neurons =
      options.num_neurons > 0 ? std::min(options.num_neurons, available) : available;
  RandomStream draw(options.sample_seed, absl::StrCat("simulated neurons/", purpose));
  const DrivingUnits driving =
      DrawNeurons(layer.varying, num_neurons, options.neuron_to_unit_ratio, draw);
  std::vector<int64_t> drawn;
  for (const auto& own : driving) drawn.insert(drawn.end(), own.begin(), own.end());
  std::sort(drawn.begin(), drawn.end());
  for (size_t i = 0; i < driving.size(); ++i) {
    RandomStream stream(options.sample_seed, absl::StrCat("simulated tuning/", purpose),
                        i);
    const double gain =
        options.mean_count * std::exp(options.gain_spread * stream.Normal() -
                                      0.5 * options.gain_spread * options.gain_spread);
    Eigen::VectorXd shape = Eigen::VectorXd::Ones(layer.values.rows());
    if (!driving[i].empty()) {
      shape =
          Sparsify(DriveOf(options, layer, driving[i], drawn, stream), options.sparsity);
    }
    area.rates.push_back((gain * shape.array() + options.baseline).matrix());
    area.num_units.push_back(static_cast<int64_t>(driving[i].size()));
    area.gains.push_back(gain);
  }
  return area;
}

absl::StatusOr<std::vector<std::string>> LayersOf(const SimulationOptions& options,
                                                  const ActivationFile& file,
                                                  Stage stage) {
  std::vector<std::string> layers;
  for (const Tap& tap : file.taps()) {
    if (tap.stage == stage) layers.push_back(tap.layer);
  }
  for (const std::string& layer : options.layers) {
    if (std::find(layers.begin(), layers.end(), layer) == layers.end()) {
      return absl::NotFoundError(absl::StrCat(file.path().string(), ": no ", layer, "/",
                                              options.stage, "; it holds ",
                                              absl::StrJoin(layers, ", ")));
    }
  }
  if (layers.empty()) {
    return absl::NotFoundError(absl::StrCat(file.path().string(), ": no activations of ",
                                            "stage ", options.stage));
  }
  return options.layers.empty() ? layers : options.layers;
}

void AddArea(const Area& area, Recording& recording) {
  for (size_t i = 0; i < area.rates.size(); ++i) {
    recording.neurons.push_back(
        {area.animal, area.layer, absl::StrCat(area.layer, "-", i)});
    recording.by_neuron["num_units"].push_back(static_cast<double>(area.num_units[i]));
    recording.by_neuron["gain"].push_back(area.gains[i]);
  }
}

void DrawTrials(const SimulationOptions& options, const std::vector<Area>& areas,
                Recording& recording) {
  const int64_t num_stimuli = static_cast<int64_t>(recording.stimulus_ids.size());
  recording.responses.resize(static_cast<size_t>(recording.num_trials) *
                             recording.stimulus_ids.size() * recording.neurons.size());
  int64_t neuron = 0;
  for (const Area& area : areas) {
    const std::string purpose =
        absl::StrCat("simulated trials/", area.animal, "/", area.layer);
    for (size_t i = 0; i < area.rates.size(); ++i, ++neuron) {
      for (int64_t t = 0; t < recording.num_trials; ++t) {
        RandomStream stream(options.sample_seed, purpose, i, static_cast<uint32_t>(t));
        for (int64_t s = 0; s < num_stimuli; ++s) {
          const double rate = area.rates[i](s);
          recording.at(t, s, neuron) = static_cast<float>(
              options.noise == "none" ? rate : PoissonCount(rate, stream));
        }
      }
    }
  }
}

absl::StatusOr<std::vector<ActivationFile>> OpenFamily(
    const SimulationOptions& options, const std::vector<fs::path>& files) {
  IAT_RETURN_IF_ERROR(options.Validate());
  if (files.empty()) {
    return absl::InvalidArgumentError("no activation files to simulate animals from");
  }
  std::vector<ActivationFile> family;
  for (size_t k = 0; k < files.size(); ++k) {
    if (options.num_animals > 0 && static_cast<int64_t>(k) >= options.num_animals) break;
    IAT_ASSIGN_OR_RETURN(ActivationFile file, ActivationFile::Open(files[k]));
    if (k > 0 && file.stimulus_ids() != family[0].stimulus_ids()) {
      return absl::InvalidArgumentError(
          absl::StrCat(files[k].string(), ": other stimuli than ",
                       family[0].path().string(), " has; extract them together"));
    }
    family.push_back(std::move(file));
  }
  if (options.num_animals > static_cast<int64_t>(files.size())) {
    return absl::InvalidArgumentError(absl::StrCat(
        "num_animals is ", options.num_animals, "; there are ", files.size(), " models"));
  }
  if (options.num_stimuli > static_cast<int64_t>(family[0].stimulus_ids().size())) {
    return absl::InvalidArgumentError(absl::StrCat(
        "num_stimuli is ", options.num_stimuli, "; ", family[0].path().string(), " has ",
        family[0].stimulus_ids().size()));
  }
  return family;
}

std::string FingerprintOf(const SimulationOptions& options, const std::string& name,
                          const std::vector<ActivationFile>& family) {
  std::string text = absl::StrCat("simulation 1\n", name, "\n", OptionsText(options));
  for (const ActivationFile& file : family) {
    absl::StrAppend(&text, file.metadata().animal, " ", file.metadata().fingerprint,
                    "\n");
  }
  return Sha256(text);
}

std::string SelectionInWords(const SimulationOptions& options) {
  return absl::StrFormat(
      "simulated: at most %s neurons a layer of %s units that vary, %g neurons a unit, "
      "%d mixed-in units (weight %g), sparsity %g, mean count %g (spread %g) over a "
      "baseline of %g, %d trials with %s noise, sample seed %d",
      options.num_neurons > 0 ? absl::StrCat(options.num_neurons) : "all", options.stage,
      options.neuron_to_unit_ratio, options.mixing_units, options.mixing_weight,
      options.sparsity, options.mean_count, options.gain_spread, options.baseline,
      options.num_trials, options.noise == "none" ? "no" : "Poisson",
      options.sample_seed);
}

}  // namespace

void SimulationOptions::Describe(OptionVisitor& visitor) {
  visitor.Text("activations", activations,
               "the [stimuli.NAME] whose activations are recorded from");
  visitor.Choices("layers", layers,
                  {"conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"},
                  "layers, which become areas; empty: all that are extracted");
  visitor.Choice("stage", stage, {"pre_relu", "post_relu"}, "which activations");
  visitor.Integer("num_animals", num_animals, {.min = 0},
                  "the family's first models become animals; 0: all");
  visitor.Integer("num_stimuli", num_stimuli, {.min = 0},
                  "the first stimuli of the set; 0: all");
  visitor.Integer("num_neurons", num_neurons, {.min = 0},
                  "neurons of an area, or as many as its units allow; 0: these");
  visitor.Number("neuron_to_unit_ratio", neuron_to_unit_ratio,
                 {.min = 0.0, .min_excluded = true},
                 "neurons that stand for a unit: n neurons for n / ratio units");
  visitor.Integer("mixing_units", mixing_units, {.min = 0},
                  "other units mixed into each neuron at random");
  visitor.Number("mixing_weight", mixing_weight, {.min = 0.0},
                 "deviation of their weights; a neuron's own units have 1");
  visitor.Number("sparsity", sparsity, {.min = 0.0, .max = 1.0, .max_excluded = true},
                 "share of the stimuli at which a neuron is silent, at least");
  visitor.Number("mean_count", mean_count, {.min = 0.0, .min_excluded = true},
                 "mean over neurons of the evoked spikes a trial");
  visitor.Number("gain_spread", gain_spread, {.min = 0.0},
                 "deviation of the logarithm of neurons' gains");
  visitor.Number("baseline", baseline, {.min = 0.0}, "spikes a trial at any stimulus");
  visitor.Choice("noise", noise, {"poisson", "none"}, "of the trials");
  visitor.Integer("num_trials", num_trials, {.min = 1, .max = 100000},
                  "presentations of every stimulus");
  visitor.Integer("sample_seed", sample_seed, {.min = 0},
                  "seed of everything that is drawn");
}

absl::Status SimulationOptions::Validate() const {
  if (noise == "poisson" && mean_count * std::exp(gain_spread * 8.0) > 1e9) {
    return absl::InvalidArgumentError(
        absl::StrCat("mean_count is ", mean_count, " and gain_spread ", gain_spread,
                     "; expected gains that stay below 1e9 spikes"));
  }
  return absl::OkStatus();
}

DrivingUnits DrawNeurons(const std::vector<int64_t>& eligible, int64_t num_neurons,
                         double neuron_to_unit_ratio, RandomStream& stream) {
  std::vector<int64_t> units = eligible;
  stream.Shuffle(units);
  const double wanted =
      std::round(static_cast<double>(num_neurons) / neuron_to_unit_ratio);
  const int64_t num_units = std::clamp<int64_t>(static_cast<int64_t>(wanted), 1,
                                                static_cast<int64_t>(units.size()));
  // Where neurons are the more, those at random places get a unit; where units are, they
  // are dealt in turn.
  const std::vector<int64_t> places = stream.Permutation(num_neurons);
  DrivingUnits driving(num_neurons);
  for (int64_t u = 0; u < num_units && num_neurons > 0; ++u) {
    driving[places[u % num_neurons]].push_back(units[u]);
  }
  return driving;
}

Eigen::VectorXd Sparsify(const Eigen::VectorXd& drive, double sparsity) {
  std::vector<double> sorted(drive.begin(), drive.end());
  std::sort(sorted.begin(), sorted.end());
  const int64_t num_silent = std::max<int64_t>(
      1, static_cast<int64_t>(std::ceil(sparsity * static_cast<double>(sorted.size()))));
  const Eigen::VectorXd evoked =
      (drive.array() - sorted[num_silent - 1]).max(0.0).matrix();
  const double mean = evoked.mean();
  return mean > 0.0 ? Eigen::VectorXd(evoked / mean) : evoked;
}

int64_t PoissonCount(double rate, RandomStream& stream) {
  // A sum of Poisson counts is one of the summed rates.
  const int64_t parts = static_cast<int64_t>(std::ceil(rate / kLargestRateAtOnce));
  int64_t count = 0;
  for (int64_t k = 0; k < parts; ++k) {
    count += SmallPoissonCount(rate / static_cast<double>(parts), stream);
  }
  return count;
}

absl::StatusOr<Recording> Simulate(const SimulationOptions& options,
                                   const std::string& name,
                                   const std::vector<fs::path>& files) {
  IAT_ASSIGN_OR_RETURN(const std::vector<ActivationFile> family,
                       OpenFamily(options, files));
  IAT_ASSIGN_OR_RETURN(const Stage stage, ParseStage(options.stage));
  IAT_ASSIGN_OR_RETURN(const std::vector<std::string> layers,
                       LayersOf(options, family[0], stage));
  Recording recording;
  recording.name = name;
  recording.unit = "spikes";
  recording.simulated = true;
  recording.selection = SelectionInWords(options);
  recording.fingerprint = FingerprintOf(options, name, family);
  recording.stimulus_ids = family[0].stimulus_ids();
  if (options.num_stimuli > 0) recording.stimulus_ids.resize(options.num_stimuli);
  recording.num_trials = options.num_trials;
  std::vector<std::string> models;
  std::vector<Area> areas;
  for (size_t k = 0; k < family.size(); ++k) {
    models.push_back(family[k].metadata().animal);
    for (const std::string& layer : layers) {
      IAT_ASSIGN_OR_RETURN(const ActivationMatrix activations,
                           family[k].Read({layer, stage}));
      const Layer standardised =
          Standardise(activations, static_cast<int64_t>(recording.stimulus_ids.size()));
      if (standardised.varying.empty()) {
        return absl::InvalidArgumentError(absl::StrCat(family[k].path().string(), ": ",
                                                       layer, "/", options.stage,
                                                       " has no unit that varies"));
      }
      areas.push_back(
          MakeArea(options, absl::StrFormat("simulated-%03d", k), layer, standardised));
      AddArea(areas.back(), recording);
    }
  }
  recording.source = absl::StrCat("simulated from ", options.stage, " activations of ",
                                  absl::StrJoin(models, ", "));
  DrawTrials(options, areas, recording);
  return recording;
}

absl::StatusOr<std::string> SimulationFingerprint(const SimulationOptions& options,
                                                  const std::string& name,
                                                  const std::vector<fs::path>& files) {
  IAT_ASSIGN_OR_RETURN(const std::vector<ActivationFile> family,
                       OpenFamily(options, files));
  return FingerprintOf(options, name, family);
}

}  // namespace iat
