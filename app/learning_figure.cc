#include "app/learning_figure.h"

#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "report/figure1_script.h"
#include "similarity/summary.h"

namespace iat {
namespace {

constexpr uint32_t kSeed = 0x93C4E3, kMean = 0x0072B2;
constexpr uint32_t kUntrained = 0xD55E00, kChance = 0x666666;
constexpr char kUntrainedName[] = "untrained";

using ByEpoch = std::map<int64_t, double>;

// Mean over the epoch's steps.
ByEpoch Loss(const TrainingCurve& curve) {
  std::map<int64_t, std::pair<double, int64_t>> sums;
  int64_t last_step = 0;
  for (const TrainingPoint& point : curve.points) {
    const int64_t steps = point.step - last_step;
    last_step = point.step;
    if (!std::isfinite(point.loss) || steps <= 0) continue;
    auto& [sum, count] = sums[point.epoch];
    sum += point.loss * static_cast<double>(steps);
    count += steps;
  }
  ByEpoch loss;
  for (const auto& [epoch, sum] : sums) {
    loss[epoch] = sum.first / static_cast<double>(sum.second);
  }
  return loss;
}

// In percent.
ByEpoch Accuracy(const TrainingCurve& curve) {
  ByEpoch accuracy;
  for (const TrainingPoint& point : curve.points) {
    if (std::isfinite(point.knn_top1)) accuracy[point.epoch] = 100 * point.knn_top1;
  }
  return accuracy;
}

// One measure of the trained networks.
struct Measure {
  std::map<std::string, ByEpoch> networks;
  std::vector<std::pair<int64_t, Interval>> mean;  // at epochs that all have

  Measure(const TrainingQuality& training, ByEpoch (*read)(const TrainingCurve&)) {
    for (const TrainingCurve& curve : training.curves) {
      if (FamilyOf(curve.animal) == kUntrainedName) continue;
      ByEpoch values = read(curve);
      if (!values.empty()) networks[curve.animal] = std::move(values);
    }
    if (networks.empty()) return;
    for (const auto& [epoch, unused] : networks.begin()->second) {
      std::map<std::string, double> values;
      for (const auto& [name, by_epoch] : networks) {
        const auto place = by_epoch.find(epoch);
        if (place != by_epoch.end()) values[name] = place->second;
      }
      if (values.size() == networks.size()) {
        mean.emplace_back(epoch, JackknifeOverTargets(values));
      }
    }
  }
};

std::map<std::string, double> Untrained(const TrainingQuality& training) {
  std::map<std::string, double> values;
  for (const TrainingCurve& curve : training.curves) {
    if (FamilyOf(curve.animal) != kUntrainedName) continue;
    const ByEpoch accuracy = Accuracy(curve);
    if (!accuracy.empty()) values[curve.animal] = accuracy.rbegin()->second;
  }
  return values;
}

CurvePanel MakePanel(const Measure& measure, const std::string& id,
                     const std::string& heading, const std::string& title) {
  CurvePanel panel;
  panel.id = id;
  panel.heading = heading;
  panel.y_title = title;
  panel.x_title = "epoch";
  panel.log_x = false;
  const bool alone = measure.networks.size() == 1;
  const bool few = measure.mean.size() <= 30;
  for (const auto& [name, by_epoch] : measure.networks) {
    ChartCurve& curve = panel.curves.emplace_back();
    curve.name = name;
    curve.style = {.colour = alone ? kMean : kSeed,
                   .point_type = alone && few ? 7 : 0,
                   .width = alone ? 1.6 : 0.8};
    for (const auto& [epoch, value] : by_epoch) {
      curve.points.push_back({static_cast<double>(epoch), value});
    }
  }
  if (alone || measure.mean.empty()) return panel;
  ChartCurve& curve = panel.curves.emplace_back();
  curve.name = "mean";
  curve.style = {.colour = kMean, .point_type = few ? 7 : 0, .width = 1.8};
  for (const auto& [epoch, interval] : measure.mean) {
    curve.points.push_back(
        {static_cast<double>(epoch), interval.mean, interval.low, interval.high});
  }
  return panel;
}

// From the start of training, where an untrained network is, to the last epoch.
void AddLevel(const std::string& name, const CurveStyle& style, const Interval& level,
              double last_epoch, CurvePanel& panel) {
  panel.curves.push_back({.name = name,
                          .style = style,
                          .points = {{0, level.mean, level.low, level.high},
                                     {last_epoch, level.mean, level.low, level.high}}});
}

std::string Shown(const Interval& interval) {
  if (!std::isfinite(interval.low)) return absl::StrFormat("%.4g", interval.mean);
  return absl::StrFormat("%.4g [%.4g, %.4g]", interval.mean, interval.low, interval.high);
}

std::string Networks(size_t count, const char* kind) {
  return absl::StrCat(count, " ", kind, count == 1 ? " network" : " networks");
}

}  // namespace

std::optional<RunFigure<CurveChart>> MakeLearningFigure(const TrainingQuality& training,
                                                        const FigureFamily& family) {
  const Measure loss(training, Loss), accuracy(training, Accuracy);
  if (loss.networks.empty() && accuracy.networks.empty()) return std::nullopt;
  const std::string loss_name = training.loss_name.empty() ? "loss" : training.loss_name;
  const std::map<std::string, double> untrained = Untrained(training);
  const CurveStyle untrained_style{kUntrained, 0, true, /*dashed=*/true};
  const CurveStyle chance_style{kChance, 0, true, /*dashed=*/true, 0.8};

  RunFigure<CurveChart> figure;
  CurveChart& chart = figure.chart;
  ReportFigure& report = figure.report;
  chart.name = report.id = "learning-curves";
  chart.own_y = true;
  chart.simulated = family.simulated;
  report.title = "Learning curves";
  report.columns = {"measure", "epoch", "mean over networks"};
  const auto add_rows = [&](const std::string& name, const Measure& measure) {
    for (const auto& [epoch, interval] : measure.mean) {
      report.rows.push_back({name, absl::StrCat(epoch), Shown(interval)});
    }
  };
  std::string caption = absl::StrCat(
      family.simulated ? "SIMULATED DATA. " : "", "Learning curves of ",
      Networks(std::max(loss.networks.size(), accuracy.networks.size()), "trained"),
      family.training.empty() ? "" : absl::StrCat(" (", family.training, ")"), ": ");
  bool any_interval = false;
  const auto note_intervals = [&](const Measure& measure) {
    for (const auto& [epoch, interval] : measure.mean) {
      any_interval = any_interval || std::isfinite(interval.low);
    }
  };
  if (!loss.networks.empty()) {
    chart.panels.push_back(MakePanel(loss, "loss", "training", loss_name));
    absl::StrAppend(&caption, loss_name, ", mean over each epoch's steps");
    add_rows(loss_name, loss);
    note_intervals(loss);
  }
  Interval level{NAN, NAN, NAN};
  if (!untrained.empty()) level = JackknifeOverTargets(untrained);
  if (!accuracy.networks.empty()) {
    CurvePanel& panel = chart.panels.emplace_back(
        MakePanel(accuracy, "knn_top1", "held-out images", "kNN top-1 (%)"));
    double last = 0;
    for (const auto& [name, by_epoch] : accuracy.networks) {
      last = std::max(last, static_cast<double>(by_epoch.rbegin()->first));
    }
    if (!untrained.empty()) {
      AddLevel(kUntrainedName, untrained_style, level, last, panel);
    }
    if (std::isfinite(training.knn_chance)) {
      AddLevel("chance", chance_style, {100 * training.knn_chance, NAN, NAN}, last,
               panel);
    }
    absl::StrAppend(&caption, loss.networks.empty() ? "" : "; ",
                    "nearest-neighbour accuracy on ",
                    training.num_knn_images > 0
                        ? absl::StrCat(WithThousands(training.num_knn_images), " ")
                        : "",
                    "labelled images held out of training");
    add_rows("kNN top-1 (%)", accuracy);
    note_intervals(accuracy);
  }
  absl::StrAppend(&caption, ". ");

  const size_t num_networks = std::max(loss.networks.size(), accuracy.networks.size());
  if (num_networks > 1) {
    chart.legend.push_back({.label = "a network",
                            .style = {.colour = kSeed, .point_type = 0, .width = 0.8}});
    chart.legend.push_back(
        {.label = "mean", .style = {.colour = kMean, .point_type = 0, .width = 1.8}});
    absl::StrAppend(&caption, "Thin: each network; thick: their mean. ");
  }
  if (any_interval) {
    chart.legend.push_back(
        {.label = "95 % interval", .style = {.colour = kMean}, .band = true});
    absl::StrAppend(
        &caption,
        "Bands: 95 % intervals over networks, from a jackknife that leaves out one at a "
        "time (t quantile, networks − 1 degrees of freedom). ");
  } else if (num_networks > 1) {
    absl::StrAppend(&caption, "Too few networks for intervals. ");
  }
  if (!accuracy.networks.empty() && !untrained.empty()) {
    chart.legend.push_back({.label = "untrained", .style = untrained_style});
    absl::StrAppend(&caption, "Dashed: ", Networks(untrained.size(), "untrained"), ", ",
                    Shown(level), " %. ");
  }
  if (!accuracy.networks.empty() && std::isfinite(training.knn_chance)) {
    chart.legend.push_back({.label = "chance", .style = chance_style});
    absl::StrAppend(
        &caption, absl::StrFormat("Grey: chance, %.3g %%. ", 100 * training.knn_chance));
  }
  caption.pop_back();
  chart.caption = report.caption = caption;
  chart.num_columns = static_cast<int>(chart.panels.size());
  report.alt = absl::StrCat("Curves of ", loss_name,
                            " and nearest-neighbour accuracy against training epochs, "
                            "one for each network, with their mean.");
  return figure;
}

}  // namespace iat
