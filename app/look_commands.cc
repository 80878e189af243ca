#include "app/look_commands.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/parallel.h"
#include "base/status.h"
#include "extraction/animal_runner.h"
#include "extraction/kernel_image.h"
#include "extraction/tuning.h"
#include "extraction/unit_summary.h"
#include "images/dead_leaves.h"
#include "images/packed_set.h"
#include "images/parametric.h"
#include "models/model_options.h"
#include "models/tensor_metadata.h"
#include "report/look.h"

namespace iat {
namespace {

constexpr int kShown = 8;  // pictures a unit
constexpr int kHistogramBins = 40;

struct LookArguments {
  std::string weights, out = "look.html", stimuli, architecture;
  double width = 0.0;
  std::vector<std::string> layers, units;
  int64_t num_units = 6, num_stimuli = 1000;
};

// Pictures to show to the network, with their names.
struct ShownSet {
  std::optional<PackedSet> packed;
  std::vector<Image> made;
  std::vector<std::string> ids;
  std::vector<const uint8_t*> pixels;
  std::string what;
};

absl::StatusOr<ShownSet> ChooseStimuli(const LookArguments& arguments) {
  ShownSet set;
  if (arguments.stimuli.empty()) {
    const DeadLeaves world(0);
    for (int64_t i = 0; i < arguments.num_stimuli; ++i) {
      set.made.push_back(world.Render(i));
      set.ids.push_back(world.Id(i));
    }
    for (const Image& image : set.made) set.pixels.push_back(image.pixels.data());
    set.what = absl::StrCat(set.made.size(),
                            " dead leaves, procedural; --stimuli names a packed set");
    return set;
  }
  IAT_ASSIGN_OR_RETURN(set.packed, PackedSet::Open(arguments.stimuli));
  if (set.packed->height() != kInputSide || set.packed->width() != kInputSide) {
    return absl::InvalidArgumentError(
        absl::StrCat(arguments.stimuli, ": its images are not ", kInputSide, " x ",
                     kInputSide, "; pack them with size = ", kInputSide));
  }
  // Evenly spaced over the set, so that all its classes are seen.
  const int64_t n = std::min(set.packed->size(), arguments.num_stimuli);
  for (int64_t i = 0; i < n; ++i) {
    const int64_t row = i * set.packed->size() / n;
    set.ids.push_back(set.packed->ids()[row]);
    set.pixels.push_back(set.packed->pixels(row));
  }
  set.what = absl::StrCat(n, " of ", set.packed->size(), " in ", arguments.stimuli);
  return set;
}

// Stimuli x units of each layer.
absl::StatusOr<std::vector<UnitResponses>> Respond(
    AnimalRunner& runner, const std::vector<const uint8_t*>& pixels, size_t batch) {
  std::vector<UnitResponses> all(runner.layers().size()), part;
  for (size_t l = 0; l < all.size(); ++l) {
    const auto units = static_cast<Eigen::Index>(runner.layers()[l].units.channel.size());
    all[l].pre.resize(static_cast<Eigen::Index>(pixels.size()), units);
    all[l].post.resize(static_cast<Eigen::Index>(pixels.size()), units);
  }
  for (size_t begin = 0; begin < pixels.size(); begin += batch) {
    const size_t end = std::min(pixels.size(), begin + batch);
    IAT_RETURN_IF_ERROR(runner.Run({pixels.begin() + static_cast<int64_t>(begin),
                                    pixels.begin() + static_cast<int64_t>(end)},
                                   part));
    const auto rows = static_cast<Eigen::Index>(end - begin);
    for (size_t l = 0; l < all.size(); ++l) {
      all[l].pre.middleRows(static_cast<Eigen::Index>(begin), rows) =
          part[l].pre.topRows(rows);
      all[l].post.middleRows(static_cast<Eigen::Index>(begin), rows) =
          part[l].post.topRows(rows);
    }
  }
  return all;
}

absl::StatusOr<std::vector<LookPicture>> Filters(const InferenceChain& chain) {
  std::vector<LookPicture> filters;
  for (const KernelImage& kernel : KernelImages(chain)) {
    IAT_ASSIGN_OR_RETURN(std::string png, EncodePng(kernel.image));
    filters.push_back(
        {std::move(png), absl::StrFormat("channel %d, largest weight %.3g",
                                         filters.size(), kernel.largest_weight)});
  }
  return filters;
}

// Units of a layer to show: those named, or those that vary most.
absl::StatusOr<std::vector<int64_t>> ChooseUnits(const LookArguments& arguments,
                                                 const std::string& layer,
                                                 const Eigen::ArrayXd& sd) {
  std::vector<int64_t> chosen;
  for (const std::string& name : arguments.units) {
    const std::vector<std::string> parts = absl::StrSplit(name, ':');
    int64_t unit = -1;
    if (parts.size() != 2 || !absl::SimpleAtoi(parts[1], &unit)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--unit ", name, ": expected something like conv3:12"));
    }
    if (parts[0] != layer) continue;
    if (unit < 0 || unit >= sd.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--unit ", name, ": ", layer, " has units 0 to ", sd.size() - 1));
    }
    chosen.push_back(unit);
  }
  if (!arguments.units.empty()) return chosen;
  chosen.resize(static_cast<size_t>(sd.size()));
  std::iota(chosen.begin(), chosen.end(), 0);
  std::stable_sort(chosen.begin(), chosen.end(),
                   [&](int64_t a, int64_t b) { return sd[a] > sd[b]; });
  chosen.resize(
      std::min<size_t>(chosen.size(), static_cast<size_t>(arguments.num_units)));
  return chosen;
}

absl::StatusOr<LookUnit> ShowUnit(const ShownSet& set, const Eigen::ArrayXf& pre,
                                  const Tuning& tuning, const std::string& name) {
  LookUnit unit;
  unit.name = name;
  std::vector<int64_t> order(static_cast<size_t>(pre.size()));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return pre[a] > pre[b]; });
  const auto picture = [&](int64_t i) -> absl::StatusOr<LookPicture> {
    const Image image{kInputSide,
                      kInputSide,
                      {set.pixels[i], set.pixels[i] + 3 * kInputSide * kInputSide}};
    IAT_ASSIGN_OR_RETURN(std::string png, EncodePng(image));
    return LookPicture{std::move(png), absl::StrFormat("%.3g  %s", pre[i], set.ids[i])};
  };
  const auto shown = std::min<int64_t>(kShown, static_cast<int64_t>(order.size()));
  for (int64_t i = 0; i < shown; ++i) {
    IAT_ASSIGN_OR_RETURN(LookPicture most, picture(order[i]));
    IAT_ASSIGN_OR_RETURN(LookPicture least, picture(order[order.size() - 1 - i]));
    unit.most.push_back(std::move(most));
    unit.least.push_back(std::move(least));
  }
  unit.by_orientation = tuning.by_orientation;
  unit.by_frequency = tuning.by_frequency;
  unit.preference =
      std::isnan(tuning.selectivity)
          ? "No grating drives it above zero."
          : absl::StrFormat(
                "Prefers orientation %.0f\u00b0 at %.3g cycles a picture, "
                "selectivity %.2f.",
                tuning.orientation, tuning.best_frequency, tuning.selectivity);
  return unit;
}

absl::StatusOr<LookLayer> ShowLayer(const LookArguments& arguments, const ShownSet& set,
                                    const std::string& name,
                                    const UnitResponses& to_stimuli,
                                    const std::vector<Grating>& gratings,
                                    const UnitResponses& to_gratings) {
  UnitSummary before(to_stimuli.pre.cols()), after(to_stimuli.pre.cols());
  before.Add(to_stimuli.pre);
  after.Add(to_stimuli.post);
  const Eigen::ArrayXd sparsity = after.sparsity(),
                       lifetime = after.lifetime_sparseness();
  const auto values = [](const Eigen::ArrayXd& array) {
    return std::vector<double>(array.data(), array.data() + array.size());
  };
  std::vector<double> orientations, frequencies,
      pre(to_stimuli.pre.data(), to_stimuli.pre.data() + to_stimuli.pre.size());
  std::vector<Tuning> tunings;
  for (Eigen::Index u = 0; u < to_gratings.post.cols(); ++u) {
    tunings.push_back(TuningOf(gratings, to_gratings.post.col(u).array()));
    if (std::isnan(tunings.back().selectivity)) continue;
    orientations.push_back(tunings.back().orientation);
    frequencies.push_back(std::log2(tunings.back().best_frequency));
  }
  LookLayer layer;
  layer.name = name;
  layer.summary = absl::StrFormat(
      "%d units at the map's centre, %.0f of them dead on these stimuli; median sparsity "
      "%.3f (share of stimuli without a response); %d respond to some grating.",
      to_stimuli.pre.cols(), after.dead().sum(),
      [&] {
        std::vector<double> sorted = values(sparsity);
        std::nth_element(sorted.begin(), sorted.begin() + sorted.size() / 2,
                         sorted.end());
        return sorted[sorted.size() / 2];
      }(),
      orientations.size());
  layer.histograms = {
      HistogramOf(pre, kHistogramBins, "before the ReLU", "response, all units"),
      HistogramOf(values(sparsity), 20, 0.0, 1.0, "sparsity", "share of silent stimuli"),
      HistogramOf(values(lifetime), 20, 0.0, 1.0, "lifetime sparseness", "units"),
      HistogramOf(orientations, 18, 0.0, 180.0, "preferred orientation", "degrees"),
      HistogramOf(frequencies, 10, "preferred spatial frequency",
                  "log2 of cycles a picture")};
  IAT_ASSIGN_OR_RETURN(const std::vector<int64_t> chosen,
                       ChooseUnits(arguments, name, before.sd()));
  for (const int64_t unit : chosen) {
    IAT_ASSIGN_OR_RETURN(LookUnit shown,
                         ShowUnit(set, to_stimuli.pre.col(unit).array(), tunings[unit],
                                  absl::StrCat(name, " unit ", unit)));
    layer.units.push_back(std::move(shown));
  }
  return layer;
}

absl::StatusOr<ModelOptions> ModelOf(const LookArguments& arguments) {
  IAT_ASSIGN_OR_RETURN(auto metadata, ReadTensorMetadata(arguments.weights));
  ModelOptions model;
  model.architecture =
      arguments.architecture.empty() ? metadata["architecture"] : arguments.architecture;
  model.width = arguments.width;
  if (model.width == 0.0 && !absl::SimpleAtod(metadata["width"], &model.width)) {
    model.width = 1.0;
  }
  if (model.architecture.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(arguments.weights,
                     " does not say which architecture it is; --architecture "
                     "names it"));
  }
  return model;
}

absl::Status Look(const LookArguments& arguments) {
  SetBlasThreads(1);
  IAT_ASSIGN_OR_RETURN(const ModelOptions model, ModelOf(arguments));
  ExtractionOptions options;
  if (!arguments.layers.empty()) options.layers = arguments.layers;
  IAT_ASSIGN_OR_RETURN(const auto runner, AnimalRunner::Load(model, arguments.weights,
                                                             options, /*device=*/"cpu"));
  IAT_ASSIGN_OR_RETURN(const ShownSet set, ChooseStimuli(arguments));
  GratingOptions grating_options;
  grating_options.num_orientations = 12;
  grating_options.num_phases = 8;
  const std::vector<Grating> gratings = Gratings(grating_options);
  std::vector<Image> drawn;
  std::vector<const uint8_t*> grating_pixels;
  for (const Grating& grating : gratings) {
    drawn.push_back(RenderGrating(grating, kInputSide));
  }
  for (const Image& image : drawn) grating_pixels.push_back(image.pixels.data());
  const auto batch = static_cast<size_t>(options.batch_size);
  IAT_ASSIGN_OR_RETURN(const auto to_stimuli, Respond(*runner, set.pixels, batch));
  IAT_ASSIGN_OR_RETURN(const auto to_gratings, Respond(*runner, grating_pixels, batch));

  LookPage page;
  page.title = absl::StrCat("A look at ", arguments.weights);
  page.facts = {{"architecture", model.Name()},
                {"stimuli", set.what},
                {"gratings", absl::StrCat(gratings.size(),
                                          ": 12 orientations, 5 spatial frequencies, 8 "
                                          "phases; responses are means over phases after "
                                          "the ReLU")}};
  IAT_ASSIGN_OR_RETURN(const auto chain,
                       AnimalRunner::LoadChain(model, arguments.weights));
  if (chain) {
    IAT_ASSIGN_OR_RETURN(page.filters, Filters(*chain));
    if (!page.filters.empty()) {
      page.filters_title = "Filters of the first layer, batch norm included";
    }
  }
  for (size_t l = 0; l < runner->layers().size(); ++l) {
    IAT_ASSIGN_OR_RETURN(LookLayer layer,
                         ShowLayer(arguments, set, runner->layers()[l].layer,
                                   to_stimuli[l], gratings, to_gratings[l]));
    page.layers.push_back(std::move(layer));
  }
  IAT_RETURN_IF_ERROR(WriteFileAtomically(arguments.out, LookHtml(page)));
  std::printf("%s\n", arguments.out.c_str());
  return absl::OkStatus();
}

}  // namespace

void AddLookCommand(CLI::App& app, std::function<void(const absl::Status&)> finish) {
  const auto arguments = std::make_shared<LookArguments>();
  CLI::App* look = app.add_subcommand(
      "look", "filters, best stimuli, tuning and sparsity of a network, in one page");
  look->add_option("WEIGHTS", arguments->weights, "weights.safetensors")->required();
  look->add_option("--out", arguments->out, "the HTML page (default: look.html)");
  look->add_option("--stimuli", arguments->stimuli,
                   "packed set to show (default: dead leaves)");
  look->add_option("--num-stimuli", arguments->num_stimuli, "stimuli to show")
      ->check(CLI::Range(2, 1'000'000));
  look->add_option("--layers", arguments->layers, "e.g. conv1,conv3 (default: conv1-5)")
      ->delimiter(',');
  look->add_option("--unit", arguments->units,
                   "show this unit, e.g. conv3:12 (repeatable; default: those that vary "
                   "most)")
      ->allow_extra_args(false);
  look->add_option("--num-units", arguments->num_units, "units a layer by default")
      ->check(CLI::Range(0, 4096));
  look->add_option("--architecture", arguments->architecture,
                   "where the weights do not say");
  look->add_option("--width", arguments->width, "where the weights do not say");
  look->callback([arguments, finish] { finish(Look(*arguments)); });
}

}  // namespace iat
