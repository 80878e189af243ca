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

}  // namespace iat
