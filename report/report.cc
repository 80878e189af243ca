#include "report/report.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/status.h"
#include "report/figure1_script.h"
#include "report/html.h"
#include "report/page.h"

namespace iat {
namespace {

std::string Capitalised(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] -= 'a' - 'A';
  return text;
}

std::vector<const Figure1Panel*> FamiliesOf(const Figure1Data& data) {
  std::vector<const Figure1Panel*> families = {&data.family};
  if (data.companion.has_value()) families.push_back(&*data.companion);
  return families;
}

const Figure1Mark* FindMark(const std::vector<Figure1Mark>& marks,
                            const std::string& layer, const Figure1Series& series) {
  for (const Figure1Mark& mark : marks) {
    if (mark.layer == layer && mark.stage == series.stage &&
        WithoutPermuted(mark.mapping) == series.mapping) {
      return &mark;
    }
  }
  return nullptr;
}

// The series with the highest mean at a layer, -1 where none has one.
int BestSeries(const Figure1Panel& family, const std::string& layer,
               const std::vector<Figure1Series>& choices) {
  int best = -1;
  double best_mean = -std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < choices.size(); ++i) {
    const Figure1Mark* mark = FindMark(family.marks, layer, choices[i]);
    if (mark == nullptr || !(mark->mean > best_mean)) continue;
    best = static_cast<int>(i);
    best_mean = mark->mean;
  }
  return best;
}

// "Trained: of the 5 mappings at this stage, LogisticRidge (soft gate), post-ReLU has
// the highest mean at 4 of 5 layers, ..."; "" where there is no choice.
std::string BestMappingSentence(const Figure1Data& data, const Figure1Panel& family,
                                const std::string& stage) {
  std::vector<Figure1Series> choices;
  for (const Figure1Series& series : Figure1SeriesOf(data)) {
    const bool fitted =
        std::any_of(family.marks.begin(), family.marks.end(), [&](const auto& mark) {
          return mark.stage == series.stage && mark.mapping == series.mapping;
        });
    if (series.stage == stage && fitted) choices.push_back(series);
  }
  if (choices.size() < 2) return "";
  std::vector<int> wins(choices.size(), 0);
  int num_layers = 0;
  for (const std::string& layer : Figure1LayersOf(data)) {
    const int best = BestSeries(family, layer, choices);
    if (best < 0) continue;
    ++wins[best];
    ++num_layers;
  }
  std::vector<std::string> winners;
  for (size_t i = 0; i < choices.size(); ++i) {
    if (wins[i] == 0) continue;
    winners.push_back(absl::StrCat(choices[i].label, " (", wins[i], " of ", num_layers,
                                   num_layers == 1 ? " layer)" : " layers)"));
  }
  if (winners.empty()) return "";
  return absl::StrCat(Capitalised(family.name), ": highest mean of ", choices.size(),
                      " mappings at the same stage: ", absl::StrJoin(winners, ", "), ".");
}

std::vector<std::string> BestMappingSentences(const Figure1Data& data) {
  std::vector<std::string> stages, sentences;
  for (const Figure1Series& series : Figure1SeriesOf(data)) {
    if (std::find(stages.begin(), stages.end(), series.stage) == stages.end()) {
      stages.push_back(series.stage);
    }
  }
  for (const Figure1Panel* family : FamiliesOf(data)) {
    for (const std::string& stage : stages) {
      std::string sentence = BestMappingSentence(data, *family, stage);
      if (!sentence.empty()) sentences.push_back(std::move(sentence));
    }
  }
  return sentences;
}

std::string PermutedSentence(const Figure1Data& data) {
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  for (const Figure1Mark& mark : data.permuted) {
    if (!std::isfinite(mark.mean)) continue;
    low = std::min(low, mark.mean);
    high = std::max(high, mark.mean);
  }
  if (low > high) return "";
  return absl::StrCat(
      "With the target's stimuli permuted, where nothing can be predicted, "
      "means lie between ",
      ShownR2(low), " and ", ShownR2(high), ".");
}

// The last measured value of a column, or NaN.
double Last(const TrainingCurve& curve, double TrainingPoint::*column) {
  for (auto point = curve.points.rbegin(); point != curve.points.rend(); ++point) {
    if (std::isfinite((*point).*column)) return (*point).*column;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

std::string KnnSentence(const TrainingQuality& training) {
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  for (const TrainingCurve& curve : training.curves) {
    const double knn = Last(curve, &TrainingPoint::knn_top1);
    if (!std::isfinite(knn)) continue;
    low = std::min(low, knn);
    high = std::max(high, knn);
  }
  if (low > high) return "";
  return absl::StrCat(
      absl::StrFormat(
          "Nearest neighbours on held-out images are right in %.1f to %.1f %% of "
          "cases at the end of training",
          100 * low, 100 * high),
      std::isfinite(training.knn_chance)
          ? absl::StrFormat(" (chance: %.1f %%).", 100 * training.knn_chance)
          : ".");
}

std::string SummaryHtml(const ReportData& data) {
  std::vector<std::string> sentences;
  for (const Contrast& contrast : data.contrasts) {
    sentences.push_back(ContrastSentence(contrast));
  }
  for (std::string& sentence : BestMappingSentences(data.figure1)) {
    sentences.push_back(std::move(sentence));
  }
  for (std::string sentence :
       {PermutedSentence(data.figure1), KnnSentence(data.training)}) {
    if (!sentence.empty()) sentences.push_back(std::move(sentence));
  }
  for (const ReportFigure& figure : data.figures) {
    sentences.insert(sentences.end(), figure.findings.begin(), figure.findings.end());
  }
  std::string html = "<h2 id=\"summary\">Summary</h2>\n<ul>\n";
  for (const std::string& sentence : sentences) {
    absl::StrAppend(&html, "<li>", HtmlEscape(sentence), "</li>\n");
  }
  return absl::StrCat(html, "</ul>\n");
}

std::string FigureHtml(const Figure1Data& data, absl::string_view svg) {
  return absl::StrCat(
      "<h2 id=\"figure-1\">Figure 1: mappings before and after the ReLU</h2>\n<figure>\n",
      Scroll("Figure 1, all of its values are in the tables below",
             absl::StrCat("<div class=\"sheet\">\n", svg, "</div>\n")),
      "<figcaption id=\"figure-1-caption\">", HtmlEscape(Figure1Caption(data)),
      "</figcaption>\n</figure>\n");
}

std::string Cell(const Figure1Mark* mark) {
  if (mark == nullptr) return "<td>not run</td>";
  std::string cell = absl::StrCat("<td>", ShownR2(mark->mean));
  if (std::isfinite(mark->low)) {
    absl::StrAppend(&cell, "<span class=\"interval\">[", ShownR2(mark->low), ", ",
                    ShownR2(mark->high), "]</span>");
  }
  return absl::StrCat(cell, "</td>");
}

std::string ScoreTable(const Figure1Data& data, const std::string& caption,
                       const std::vector<Figure1Mark>& marks) {
  std::vector<Figure1Series> columns = Figure1SeriesOf(data);
  columns.erase(std::remove_if(columns.begin(), columns.end(),
                               [&](const Figure1Series& series) {
                                 return std::none_of(marks.begin(), marks.end(),
                                                     [&](const Figure1Mark& mark) {
                                                       return FindMark({mark}, mark.layer,
                                                                       series) != nullptr;
                                                     });
                               }),
                columns.end());
  std::string html = absl::StrCat("<table aria-label=\"", HtmlEscape(caption),
                                  "\">\n<thead><tr><th scope=\"col\">layer</th>");
  for (const Figure1Series& series : columns) {
    absl::StrAppend(&html, "<th scope=\"col\">", HtmlEscape(series.label), "</th>");
  }
  absl::StrAppend(&html, "</tr></thead>\n<tbody>\n");
  for (const std::string& layer : Figure1LayersOf(data)) {
    absl::StrAppend(&html, "<tr><th scope=\"row\">", HtmlEscape(layer), "</th>");
    for (const Figure1Series& series : columns) {
      absl::StrAppend(&html, Cell(FindMark(marks, layer, series)));
    }
    absl::StrAppend(&html, "</tr>\n");
  }
  return absl::StrCat("<h3>", HtmlEscape(caption), "</h3>\n",
                      Scroll(caption, absl::StrCat(html, "</tbody>\n</table>\n")));
}

std::string TablesHtml(const Figure1Data& data) {
  std::string html =
      "<h2 id=\"scores\">Scores</h2>\n<p class=\"note\">R²: median over target units, "
      "mean "
      "over splits, mean over unordered pairs; below it the interval over animals where "
      "there are enough of them.</p>\n";
  for (const Figure1Panel* family : FamiliesOf(data)) {
    absl::StrAppend(&html, ScoreTable(data,
                                      absl::StrCat(Capitalised(family->name), ", ",
                                                   family->num_animals, " animals"),
                                      family->marks));
  }
  if (!data.permuted.empty()) {
    absl::StrAppend(&html,
                    ScoreTable(data, "Stimuli of the target permuted", data.permuted));
  }
  return html;
}

std::string Measured(double value, const absl::ParsedFormat<'f'>& format) {
  return std::isfinite(value) ? absl::StrFormat(format, value) : "not measured";
}

std::string TrainingHtml(const TrainingQuality& training) {
  if (training.curves.empty()) return "";
  const std::string loss_name = training.loss_name.empty() ? "loss" : training.loss_name;
  std::string table = absl::StrCat(
      "<table aria-label=\"At the end of training\">\n<thead><tr>",
      "<th scope=\"col\">animal</th><th scope=\"col\">", HtmlEscape(loss_name),
      ", first</th><th scope=\"col\">", HtmlEscape(loss_name),
      ", last</th><th scope=\"col\">kNN top-1</th><th scope=\"col\">embedding "
      "deviation</th><th scope=\"col\">effective rank</th><th "
      "scope=\"col\">collapse</th>",
      "</tr></thead>\n<tbody>\n");
  for (const TrainingCurve& curve : training.curves) {
    const double first = curve.points.empty() ? std::numeric_limits<double>::quiet_NaN()
                                              : curve.points[0].loss;
    const absl::ParsedFormat<'f'> kThree("%.3f"), kOne("%.1f");
    absl::StrAppend(
        &table, "<tr><th scope=\"row\">", HtmlEscape(curve.animal), "</th><td>",
        Measured(first, kThree), "</td><td>",
        Measured(Last(curve, &TrainingPoint::loss), kThree), "</td><td>",
        Measured(Last(curve, &TrainingPoint::knn_top1), kThree), "</td><td>",
        Measured(Last(curve, &TrainingPoint::embedding_deviation), kThree), "</td><td>",
        Measured(Last(curve, &TrainingPoint::effective_rank), kOne), "</td><td>",
        curve.collapsed ? "<strong>collapsed</strong>" : "none seen", "</td></tr>\n");
  }
  return absl::StrCat(
      "<h2 id=\"training\">Training</h2>\n",
      Scroll("Training quality", absl::StrCat(table, "</tbody>\n</table>\n")),
      "<p class=\"note\">Embedding deviation is 1 for embeddings spread evenly over the "
      "sphere and 0 for a single point; effective rank counts the directions in "
      "use.</p>\n");
}

std::string AlertsHtml(const ReportData& data) {
  std::vector<std::string> alerts;
  if (data.figure1.simulated) alerts.push_back("The data in this report are simulated.");
  for (const TrainingCurve& curve : data.training.curves) {
    if (!curve.collapsed) continue;
    alerts.push_back(absl::StrCat(
        "Training of ", curve.animal,
        " collapsed: all images have nearly the same embedding, so its scores say "
        "nothing "
        "about the trained network. Lower the learning rate, warm up longer or train on "
        "more images."));
  }
  alerts.insert(alerts.end(), data.warnings.begin(), data.warnings.end());
  if (alerts.empty()) return "";
  std::string html = "<div class=\"alert\" role=\"note\">\n";
  for (const std::string& alert : alerts) {
    absl::StrAppend(&html, "<p>", HtmlEscape(alert), "</p>\n");
  }
  return absl::StrCat(html, "</div>\n");
}

std::string Duration(double seconds) {
  if (seconds < 60) return absl::StrFormat("%.1f s", seconds);
  const int64_t whole = std::llround(seconds);
  if (whole < 3600) return absl::StrFormat("%d min %02d s", whole / 60, whole % 60);
  return absl::StrFormat("%d h %02d min", whole / 3600, whole / 60 % 60);
}

std::string RunHtml(const ReportData& data) {
  std::string provenance = "<table>\n<tbody>\n";
  for (const auto& [key, value] : data.provenance) {
    absl::StrAppend(&provenance, "<tr><th scope=\"row\">", HtmlEscape(key),
                    "</th><td class=\"text\">", HtmlEscape(value), "</td></tr>\n");
  }
  std::string timings =
      "<table>\n<thead><tr><th scope=\"col\">stage</th><th scope=\"col\">wall time</th>"
      "<th scope=\"col\">remarks</th></tr></thead>\n<tbody>\n";
  for (const StageTiming& timing : data.timings) {
    absl::StrAppend(&timings, "<tr><th scope=\"row\">", HtmlEscape(timing.stage),
                    "</th><td>", Duration(timing.seconds), "</td><td class=\"text\">",
                    HtmlEscape(timing.detail), "</td></tr>\n");
  }
  const absl::string_view end = "</tbody>\n</table>\n";
  return absl::StrCat(
      "<h2 id=\"run\">This run</h2>\n",
      Details("Resolved config",
              Scroll("Resolved config",
                     absl::StrCat("<pre>", HtmlEscape(data.config), "</pre>\n"))),
      "<!-- of this run -->\n",
      Details("Provenance", Scroll("Provenance", absl::StrCat(provenance, end))),
      Details("Timings", Scroll("Timings", absl::StrCat(timings, end))),
      "<!-- end of this run -->\n");
}

std::string FurtherTablesHtml(const std::vector<ReportTable>& tables) {
  std::string html;
  for (const ReportTable& table : tables) {
    absl::StrAppend(&html, "<h2>", HtmlEscape(table.title), "</h2>\n<p class=\"note\">",
                    HtmlEscape(table.note), "</p>\n",
                    TableHtml(table.title, table.columns, table.rows));
  }
  return html;
}

absl::StatusOr<double> Number(const CsvTable& table, size_t row, absl::string_view column,
                              const std::filesystem::path& path) {
  const std::string& cell = table.rows[row][table.Column(column)];
  double value = 0;
  // Not measured is written as nan or left empty.
  if (cell.empty()) return std::numeric_limits<double>::quiet_NaN();
  if (absl::SimpleAtod(cell, &value)) return value;
  return absl::InvalidArgumentError(absl::StrCat(path.string(), ":", row + 2, ": ",
                                                 column, " is \"", cell,
                                                 "\"; expected a number"));
}

}  // namespace

absl::StatusOr<TrainingCurve> ReadTrainingCurve(const std::filesystem::path& path,
                                                const std::string& animal) {
  IAT_ASSIGN_OR_RETURN(const CsvTable table, ReadCsv(path));
  TrainingCurve curve;
  curve.animal = animal;
  curve.points.resize(table.rows.size());
  for (const absl::string_view column :
       {"step", "epoch", "loss", "knn_top1", "embedding_deviation", "effective_rank"}) {
    if (table.Column(column) < 0) {
      return absl::InvalidArgumentError(absl::StrCat(path.string(), ": no column \"",
                                                     column, "\"; it has ",
                                                     absl::StrJoin(table.columns, ", ")));
    }
  }
  for (size_t row = 0; row < table.rows.size(); ++row) {
    TrainingPoint& point = curve.points[row];
    IAT_ASSIGN_OR_RETURN(const double step, Number(table, row, "step", path));
    point.step = static_cast<int64_t>(step);
    IAT_ASSIGN_OR_RETURN(const double epoch, Number(table, row, "epoch", path));
    point.epoch = static_cast<int64_t>(epoch);
    IAT_ASSIGN_OR_RETURN(point.loss, Number(table, row, "loss", path));
    IAT_ASSIGN_OR_RETURN(point.knn_top1, Number(table, row, "knn_top1", path));
    IAT_ASSIGN_OR_RETURN(point.embedding_deviation,
                         Number(table, row, "embedding_deviation", path));
    IAT_ASSIGN_OR_RETURN(point.effective_rank,
                         Number(table, row, "effective_rank", path));
  }
  return curve;
}

std::string ContrastSentence(const Contrast& contrast) {
  std::vector<const LayerDifference*> known;
  std::vector<std::string> not_above, unknown;
  int num_intervals = 0, num_clear = 0;
  for (const LayerDifference& layer : contrast.layers) {
    if (!std::isfinite(layer.mean)) {
      unknown.push_back(layer.layer);
      continue;
    }
    known.push_back(&layer);
    if (layer.mean <= 0) {
      not_above.push_back(absl::StrCat(layer.layer, " (",
                                       ShownR2(layer.mean, layer.low, layer.high), ")"));
    }
    if (std::isfinite(layer.low)) {
      ++num_intervals;
      num_clear += layer.mean > 0 && layer.low > 0;
    }
  }
  const std::string subject =
      absl::StrCat(Capitalised(contrast.family), ": ", contrast.first);
  if (known.empty()) {
    return absl::StrCat(subject, " can't be compared with ", contrast.second,
                        ": no layer has a value for both.");
  }
  const LayerDifference* smallest =
      *std::min_element(known.begin(), known.end(),
                        [](const auto* a, const auto* b) { return a->mean < b->mean; });
  std::string sentence = absl::StrCat(
      subject, " is above ", contrast.second, " at ", known.size() - not_above.size(),
      " of ", known.size(), known.size() == 1 ? " layer" : " layers",
      "; the smallest difference is ",
      ShownR2(smallest->mean, smallest->low, smallest->high), ", at ", smallest->layer);
  if (num_intervals > 0) {
    absl::StrAppend(&sentence, "; the interval lies above 0 at ", num_clear, " of ",
                    num_intervals);
  } else {
    absl::StrAppend(&sentence, "; too few animals for intervals");
  }
  if (!not_above.empty()) {
    absl::StrAppend(&sentence, ". Not above at ", absl::StrJoin(not_above, ", "));
  }
  if (!unknown.empty()) {
    absl::StrAppend(&sentence, ". No value at ", absl::StrJoin(unknown, ", "));
  }
  return absl::StrCat(sentence, ".");
}

absl::StatusOr<std::string> ReportHtml(const ReportData& data) {
  IAT_RETURN_IF_ERROR(ValidateFigure1(data.figure1));
  IAT_ASSIGN_OR_RETURN(
      const std::string svg,
      InlineSvg(data.figure1_svg, "figure-1", "Figure 1", /*alt=*/"", "figure1_svg"));
  std::vector<ReportFigure> all_figures = data.figures;
  all_figures.insert(all_figures.end(), data.training_figures.begin(),
                     data.training_figures.end());
  IAT_RETURN_IF_ERROR(CheckFigures(all_figures));
  IAT_ASSIGN_OR_RETURN(const std::string figures, FiguresHtml(data.figures));
  IAT_ASSIGN_OR_RETURN(const std::string training_figures,
                       FiguresHtml(data.training_figures));
  return PageHtml(
      absl::StrCat(data.title, ": inter-animal transforms"), data.title,
      "Inter-animal transforms: how well one animal's responses map onto another's",
      absl::StrCat(AlertsHtml(data), VerdictsHtml(data.verdicts), SummaryHtml(data),
                   FigureHtml(data.figure1, svg), TablesHtml(data.figure1), figures,
                   FurtherTablesHtml(data.tables), TrainingHtml(data.training),
                   training_figures, RunHtml(data)));
}

absl::Status WriteReport(const std::filesystem::path& path, const ReportData& data) {
  IAT_ASSIGN_OR_RETURN(const std::string html, ReportHtml(data));
  return WriteFileAtomically(path, html);
}

}  // namespace iat
