#include "report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/file.h"
#include "base/hex.h"
#include "report/html.h"
#include "tests/report/markup_check.h"
#include "tests/report/report_fixture.h"
#include "tests/report/temporary_folder.h"

namespace iat {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Html(const ReportData& data) {
  const auto html = ReportHtml(data);
  EXPECT_TRUE(html.ok()) << html.status();
  return html.value_or("");
}

TEST(HtmlEscapeTest, LeavesNothingThatMarkupReads) {
  EXPECT_EQ(HtmlEscape("<a href=\"x\">R² & 'b'</a>"),
            "&lt;a href=&quot;x&quot;&gt;R² &amp; &#39;b&#39;&lt;/a&gt;");
}

TEST(ContrastTest, SaysWhereAndByHowMuch) {
  const Contrast contrast{.family = "trained",
                          .first = "ridge before the ReLU",
                          .second = "ridge after it",
                          .layers = {{"conv1", 0.043, 0.02, 0.06},
                                     {"conv2", 0.167, 0.1, 0.2},
                                     {"conv3", 0.04, -0.01, 0.09}}};
  EXPECT_EQ(
      ContrastSentence(contrast),
      "Trained: ridge before the ReLU is above ridge after it at 3 of 3 layers; the "
      "smallest difference is 0.040 [−0.010, 0.090], at conv3; the interval lies above "
      "0 at 2 of 3.");
}

TEST(ContrastTest, SaysWhereNotAndWhatIsMissing) {
  const Contrast contrast{.family = "untrained",
                          .first = "LogisticRidge",
                          .second = "ridge",
                          .layers = {{"conv1", -0.012, NAN, NAN},
                                     {"conv2", 0.0, NAN, NAN},
                                     {"conv3", 0.01, NAN, NAN},
                                     {"conv4", NAN, NAN, NAN}}};
  EXPECT_EQ(ContrastSentence(contrast),
            "Untrained: LogisticRidge is above ridge at 1 of 3 layers; the smallest "
            "difference is −0.012, at conv1; too few animals for intervals. Not above at "
            "conv1 (−0.012), conv2 (0.000). No value at conv4.");
}

TEST(ContrastTest, WithoutAnyValueItSaysSo) {
  EXPECT_EQ(ContrastSentence({.family = "trained",
                              .first = "a",
                              .second = "b",
                              .layers = {{"conv1", NAN, NAN, NAN}}}),
            "Trained: a can't be compared with b: no layer has a value for both.");
}

TEST(ReportTest, IsOneWellFormedPageThatLoadsNothing) {
  const std::string html = Html(MadeUpReport());
  EXPECT_EQ(MarkupProblem(html), "");
  EXPECT_THAT(html, HasSubstr("content=\"default-src 'none'; style-src 'unsafe-inline'"));
  for (const std::string loader :
       {" src=", "@import", "url(", "http:", "https:", "<img", "<iframe", "fetch("}) {
    EXPECT_THAT(html, Not(HasSubstr(loader)));
  }
  // The one script there is, is the one that the policy allows.
  const size_t begin = html.find("<script>") + 8, end = html.find("</script>");
  ASSERT_LT(begin, end);
  EXPECT_EQ(html.find("<script", begin), std::string::npos);
  EXPECT_THAT(
      html, HasSubstr(absl::StrCat(
                "script-src 'sha256-",
                absl::Base64Escape(BytesFromHex(Sha256(html.substr(begin, end - begin)))),
                "'\"")));
}

TEST(ReportTest, TheTableHoldsTheScores) {
  const std::string html = Html(MadeUpReport());
  EXPECT_THAT(html,
              HasSubstr("<tr><th scope=\"row\">conv2</th><td>0.970<span "
                        "class=\"interval\">[0.961, 0.977]</span></td><td>0.803<span"));
  ReportData data = MadeUpReport();
  data.figure1.family.marks[0].mean = NAN;
  data.figure1.family.marks[0].low = data.figure1.family.marks[0].high = NAN;
  data.figure1.family.marks.erase(data.figure1.family.marks.begin() + 1);
  EXPECT_THAT(Html(data),
              HasSubstr("<tr><th scope=\"row\">conv1</th><td>no value</td><td>not "
                        "run</td><td>0.956"));
}

TEST(ReportTest, TheSummaryIsComputedFromTheNumbers) {
  ReportData data = MadeUpReport();
  EXPECT_THAT(
      Html(data),
      AllOf(HasSubstr("<li>Trained: highest mean of 5 mappings at the same stage: "
                      "LogisticRidge (soft gate), post-ReLU (5 of 5 layers).</li>"),
            HasSubstr("means lie between −0.006 and 0.000."),
            HasSubstr(
                "right in 28.6 to 31.6 % of cases at the end of training (chance: 10.0 "
                "%).")));
  // conv1's clamped ridge overtakes.
  Figure1Mark& clamped = data.figure1.family.marks[2];
  clamped.mean = clamped.low = clamped.high = 0.99;
  EXPECT_THAT(Html(data),
              HasSubstr("clamped ridge, post-ReLU (1 of 5 layers), LogisticRidge "
                        "(soft gate), post-ReLU (4 of 5 layers)."));
}

TEST(ReportTest, WarnsOfCollapseAndSimulation) {
  ReportData data = MadeUpReport();
  data.figure1.simulated = true;
  data.warnings.push_back("LogisticRidge was fitted on 2 of 10 splits.");
  EXPECT_THAT(Html(data),
              AllOf(HasSubstr("<p>The data in this report are simulated.</p>"),
                    HasSubstr("<p>Training of seed-003 collapsed: "),
                    HasSubstr("<p>LogisticRidge was fitted on 2 of 10 splits.</p>"),
                    HasSubstr("<strong>collapsed</strong>")));
  data = MadeUpReport();
  data.training.curves[3].collapsed = false;
  EXPECT_THAT(Html(data), Not(HasSubstr("role=\"note\"")));
}

TEST(ReportTest, EscapesEverythingItIsGiven) {
  const std::string nasty = "</pre><script>alert('x')</script>&";
  ReportData data = MadeUpReport();
  data.title = nasty;
  data.config = nasty;
  data.warnings = {nasty};
  data.provenance = {{nasty, nasty}};
  data.timings = {{nasty, nasty, 1}};
  data.training.loss_name = nasty;
  data.training.curves[0].animal = nasty;
  data.contrasts[0].first = nasty;
  data.figure1.family.training = nasty;
  data.figure1.stimuli = nasty;
  for (Figure1Mark& mark : data.figure1.family.marks) {
    if (mark.layer == "conv1") mark.layer = "<script>";
    if (mark.mapping == "ridge" && mark.stage == "pre_relu") mark.label = nasty;
  }
  const std::string html = Html(data);
  EXPECT_THAT(html, Not(HasSubstr("alert('x')")));
  EXPECT_EQ(html.find("<script"), html.rfind("<script"));
  EXPECT_EQ(MarkupProblem(html), "");
}

TEST(ReportTest, OnlyTheBlockOfThisRunMayDiffer) {
  ReportData data = MadeUpReport();
  const std::string first = Html(data);
  EXPECT_EQ(first, Html(data));
  data.provenance = {{"host", "other"}};
  data.timings = {{"train seed-000", "resumed", 10.0}};
  const std::string second = Html(data);
  EXPECT_NE(first, second);
  const auto without_block = [](std::string html) {
    const size_t start = html.find("<!-- of this run -->");
    const size_t end = html.find("<!-- end of this run -->");
    EXPECT_LT(start, end);
    return html.erase(start, end - start);
  };
  EXPECT_EQ(without_block(first), without_block(second));
}

TEST(ReportTest, WritesDurationsAsPeopleSayThem) {
  ReportData data = MadeUpReport();
  data.timings = {{"a", "", 1.25}, {"b", "", 93.4}, {"c", "", 4000}};
  EXPECT_THAT(Html(data),
              AllOf(HasSubstr("<td>1.2 s</td>"), HasSubstr("<td>1 min 33 s</td>"),
                    HasSubstr("<td>1 h 06 min</td>")));
}

TEST(ReportTest, WithoutTrainingItHasNoTrainingPart) {
  ReportData data = MadeUpReport();
  data.training.curves.clear();
  EXPECT_THAT(Html(data),
              AllOf(Not(HasSubstr("id=\"training\"")), Not(HasSubstr("chance"))));
}

ReportFigure SmallFigure(const std::string& id) {
  return {.id = id,
          .title = "Figure 2: R² & size",
          .svg =
              "<?xml version=\"1.0\"?>\n<svg \n viewBox=\"0 0 9 9\"><title>Gnuplot"
              "</title><defs><circle id='gpDot' r='1'/></defs><use "
              "xlink:href='#gpDot'/></svg>\n",
          .caption = "R² < 1.",
          .findings = {"It rises & saturates."},
          .columns = {"layer", "R²"},
          .rows = {{"conv1", "0.9"}, {"<conv2>", "no value"}}};
}

TEST(ReportTest, ShowsFurtherFiguresWithTheirNumbers) {
  ReportData data = MadeUpReport();
  data.figures = {SmallFigure("figure-2"), SmallFigure("figure-3")};
  const std::string html = Html(data);
  EXPECT_EQ(MarkupProblem(html), "");
  EXPECT_THAT(
      html,
      AllOf(HasSubstr("<h2 id=\"figure-2\">Figure 2: R² &amp; size</h2>"),
            HasSubstr("<figcaption id=\"figure-2-caption\">R² &lt; 1.</figcaption>"),
            HasSubstr("aria-labelledby=\"figure-2-caption\""),
            HasSubstr("<title>Figure 2: R² &amp; size</title>"),
            HasSubstr("<li>It rises &amp; saturates.</li>"),
            HasSubstr("<th scope=\"row\">&lt;conv2&gt;</th><td>no value</td>")));
  EXPECT_THAT(html, Not(HasSubstr("aria-describedby")));
  // Two drawings that name their shapes alike do not clash.
  EXPECT_THAT(
      html, AllOf(HasSubstr("id='figure-2-gpDot'"),
                  HasSubstr("xlink:href='#figure-3-gpDot'"), Not(HasSubstr("'gpDot'"))));
}

TEST(ReportTest, ADescriptionIsADrawingsNameAndItsCaptionDescribesIt) {
  ReportData data = MadeUpReport();
  data.figures = {SmallFigure("figure-2")};
  data.figures[0].alt = "Curves that rise & \"saturate\".";
  EXPECT_THAT(Html(data),
              HasSubstr("<svg role=\"img\" aria-label=\"Curves that rise &amp; "
                        "&quot;saturate&quot;.\" aria-describedby=\"figure-2-caption\""));
}

TEST(ReportTest, FiguresOfTrainingFollowItsTable) {
  ReportData data = MadeUpReport();
  data.training_figures = {SmallFigure("learning-curves")};
  const std::string html = Html(data);
  EXPECT_EQ(MarkupProblem(html), "");
  const size_t training = html.find("<h2 id=\"training\">");
  const size_t table = html.find("aria-label=\"At the end of training\"", training);
  const size_t figure = html.find("<h2 id=\"learning-curves\">", table);
  ASSERT_NE(figure, std::string::npos);
  EXPECT_LT(figure, html.find("<h2 id=\"run\">"));
}

TEST(ReportTest, RefusesFiguresThatDoNotFit) {
  const auto message = [](const std::vector<ReportFigure>& figures) {
    ReportData data = MadeUpReport();
    data.figures = figures;
    return std::string(ReportHtml(data).status().message());
  };
  EXPECT_EQ(message({SmallFigure("figure-2"), SmallFigure("figure-2")}),
            "report: a figure's id is \"figure-2\"; expected letters, digits and -, none "
            "twice");
  ReportData twice = MadeUpReport();
  twice.figures = twice.training_figures = {SmallFigure("figure-2")};
  EXPECT_THAT(ReportHtml(twice).status().message(),
              HasSubstr("a figure's id is \"figure-2\""));
  EXPECT_THAT(message({SmallFigure("a\"b")}), HasSubstr("a figure's id is \"a\"b\""));
  ReportFigure figure = SmallFigure("figure-2");
  figure.rows[1].pop_back();
  EXPECT_EQ(message({figure}),
            "report: figure-2 has a row of 1 cells; expected 2, as it has columns");
  figure = SmallFigure("figure-2");
  figure.svg = "";
  EXPECT_THAT(message({figure}),
              HasSubstr("figure-2's svg holds no <svg> element; "
                        "expected the contents of figures/figure-2.svg"));
}

TEST(ReportTest, RefusesWhatIsNoFigure) {
  ReportData data = MadeUpReport();
  data.figure1_svg = "%PDF-1.5";
  EXPECT_THAT(ReportHtml(data).status().message(),
              HasSubstr("figure1_svg holds no <svg> element; expected the contents of "
                        "figures/figure-1.svg"));
  data = MadeUpReport();
  data.figure1.family.marks.clear();
  EXPECT_EQ(ReportHtml(data).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ReportTest, HoldsTheRealDrawing) {
  const TemporaryFolder folder;
  ReportData data = MadeUpReport();
  ASSERT_TRUE(DrawFigure1(data.figure1, folder.path(), {}).ok());
  data.figure1_svg = ReadFile(folder.path() / "figure-1.svg").value();
  ASSERT_TRUE(WriteReport(folder.path() / "report.html", data).ok());
  const std::string html = ReadFile(folder.path() / "report.html").value();
  EXPECT_EQ(MarkupProblem(html), "");
  EXPECT_THAT(html,
              AllOf(HasSubstr("<svg role=\"img\" aria-labelledby=\"figure-1-caption\""),
                    HasSubstr("<title>Figure 1</title>"),
                    HasSubstr(">LogisticRidge (soft gate), post-ReLU<"),
                    Not(HasSubstr("<?xml"))));
}

class TrainingCurveTest : public ::testing::Test {
 protected:
  absl::StatusOr<TrainingCurve> Read(const std::string& text) {
    std::ofstream(folder_.path() / "metrics.csv") << text;
    return ReadTrainingCurve(folder_.path() / "metrics.csv", "seed-002");
  }
  TemporaryFolder folder_;
};

TEST_F(TrainingCurveTest, ReadsWhatTheTrainerWrites) {
  const auto curve = Read(
      "step,epoch,loss,learning_rate,images_per_second,knn_top1,embedding_deviation,"
      "effective_rank\n20,1,4.5,0.06,150,,0.9,31\n40,1,4.25,0.06,150,0.125,nan,30.5\n");
  ASSERT_TRUE(curve.ok()) << curve.status();
  EXPECT_EQ(curve->animal, "seed-002");
  ASSERT_EQ(curve->points.size(), 2u);
  EXPECT_EQ(curve->points[0].step, 20);
  EXPECT_EQ(curve->points[1].epoch, 1);
  EXPECT_EQ(curve->points[0].loss, 4.5);
  EXPECT_TRUE(std::isnan(curve->points[0].knn_top1));
  EXPECT_EQ(curve->points[1].knn_top1, 0.125);
  EXPECT_TRUE(std::isnan(curve->points[1].embedding_deviation));
  EXPECT_EQ(curve->points[1].effective_rank, 30.5);
}

TEST_F(TrainingCurveTest, NamesFileLineAndColumnOfWhatDoesNotFit) {
  EXPECT_THAT(Read("step,epoch,loss\n1,1,2\n").status().message(),
              HasSubstr("metrics.csv: no column \"knn_top1\"; it has step, epoch, loss"));
  EXPECT_THAT(Read("step,epoch,loss,knn_top1,embedding_deviation,effective_rank\n"
                   "1,1,2,3,4,5\n2,1,high,3,4,5\n")
                  .status()
                  .message(),
              HasSubstr("metrics.csv:3: loss is \"high\"; expected a number"));
  EXPECT_EQ(ReadTrainingCurve(folder_.path() / "absent.csv", "a").status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace iat
