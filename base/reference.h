// The config reference as Markdown, written from the options structs themselves: what
// a reader of configs accepts is what the page lists.
//
// Example:
//   RunOptions run;                                    // with its defaults
//   ReferencePage page;
//   page.AddTable("run", "name and place of the run", [&](OptionVisitor& visitor) {
//     run.Describe(visitor);
//   });
//   page.markdown();         // a heading and one row a key, nested tables after it
//   page.keys();             // "run.name", "run.out"

#ifndef IAT_BASE_REFERENCE_H_
#define IAT_BASE_REFERENCE_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/options.h"

namespace iat {

class ReferencePage {
 public:
  // "## [name]", `doc` below it, then the keys that `describe` visits.
  void AddTable(absl::string_view name, absl::string_view doc,
                const std::function<void(OptionVisitor&)>& describe);

  const std::string& markdown() const { return markdown_; }
  // Every key in the order of the page: "training.simclr.temperature".
  const std::vector<std::string>& keys() const { return keys_; }
  // Those without a word of explanation, tables included.
  const std::vector<std::string>& undocumented() const { return undocumented_; }

 private:
  std::string markdown_;
  std::vector<std::string> keys_, undocumented_;
};

// Text inside a cell of a Markdown table: | and line breaks do not end it.
std::string MarkdownCell(absl::string_view text);

}  // namespace iat

#endif  // IAT_BASE_REFERENCE_H_
