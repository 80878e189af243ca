#include "report/report_figure.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/status.h"
#include "report/html.h"

namespace iat {
namespace {

absl::Status CheckFigure(const ReportFigure& figure, std::set<std::string>& ids) {
  const bool is_anchor =
      !figure.id.empty() && std::all_of(figure.id.begin(), figure.id.end(), [](char c) {
        return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-';
      });
  if (!is_anchor || !ids.insert(figure.id).second) {
    return absl::InvalidArgumentError(
        absl::StrCat("report: a figure's id is \"", figure.id,
                     "\"; expected letters, digits and -, none twice"));
  }
  for (const std::vector<std::string>& row : figure.rows) {
    if (row.size() == figure.columns.size()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("report: ", figure.id, " has a row of ", row.size(),
                     " cells; expected ", figure.columns.size(), ", as it has columns"));
  }
  return absl::OkStatus();
}

std::string FigureTable(const ReportFigure& figure) {
  if (figure.columns.empty()) return "";
  return Details("The numbers drawn",
                 TableHtml(figure.title, figure.columns, figure.rows));
}

}  // namespace

absl::StatusOr<std::string> InlineSvg(const std::string& svg, absl::string_view id,
                                      absl::string_view title, absl::string_view alt,
                                      absl::string_view what) {
  const size_t start = svg.find("<svg");
  if (start == std::string::npos || !absl::StrContains(svg, "</svg>")) {
    return absl::InvalidArgumentError(
        absl::StrCat("report: ", what,
                     " holds no <svg> element; expected the contents of "
                     "figures/",
                     id, ".svg"));
  }
  const std::string label =
      alt.empty() ? absl::StrCat("aria-labelledby=\"", id, "-caption\"")
                  : absl::StrCat("aria-label=\"", HtmlEscape(alt),
                                 "\" aria-describedby=\"", id, "-caption\"");
  // gnuplot names its shapes alike in every drawing; a page must not hold a name twice.
  std::string text = absl::StrReplaceAll(
      svg.substr(start), {{"<svg ", absl::StrCat("<svg role=\"img\" ", label, " ")},
                          {"id='gp", absl::StrCat("id='", id, "-gp")},
                          {"id=\"gp", absl::StrCat("id=\"", id, "-gp")},
                          {"href='#gp", absl::StrCat("href='#", id, "-gp")},
                          {"href=\"#gp", absl::StrCat("href=\"#", id, "-gp")},
                          {"url(#gp", absl::StrCat("url(#", id, "-gp")}});
  // The document's own title, which precedes those of the curves.
  const size_t begin = text.find("<title>"), end = text.find("</title>");
  if (begin != std::string::npos && end != std::string::npos && begin < end) {
    text.replace(begin, end - begin, absl::StrCat("<title>", HtmlEscape(title)));
  }
  return text;
}

absl::Status CheckFigures(const std::vector<ReportFigure>& figures) {
  std::set<std::string> ids = {"figure-1", "summary", "scores", "training", "run"};
  for (const ReportFigure& figure : figures) {
    IAT_RETURN_IF_ERROR(CheckFigure(figure, ids));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> FiguresHtml(const std::vector<ReportFigure>& figures) {
  std::string html;
  for (const ReportFigure& figure : figures) {
    IAT_ASSIGN_OR_RETURN(const std::string svg,
                         InlineSvg(figure.svg, figure.id, figure.title, figure.alt,
                                   absl::StrCat(figure.id, "'s svg")));
    absl::StrAppend(
        &html, "<h2 id=\"", figure.id, "\">", HtmlEscape(figure.title),
        "</h2>\n<figure>\n",
        Scroll(figure.title, absl::StrCat("<div class=\"sheet\">\n", svg, "</div>\n")),
        "<figcaption id=\"", figure.id, "-caption\">", HtmlEscape(figure.caption),
        "</figcaption>\n</figure>\n", FigureTable(figure));
  }
  return html;
}

}  // namespace iat
