// One HTML page that opens offline and loads nothing: frame, style, and the script that
// sorts and filters its tables and enlarges its figures.
//
// Without scripting the page says all it has to say; the script only adds controls:
//   tables   every column heading becomes a button that sorts by it (numbers by value,
//            the rest as text, rows without a value last); tables of six rows
//            and more get a field that keeps the rows holding all of its words
//   figures  a button shows the drawing as large as the window; Escape goes back
// A content security policy forbids every request, and every script but this one, which
// it names by its SHA-256.

#ifndef IAT_REPORT_PAGE_H_
#define IAT_REPORT_PAGE_H_

#include <string>

#include "absl/strings/string_view.h"

namespace iat {

// `title` is the window's. Titles are text, `main` is markup: tables with a thead,
// figures whose drawing is a div of class "sheet".
std::string PageHtml(absl::string_view title, absl::string_view heading,
                     absl::string_view subtitle, absl::string_view main);

}  // namespace iat

#endif  // IAT_REPORT_PAGE_H_
