// Text inside HTML and SVG.

#ifndef IAT_REPORT_HTML_H_
#define IAT_REPORT_HTML_H_

#include <string>

#include "absl/strings/string_view.h"

namespace iat {

// Safe between tags and inside quoted attributes.
std::string HtmlEscape(absl::string_view text);

}  // namespace iat

#endif  // IAT_REPORT_HTML_H_
