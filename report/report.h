// report.html: one file that opens offline and loads nothing. Figures, findings in
// words, tables, training quality, config, provenance and timings.
//
// Everything is escaped; a content security policy in the page forbids requests and
// every script but its own (report/page.h). Works from 390 px up, in light and dark, and
// with a screen reader. Same data, same bytes, except for what stands in `provenance` and
// `timings`: those sit at the end, between the comments <!-- of this run --> and
// <!-- end of this run -->.
//
// Example:
//   ReportData data{.title = "tiny-imagenet", .figure1 = figure1};
//   IAT_ASSIGN_OR_RETURN(data.figure1_svg, ReadFile(folder / "figures/figure-1.svg"));
//   IAT_RETURN_IF_ERROR(WriteReport(folder / "report.html", data));

#ifndef IAT_REPORT_REPORT_H_
#define IAT_REPORT_REPORT_H_

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "report/figure1.h"
#include "report/report_figure.h"
#include "report/verdict_section.h"

namespace iat {

// "first minus second" at one layer, estimated elsewhere from the same pairs.
struct LayerDifference {
  std::string layer;
  double mean = std::numeric_limits<double>::quiet_NaN();  // NaN: not comparable
  // Both NaN when there is no interval.
  double low = std::numeric_limits<double>::quiet_NaN();
  double high = std::numeric_limits<double>::quiet_NaN();
};

// A question the report answers in one sentence: is `first` above `second`?
struct Contrast {
  std::string family;         // "trained"
  std::string first, second;  // "ridge before the ReLU"
  std::vector<LayerDifference> layers;
};

struct TrainingPoint {
  int64_t step = 0;
  int64_t epoch = 0;  // that the step belongs to, from 1; 0 before training
  double loss = 0;
  // NaN where not measured.
  double knn_top1 = std::numeric_limits<double>::quiet_NaN();
  double embedding_deviation = std::numeric_limits<double>::quiet_NaN();
  double effective_rank = std::numeric_limits<double>::quiet_NaN();
};

struct TrainingCurve {
  std::string animal;
  std::vector<TrainingPoint> points;  // in order of step
  // All images fell on (nearly) one point or line: the scores mean nothing.
  bool collapsed = false;
};

// models/ANIMAL/metrics.csv. `collapsed` stays false: that judgement is the
// trainer's. InvalidArgument naming file, line and column of what does not fit.
absl::StatusOr<TrainingCurve> ReadTrainingCurve(const std::filesystem::path& path,
                                                const std::string& animal);

struct TrainingQuality {
  std::vector<TrainingCurve> curves;
  std::string loss_name;  // "noise-contrastive loss"; empty: "loss"
  // Share of the largest class, or 1 / classes; NaN: no labels.
  double knn_chance = std::numeric_limits<double>::quiet_NaN();
  int64_t num_knn_images = 0;  // held out of training
};

// Numbers without a drawing.
struct ReportTable {
  std::string title;  // heading
  std::string note;   // one paragraph below the heading: what the numbers are
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;  // a cell for each column
};

struct StageTiming {
  std::string stage;   // "train seed-002"
  std::string detail;  // "resumed at step 400", may be empty
  double seconds = 0;
};

struct ReportData {
  std::string title;  // the run's name
  Figure1Data figure1;
  std::string figure1_svg;                 // figures/figure-1.svg as it is
  std::vector<ReportFigure> figures = {};  // after figure 1's tables, in this order
  std::vector<ReportTable> tables = {};    // after the figures
  std::vector<Contrast> contrasts;
  std::vector<ReportVerdict> verdicts = {};  // of the paper's claims, below the summary
  TrainingQuality training;
  std::vector<ReportFigure> training_figures = {};  // below its table
  std::vector<std::string> warnings;                // shown at the top
  std::string config;                               // the resolved TOML
  std::vector<std::pair<std::string, std::string>> provenance;
  std::vector<StageTiming> timings;
};

// One plain sentence: "Trained: A is above B at 5 of 5 layers; the smallest
// difference is 0.040 [0.020, 0.060], at conv3."
std::string ContrastSentence(const Contrast& contrast);

// InvalidArgument: figure1 is not valid; figure1_svg or a figure's svg is not an SVG; an
// id that is no anchor or occurs twice; a row with another number of cells than columns.
absl::StatusOr<std::string> ReportHtml(const ReportData& data);
absl::Status WriteReport(const std::filesystem::path& path, const ReportData& data);

}  // namespace iat

#endif  // IAT_REPORT_REPORT_H_
