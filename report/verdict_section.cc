#include "report/verdict_section.h"

#include "absl/strings/str_cat.h"
#include "report/html.h"

namespace iat {
namespace {

std::string Row(const std::vector<std::string>& cells) {
  std::string html;
  for (size_t i = 0; i < cells.size(); ++i) {
    absl::StrAppend(&html, i == 0 ? "<th scope=\"row\">" : "<td class=\"text\">",
                    HtmlEscape(cells[i]), i == 0 ? "</th>" : "</td>");
  }
  return absl::StrCat("<tr>", html, "</tr>\n");
}

std::string Table(const std::string& label, const std::vector<std::string>& columns,
                  const std::string& rows) {
  std::string head;
  for (const std::string& column : columns) {
    absl::StrAppend(&head, "<th scope=\"col\">", HtmlEscape(column), "</th>");
  }
  return Scroll(label, absl::StrCat("<table aria-label=\"", HtmlEscape(label),
                                    "\">\n<thead><tr>", head, "</tr></thead>\n<tbody>\n",
                                    rows, "</tbody>\n</table>\n"));
}

}  // namespace

std::string VerdictsHtml(const std::vector<ReportVerdict>& verdicts) {
  if (verdicts.empty()) return "";
  std::string claims, cases;
  for (const ReportVerdict& verdict : verdicts) {
    absl::StrAppend(&claims, Row({verdict.claim, verdict.verdict, verdict.reason}));
    for (const ReportVerdictCase& each : verdict.cases) {
      absl::StrAppend(&cases,
                      Row({verdict.claim, each.place, each.verdict, each.evidence}));
    }
  }
  std::string html = absl::StrCat(
      "<h2 id=\"verdicts\">The paper's claims</h2>\n<p class=\"note\">A claim is "
      "supported where every case supports it, not supported where one contradicts it, "
      "and undecided otherwise.</p>\n",
      Table("The paper's claims", {"claim", "verdict", "why"}, claims));
  if (!cases.empty()) {
    absl::StrAppend(
        &html,
        Details("Case by case", Table("Claims case by case",
                                      {"claim", "case", "verdict", "evidence"}, cases)));
  }
  std::string rules;
  for (const ReportVerdict& verdict : verdicts) {
    absl::StrAppend(&rules, Row({verdict.claim, verdict.rule}));
  }
  return absl::StrCat(
      html, Details("Rules and margins", Table("Rules", {"claim", "rule"}, rules)));
}

}  // namespace iat
