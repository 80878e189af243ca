#include "app/run_config.h"

#include <algorithm>
#include <set>
#include <type_traits>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/config.h"
#include "base/fingerprint.h"
#include "base/status.h"

namespace iat {
namespace {

constexpr int64_t kLargestSeed = 999'999;

// What a user most likely wants to hear about a check that spans keys: the file,
// and the table it is about.
absl::Status At(const ConfigDocument& document, absl::string_view table,
                const absl::Status& status) {
  return Annotate(status, document.Place(table, ""));
}

// Visitors of RunConfig::VisitTables.

struct TableReader {
  ConfigDocument& document;

  template <typename Options>
  void One(absl::string_view name, absl::string_view, Options& options) {
    document.Read(name, options);
  }
  template <typename Options>
  void Optional(absl::string_view name, absl::string_view,
                std::optional<Options>& options) {
    if (document.Has(name)) document.Read(name, options.emplace());
  }
  template <typename Options>
  void Named(absl::string_view name, absl::string_view,
             std::map<std::string, Options>& tables, const Options& defaults) {
    document.Read(name, [](OptionVisitor&) {});
    for (const std::string& inner : document.TableNames(name)) {
      document.Read(absl::StrCat(name, ".", inner),
                    tables.insert_or_assign(inner, defaults).first->second);
    }
  }
};

struct TableText {
  std::string text = {};

  template <typename Options>
  void One(absl::string_view name, absl::string_view, const Options& options) {
    // Imported animals have no training images; what is not there is not written.
    if constexpr (std::is_same_v<Options, ImageOptions>) {
      if (!options.Validate().ok()) return;
    }
    absl::StrAppend(&text, text.empty() ? "" : "\n", "[", name, "]\n",
                    OptionsText(options));
  }
  template <typename Options>
  void Optional(absl::string_view name, absl::string_view doc,
                const std::optional<Options>& options) {
    if (options) One(name, doc, *options);
  }
  template <typename Options>
  void Named(absl::string_view name, absl::string_view,
             const std::map<std::string, Options>& tables, const Options&) {
    for (const auto& [inner, options] : tables) {
      absl::StrAppend(&text, "\n[", name, ".", TomlString(inner), "]\n",
                      OptionsText(options));
    }
  }
};

struct ReferenceTables {
  ReferencePage page = {};

  template <typename Options>
  void One(absl::string_view name, absl::string_view doc, Options& options) {
    page.AddTable(name, doc, [&](OptionVisitor& visitor) { options.Describe(visitor); });
  }
  template <typename Options>
  void Optional(absl::string_view name, absl::string_view doc, std::optional<Options>&) {
    Options defaults;
    One(name, doc, defaults);
  }
  template <typename Options>
  void Named(absl::string_view name, absl::string_view doc,
             std::map<std::string, Options>&, Options defaults) {
    One(absl::StrCat(name, ".NAME"), doc, defaults);
  }
};

bool IsName(const std::string& text) {
  return !text.empty() && text[0] != '.' &&
         text.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
             "0123456789-_.") == std::string::npos;
}

template <typename Options>
absl::Status CheckNamed(const ConfigDocument& document, const std::string& table,
                        const std::map<std::string, Options>& named) {
  for (const auto& [name, options] : named) {
    if (!IsName(name)) {
      return absl::InvalidArgumentError(
          absl::StrCat(document.Place(table, name),
                       ": expected letters, digits, -, _ and . in the name"));
    }
    IAT_RETURN_IF_ERROR(At(document, absl::StrCat(table, ".", name), options.Validate()));
  }
  return absl::OkStatus();
}

absl::Status CheckStimuli(const ConfigDocument& document, const std::string& table,
                          const std::string& key, const std::string& stimuli,
                          const std::map<std::string, ImageOptions>& all) {
  if (stimuli.empty() || all.contains(stimuli)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(document.Place(table, ""), ": ", key, " is \"", stimuli,
                   "\", but there is no [stimuli.", stimuli, "]"));
}

}  // namespace

void RunOptions::Describe(OptionVisitor& visitor) {
  visitor.Text("name", name, "name of the run: letters, digits, - _ .");
  visitor.Path("out", out, "run folder; empty: runs/NAME");
}

std::filesystem::path RunOptions::folder() const {
  return out.empty() ? std::filesystem::path("runs") / name : std::filesystem::path(out);
}

void FamilyOptions::Describe(OptionVisitor& visitor) {
  visitor.Integers("seeds", seeds, {.min = 0, .max = kLargestSeed},
                   "one animal a seed; the seed sets initial weights and data order");
  visitor.Integer("fixed_init_seed", fixed_init_seed, {.min = -1, .max = kLargestSeed},
                  "the same initial weights for every animal; -1: they follow the seed");
  visitor.Integer("fixed_data_seed", fixed_data_seed, {.min = -1, .max = kLargestSeed},
                  "the same data order for every animal; -1: it follows the seed");
  visitor.Integer(
      "num_untrained", num_untrained, {.min = 0, .max = kLargestSeed},
      "untrained animals beside the family: its first seeds, initial weights");
  visitor.Paths("imported", imported,
                "weights of other programs as animals imported-000, ...: PyTorch state "
                "dicts (.pt, .pth, ...) or .safetensors that fit [model]; seeds may then "
                "be []");
}

std::vector<Animal> FamilyOptions::Animals() const {
  std::vector<Animal> animals;
  for (const bool trained : {true, false}) {
    for (size_t i = 0; i < seeds.size(); ++i) {
      if (!trained && static_cast<int64_t>(i) >= num_untrained) break;
      animals.push_back(
          {.name = absl::StrFormat("%s-%03d", trained ? "seed" : "untrained", seeds[i]),
           .init_seed = fixed_init_seed >= 0 ? fixed_init_seed : seeds[i],
           .data_seed = fixed_data_seed >= 0 ? fixed_data_seed : seeds[i],
           .trained = trained,
           .imported = {}});
    }
  }
  for (size_t i = 0; i < imported.size(); ++i) {
    animals.push_back({.name = absl::StrFormat("imported-%03d", i),
                       .init_seed = -1,
                       .data_seed = -1,
                       .trained = true,
                       .imported = imported[i]});
  }
  return animals;
}

// One line a table; everything else follows from it.
template <typename Visitor>
void RunConfig::VisitTables(Visitor& visitor) {
  visitor.One("run", "Name and place of the run.", run);
  visitor.One("family", "The animals: one network a seed.", family);
  visitor.One("images", "What the networks learn from.", images);
  visitor.One("model", "The network.", model);
  visitor.One(
      "training",
      "How it learns. The defaults are the published recipe of `objective`; those "
      "below belong to `instance_recognition`, docs/objectives.md has the others.",
      training);
  visitor.One("probe", "`iat probe`: linear probes of the trained networks.", probe);
  // A training set can spare an image, a stimulus set not without being told.
  ImageOptions stimulus_defaults;
  stimulus_defaults.on_error = "stop";
  visitor.Named(
      "stimuli",
      "What the animals are compared on: any number of tables, each with a name "
      "of its own.",
      stimuli, stimulus_defaults);
  visitor.One("extraction", "Which responses are read.", extraction);
  visitor.One("compare", "Mappings between animals and how they are scored.", compare);
  visitor.Optional("scopes",
                   "Hypercolumns against whole layers on the same targets; without the "
                   "table nothing is done.",
                   scopes);
  visitor.Optional("metrics",
                   "Metrics without a fit, between every pair of animals; without the "
                   "table nothing is done.",
                   metrics);
  visitor.Optional("subsample",
                   "R2 against the numbers of fit stimuli and source units; without the "
                   "table nothing is done.",
                   subsample);
  visitor.Named("neural",
                "Recordings that the run imports or simulates, and what is scored on "
                "them: any number of tables.",
                neural, NeuralOptions());
  visitor.Optional(
      "calibrate",
      "Neurons against units, from networks and recorded animals on the same "
      "stimuli; without the table nothing is done.",
      calibrate);
  visitor.Named("consistency",
                "How consistently the networks represent each image, beside the mice's "
                "own vector: any number of tables.",
                consistency, ConsistencyOptions());
  visitor.One("verdict", "By which margins the paper's claims are judged.", verdict);
  visitor.One("report", "Figures.", report);
}

absl::StatusOr<RunConfig> RunConfig::Load(const std::filesystem::path& path,
                                          const std::vector<std::string>& overrides) {
  IAT_ASSIGN_OR_RETURN(ConfigDocument document, ConfigDocument::Load(path, overrides));
  RunConfig config;
  TableReader reader{document};
  config.VisitTables(reader);
  IAT_RETURN_IF_ERROR(document.Finish());

  if (!IsName(config.run.name)) {
    return absl::InvalidArgumentError(
        absl::StrCat(document.Place("run", "name"), " is \"", config.run.name,
                     "\"; expected letters, digits, -, _ and ."));
  }
  const auto& seeds = config.family.seeds;
  // Recordings can be scored among themselves.
  if ((seeds.empty() && config.family.imported.empty() && config.neural.empty()) ||
      std::set<int64_t>(seeds.begin(), seeds.end()).size() != seeds.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        document.Place("family", "seeds"), " is [", absl::StrJoin(seeds, ", "),
        "]; expected at least one seed, none twice"));
  }
  if (config.family.num_untrained > static_cast<int64_t>(seeds.size())) {
    return absl::InvalidArgumentError(absl::StrCat(
        document.Place("family", "num_untrained"), " is ", config.family.num_untrained,
        "; expected at most the number of seeds, ", seeds.size()));
  }
  // Imported animals have learned already.
  if (!seeds.empty() || document.Has("images")) {
    IAT_RETURN_IF_ERROR(At(document, "images", config.images.Validate()));
  }
  IAT_RETURN_IF_ERROR(
      At(document, "training.augmentation", config.training.augmentation.Validate()));
  IAT_RETURN_IF_ERROR(At(document, "probe", config.probe.Validate()));
  for (const auto& [name, options] : config.stimuli) {
    if (!IsName(name)) {
      return absl::InvalidArgumentError(
          absl::StrCat(document.Place("stimuli", name),
                       ": expected letters, digits, -, _ and . in the name"));
    }
    IAT_RETURN_IF_ERROR(At(document, absl::StrCat("stimuli.", name), options.Validate()));
  }
  IAT_RETURN_IF_ERROR(At(document, "extraction", config.extraction.Validate()));
  IAT_RETURN_IF_ERROR(At(document, "compare", config.compare.Validate()));
  for (const std::string& name : config.compare.stimuli) {
    IAT_RETURN_IF_ERROR(
        CheckStimuli(document, "compare", "stimuli", name, config.stimuli));
  }
  IAT_RETURN_IF_ERROR(CheckNamed(document, "neural", config.neural));
  IAT_RETURN_IF_ERROR(CheckNamed(document, "consistency", config.consistency));
  if (config.subsample) {
    IAT_RETURN_IF_ERROR(At(document, "subsample", config.subsample->Validate()));
  }
  if (config.metrics) {
    IAT_RETURN_IF_ERROR(At(document, "metrics", config.metrics->Validate()));
  }
  if (config.calibrate) {
    IAT_RETURN_IF_ERROR(At(document, "calibrate", config.calibrate->Validate()));
    const std::string& name = config.calibrate->stimuli;
    if (name.empty() ? config.stimuli.size() != 1 : !config.stimuli.contains(name)) {
      return absl::InvalidArgumentError(absl::StrCat(
          document.Place("calibrate", "stimuli"), " is \"", name,
          "\"; expected the name of a [stimuli.NAME] table, or nothing where there is ",
          "one only (there are ", config.stimuli.size(), ")"));
    }
  }
  if (config.scopes) {
    IAT_RETURN_IF_ERROR(At(document, "scopes", config.scopes->Validate()));
    if (config.extraction.scope != "hypercolumn") {
      return absl::InvalidArgumentError(absl::StrCat(
          document.Place("extraction", "scope"), " is \"", config.extraction.scope,
          "\"; [scopes] compares hypercolumns with whole layers and needs "
          "\"hypercolumn\""));
    }
    if (static_cast<int64_t>(seeds.size()) < 2) {
      return absl::InvalidArgumentError(absl::StrCat(document.Place("scopes", ""),
                                                     ": needs at least 2 family.seeds; ",
                                                     "there are ", seeds.size()));
    }
  }
  for (const auto& [name, options] : config.neural) {
    const std::string table = absl::StrCat("neural.", name);
    if (!options.stimuli.empty() && !config.stimuli.contains(options.stimuli)) {
      return absl::InvalidArgumentError(
          absl::StrCat(document.Place(table, "stimuli"), " is \"", options.stimuli,
                       "\"; expected the name of a [stimuli.NAME] table, or \"\""));
    }
    for (const std::string& stimuli :
         {options.source == "simulated" ? options.simulation.activations : "",
          options.scores.activations}) {
      IAT_RETURN_IF_ERROR(
          CheckStimuli(document, table, "activations", stimuli, config.stimuli));
    }
  }
  for (const auto& [name, options] : config.consistency) {
    IAT_RETURN_IF_ERROR(CheckStimuli(document, absl::StrCat("consistency.", name),
                                     "activations", options.activations, config.stimuli));
  }
  return config;
}

std::string RunConfig::ResolvedText() const {
  TableText text;
  RunConfig(*this).VisitTables(text);
  return std::move(text.text);
}

ReferencePage ConfigReference() {
  ReferenceTables tables;
  RunConfig().VisitTables(tables);
  return std::move(tables.page);
}

absl::StatusOr<std::vector<int64_t>> ParseSeeds(absl::string_view text) {
  std::vector<int64_t> seeds;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    const std::vector<absl::string_view> ends =
        absl::StrSplit(part, absl::MaxSplits('-', 1));
    int64_t first = 0, last = 0;
    if (!absl::SimpleAtoi(ends[0], &first) || !absl::SimpleAtoi(ends.back(), &last) ||
        first < 0 || last < first || last > kLargestSeed) {
      return absl::InvalidArgumentError(
          absl::StrCat("--seeds ", text, ": expected something like 0-3,7"));
    }
    for (int64_t seed = first; seed <= last; ++seed) seeds.push_back(seed);
  }
  return seeds;
}

}  // namespace iat
