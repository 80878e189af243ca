// Is a text well-formed markup? Tags nest and close, attributes are quoted, and
// every & starts an entity. Enough of XML, and of the HTML that we write, to tell
// broken escaping from whole.

#ifndef IAT_TESTS_REPORT_MARKUP_CHECK_H_
#define IAT_TESTS_REPORT_MARKUP_CHECK_H_

#include <cctype>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace iat {

inline std::string TextProblem(absl::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '&') continue;
    size_t end = i + 1;
    while (end < text.size() &&
           (std::isalnum(static_cast<unsigned char>(text[end])) || text[end] == '#')) {
      ++end;
    }
    if (end == i + 1 || end == text.size() || text[end] != ';') return "a bare &";
  }
  return "";
}

// "" when well-formed, otherwise what is wrong. HTML's elements without an end tag
// are known, and the contents of <style> and
// <script> are not looked at.
inline std::string MarkupProblem(absl::string_view text) {
  static const std::set<std::string> kVoid = {"meta", "link", "br"};
  std::vector<std::string> open;
  while (!text.empty()) {
    const bool raw = !open.empty() && (open.back() == "style" || open.back() == "script");
    const size_t start =
        raw ? text.find(absl::StrCat("</", open.back())) : text.find('<');
    if (start == absl::string_view::npos) return raw ? "no end of it" : TextProblem(text);
    if (!raw) {
      if (std::string problem = TextProblem(text.substr(0, start)); !problem.empty()) {
        return absl::StrCat(problem, ": ", text.substr(0, start));
      }
    }
    text.remove_prefix(start);
    if (absl::StartsWith(text, "<!--") || absl::StartsWith(text, "<!DOCTYPE") ||
        absl::StartsWith(text, "<?")) {
      const absl::string_view end = absl::StartsWith(text, "<!--") ? "-->" : ">";
      const size_t place = text.find(end);
      if (place == absl::string_view::npos) return "an open comment or declaration";
      text.remove_prefix(place + end.size());
      continue;
    }
    size_t end = 1;
    char quote = 0;
    while (end < text.size() && (quote != 0 || text[end] != '>')) {
      const char c = text[end++];
      if (c == '<') return absl::StrCat("a < inside a tag: ", text.substr(0, end));
      if (quote == 0 && (c == '"' || c == '\'')) {
        quote = c;
      } else if (c == quote) {
        quote = 0;
      }
    }
    if (end == text.size()) return absl::StrCat("an open tag: ", text.substr(0, 40));
    const absl::string_view tag = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    const bool closing = absl::StartsWith(tag, "/");
    const absl::string_view rest = tag.substr(closing ? 1 : 0);
    const std::string name(rest.substr(0, rest.find_first_of(" \n\t/")));
    if (closing) {
      if (open.empty() || open.back() != name) {
        return absl::StrCat("</", name, "> closes ",
                            open.empty() ? "nothing" : open.back());
      }
      open.pop_back();
    } else if (!absl::EndsWith(tag, "/") && kVoid.count(name) == 0) {
      open.push_back(name);
    }
  }
  return open.empty() ? "" : absl::StrCat("<", open.back(), "> is never closed");
}

}  // namespace iat

#endif  // IAT_TESTS_REPORT_MARKUP_CHECK_H_
