#include "report/html.h"

#include "absl/strings/str_replace.h"

namespace iat {

std::string HtmlEscape(absl::string_view text) {
  return absl::StrReplaceAll(
      text,
      {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

}  // namespace iat
