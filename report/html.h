// Text inside HTML and SVG.

#ifndef IAT_REPORT_HTML_H_
#define IAT_REPORT_HTML_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace iat {

// Safe between tags and inside quoted attributes.
std::string HtmlEscape(absl::string_view text);

// Markup that is wider than a page, in a region that scrolls by itself and that a
// keyboard reaches. `label` is text, `inside` markup.
std::string Scroll(absl::string_view label, absl::string_view inside);
// Markup folded up behind one line of text.
std::string Details(absl::string_view summary, absl::string_view inside);
// A table of text that scrolls by itself. Every row has a cell for each column; the first
// is its heading.
std::string TableHtml(absl::string_view label, const std::vector<std::string>& columns,
                      const std::vector<std::vector<std::string>>& rows);

}  // namespace iat

#endif  // IAT_REPORT_HTML_H_
