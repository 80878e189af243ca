#include "report/html.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace iat {

std::string HtmlEscape(absl::string_view text) {
  return absl::StrReplaceAll(
      text,
      {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

std::string Scroll(absl::string_view label, absl::string_view inside) {
  return absl::StrCat(
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"",
      HtmlEscape(label), "\">\n", inside, "</div>\n");
}

std::string Details(absl::string_view summary, absl::string_view inside) {
  return absl::StrCat("<details>\n<summary>", HtmlEscape(summary), "</summary>\n", inside,
                      "</details>\n");
}

std::string TableHtml(absl::string_view label, const std::vector<std::string>& columns,
                      const std::vector<std::vector<std::string>>& rows) {
  std::string html =
      absl::StrCat("<table aria-label=\"", HtmlEscape(label), "\">\n<thead><tr>");
  for (const std::string& column : columns) {
    absl::StrAppend(&html, "<th scope=\"col\">", HtmlEscape(column), "</th>");
  }
  absl::StrAppend(&html, "</tr></thead>\n<tbody>\n");
  for (const std::vector<std::string>& row : rows) {
    absl::StrAppend(&html, "<tr><th scope=\"row\">", HtmlEscape(row.front()), "</th>");
    for (size_t i = 1; i < row.size(); ++i) {
      absl::StrAppend(&html, "<td>", HtmlEscape(row[i]), "</td>");
    }
    absl::StrAppend(&html, "</tr>\n");
  }
  return Scroll(label, absl::StrCat(html, "</tbody>\n</table>\n"));
}

}  // namespace iat
