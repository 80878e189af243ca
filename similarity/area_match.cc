#include "similarity/area_match.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/parallel.h"
#include "base/status.h"
#include "similarity/r2.h"
#include "similarity/split.h"

namespace iat {
namespace {

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// A tap of one animal, stimuli in the order of `ids`.
absl::StatusOr<Eigen::MatrixXd> ReadInOrder(const ActivationFile& file, const Tap& tap,
                                            const std::vector<std::string>& ids) {
  IAT_ASSIGN_OR_RETURN(const ActivationMatrix values, file.Read(tap));
  std::map<std::string, Eigen::Index> row_of;
  for (size_t i = 0; i < file.stimulus_ids().size(); ++i) {
    row_of[file.stimulus_ids()[i]] = static_cast<Eigen::Index>(i);
  }
  Eigen::MatrixXd ordered(static_cast<Eigen::Index>(ids.size()), values.cols());
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto found = row_of.find(ids[i]);
    if (found == row_of.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat(file.path().string(), " lacks stimulus \"", ids[i],
                       "\"; networks and recorded animals need the same stimuli"));
    }
    ordered.row(static_cast<Eigen::Index>(i)) = values.row(found->second).cast<double>();
  }
  return ordered;
}

Eigen::MatrixXd Rows(const Eigen::MatrixXd& values, const std::vector<int64_t>& rows) {
  return values(rows, Eigen::all);
}

struct AnimalArea {
  size_t area;
  Eigen::MatrixXd responses;
};

// One network's layer onto every animal's areas on one split: (area, median R2).
absl::StatusOr<std::vector<std::pair<size_t, double>>> MapLayer(
    const PredictivityJob& job, const Eigen::MatrixXd& source, const Split& split,
    const std::vector<AnimalArea>& targets) {
  IAT_ASSIGN_OR_RETURN(const std::unique_ptr<Mapping> mapping,
                       MakeMapping(job.mapping, job.mapping_options));
  SourceData fit_source(Rows(source, split.fit));
  const Eigen::MatrixXd test_source = Rows(source, split.test);
  std::vector<std::pair<size_t, double>> scores;
  for (const AnimalArea& target : targets) {
    FitProblem problem(fit_source, Rows(target.responses, split.fit), Stage::kRecorded);
    IAT_ASSIGN_OR_RETURN(const std::unique_ptr<FittedMapping> fitted,
                         mapping->Fit(problem));
    IAT_ASSIGN_OR_RETURN(const Eigen::MatrixXd predicted, fitted->Predict(test_source));
    const R2Summary summary =
        SummariseR2(R2PerUnit(Rows(target.responses, split.test), predicted));
    scores.push_back({target.area, summary.median});
  }
  return scores;
}

}  // namespace

absl::StatusOr<std::vector<AreaPair>> ParseAreaPairs(const std::string& text) {
  std::vector<AreaPair> pairs;
  for (const absl::string_view entry :
       absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    const std::vector<std::string> ends =
        absl::StrSplit(absl::StripAsciiWhitespace(entry), "->");
    if (ends.size() != 2 || ends[0].empty() || ends[1].empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("matches has \"", absl::StripAsciiWhitespace(entry),
                       "\"; expected area->layer, such as \"VISp->conv3\""));
    }
    pairs.push_back({ends[0], ends[1]});
  }
  return pairs;
}

absl::StatusOr<std::vector<AreaMatch>> AreaPredictivity(const PredictivityJob& job) {
  std::vector<ActivationFile> models;
  for (const auto& path : job.models) {
    IAT_ASSIGN_OR_RETURN(ActivationFile file, ActivationFile::Open(path));
    models.push_back(std::move(file));
  }
  const std::vector<std::string>& ids = models.at(0).stimulus_ids();
  std::vector<AnimalArea> targets;
  for (const auto& path : job.animals) {
    IAT_ASSIGN_OR_RETURN(const ActivationFile file, ActivationFile::Open(path));
    for (size_t area = 0; area < job.areas.size(); ++area) {
      const Tap tap{job.areas[area], Stage::kRecorded};
      if (!file.Has(tap)) continue;
      IAT_ASSIGN_OR_RETURN(Eigen::MatrixXd responses, ReadInOrder(file, tap, ids));
      targets.push_back({area, std::move(responses)});
    }
  }
  std::vector<Split> splits;
  for (const int64_t seed : job.split_seeds) {
    IAT_ASSIGN_OR_RETURN(Split split, MakeSplit(ids, {.split_seed = seed,
                                                      .num_fit = job.num_fit_stimuli,
                                                      .num_test = job.num_test_stimuli}));
    splits.push_back(std::move(split));
  }
  // One task a network and layer; sums are taken in their order afterwards.
  const size_t num_layers = job.layers.size();
  std::vector<std::vector<std::pair<size_t, double>>> of_task(models.size() * num_layers);
  IAT_RETURN_IF_ERROR(ParallelFor(
      job.jobs, static_cast<int64_t>(of_task.size()), [&](int64_t task) -> absl::Status {
        if (job.stop != nullptr && *job.stop) return absl::CancelledError("interrupted");
        const Tap tap{job.layers[task % num_layers], job.model_stage};
        IAT_ASSIGN_OR_RETURN(const Eigen::MatrixXd source,
                             ReadInOrder(models[task / num_layers], tap, ids));
        for (const Split& split : splits) {
          IAT_ASSIGN_OR_RETURN(const auto scores, MapLayer(job, source, split, targets));
          of_task[task].insert(of_task[task].end(), scores.begin(), scores.end());
        }
        return absl::OkStatus();
      }));
  std::vector<AreaMatch> matches;
  for (size_t area = 0; area < job.areas.size(); ++area) {
    for (size_t layer = 0; layer < num_layers; ++layer) {
      double sum = 0.0;
      int64_t count = 0;
      for (size_t task = layer; task < of_task.size(); task += num_layers) {
        for (const auto& [of_area, r2] : of_task[task]) {
          if (of_area != area || std::isnan(r2)) continue;
          sum += r2;
          ++count;
        }
      }
      matches.push_back(
          {job.areas[area], job.layers[layer], sum / static_cast<double>(count), false});
    }
  }
  return matches;
}

absl::StatusOr<std::vector<AreaPair>> ChooseLayers(
    const std::vector<std::string>& areas, const std::vector<std::string>& layers,
    const std::vector<AreaPair>& explicit_pairs, std::vector<AreaMatch>& predictivity) {
  const auto missing = [](absl::string_view what, const std::string& name,
                          const std::vector<std::string>& there) {
    return absl::NotFoundError(absl::StrCat("calibrate.matches names ", what, " \"", name,
                                            "\"; there are ",
                                            absl::StrJoin(there, ", ")));
  };
  for (const auto& [area, layer] : explicit_pairs) {
    if (!Contains(areas, area)) return missing("area", area, areas);
    if (!Contains(layers, layer)) return missing("layer", layer, layers);
  }
  if (!explicit_pairs.empty()) return explicit_pairs;
  std::vector<AreaPair> pairs;
  for (const std::string& area : areas) {
    if (Contains(layers, area)) {
      pairs.push_back({area, area});
      continue;
    }
    AreaMatch* best = nullptr;
    for (AreaMatch& match : predictivity) {
      if (match.area != area || std::isnan(match.r2)) continue;
      if (best == nullptr || match.r2 > best->r2) best = &match;
    }
    if (best == nullptr) {
      return absl::NotFoundError(absl::StrCat(
          "no layer predicts any neuron of area ", area,
          "; name one in calibrate.matches, such as \"", area, "->", layers.at(0), "\""));
    }
    best->chosen = true;
    pairs.push_back({area, best->layer});
  }
  return pairs;
}

}  // namespace iat
