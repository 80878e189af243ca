#include "app/command_pages.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "base/reference.h"

namespace iat {
namespace {

// --help is the same everywhere: said once, at the top.
bool IsHelp(const CommandOption& option) {
  return !option.positional && absl::StrContains(option.names.back(), "--help");
}

std::string ValueText(const CommandOption& option) {
  if (!option.takes_value) return "";
  return option.choices.empty() ? option.value_name : absl::StrJoin(option.choices, "|");
}

// "--set TEXT ..., default 4".
std::string OptionHead(const CommandOption& option) {
  std::string head = absl::StrJoin(option.names, ", ");
  if (option.positional) return head + (option.repeats ? " ..." : "");
  const std::string value = ValueText(option);
  if (!value.empty()) absl::StrAppend(&head, " ", value);
  return head;
}

std::string OptionDoc(const CommandOption& option) {
  std::string doc = option.doc;
  if (!option.default_text.empty()) {
    absl::StrAppend(&doc, doc.empty() ? "" : " ", "(default: ", option.default_text, ")");
  }
  if (option.required && !option.positional) {
    absl::StrAppend(&doc, doc.empty() ? "" : "; ", "required");
  }
  return doc;
}

// troff reads a leading . or ' as a request and \ as an escape; an unescaped - may
// become a hyphen that can't be pasted into a shell.
std::string Roff(absl::string_view text) {
  std::string escaped =
      absl::StrReplaceAll(text, {{"\\", "\\e"}, {"-", "\\-"}, {"\n.", "\n\\&."}});
  if (!escaped.empty() && (escaped[0] == '.' || escaped[0] == '\'')) {
    escaped = "\\&" + escaped;
  }
  return escaped;
}

void AppendManOptions(const CommandNode& command, bool help_too, std::string& page) {
  for (const CommandOption& option : command.options) {
    if (IsHelp(option) && !help_too) continue;
    absl::StrAppend(&page, ".TP\n.B ", Roff(OptionHead(option)), "\n",
                    Roff(OptionDoc(option)), "\n");
  }
}

}  // namespace

std::string UsageOf(const CommandNode& command) {
  std::string usage = command.path;
  bool optional = false;
  for (const CommandOption& option : command.options) {
    if (IsHelp(option)) continue;
    if (!option.required) {
      optional = optional || !option.positional;
      if (option.positional) absl::StrAppend(&usage, " [", option.names[0], "]");
      continue;
    }
    absl::StrAppend(&usage, " ", OptionHead(option));
  }
  if (optional) absl::StrAppend(&usage, " [OPTIONS]");
  if (!command.commands.empty()) absl::StrAppend(&usage, " COMMAND");
  return usage;
}

std::string ManPage(const CommandNode& root, const std::string& version) {
  std::string page = absl::StrCat(
      ".\\\" Written by: iat man\n.TH IAT 1 \"\" \"iat ", Roff(version),
      "\" \"User commands\"\n.SH NAME\niat \\- ",
      Roff(absl::StripPrefix(root.doc, "iat: ")),
      "\n.SH SYNOPSIS\n.B iat\n.I COMMAND\n[\\fIOPTIONS\\fR]\n.SH OPTIONS\n");
  AppendManOptions(root, /*help_too=*/true, page);
  absl::StrAppend(&page, ".SH COMMANDS\n");
  for (const CommandNode* command : Flatten(root)) {
    if (command == &root) continue;
    absl::StrAppend(&page, ".SS ", Roff(UsageOf(*command)), "\n", Roff(command->doc),
                    "\n");
    AppendManOptions(*command, /*help_too=*/false, page);
    if (command->examples.empty()) continue;
    absl::StrAppend(&page, ".PP\nExamples:\n.PP\n.nf\n.RS 4\n");
    for (const std::string& example : command->examples) {
      absl::StrAppend(&page, Roff(example), "\n");
    }
    absl::StrAppend(&page, ".RE\n.fi\n");
  }
  absl::StrAppend(
      &page, ".SH EXIT STATUS\n",
      ".TP\n.B 0\ndone\n.TP\n.B 1\nfailed\n.TP\n.B 2\nbad usage or config\n",
      ".TP\n.B 130\ninterrupted; the same command goes on where it was\n",
      ".SH ENVIRONMENT\n.TP\n.B NO_COLOR\nno colours, whatever the terminal can do\n",
      ".TP\n.B OMP_NUM_THREADS\nthreads of the arithmetic outside worker processes\n",
      ".TP\n.I others\nare expanded in paths of a config: ${IAT_DATA}/images\n",
      ".SH FILES\n.TP\n.I runs/NAME\n",
      "a run folder: config, models, activations, scores, figures, report.html\n",
      ".SH SEE ALSO\nThe config keys: iat reference config.\n");
  return page;
}

std::string CommandsMarkdown(const CommandNode& root) {
  std::string text =
      "# Commands\n\n"
      "Written by `iat reference commands` from what the program itself parses; "
      "`iat COMMAND --help` and `man iat` say the same. Exit codes: 0 done, 1 failed, 2 "
      "bad usage or config, 130 interrupted.\n";
  for (const CommandNode* command : Flatten(root)) {
    if (command == &root) continue;
    absl::StrAppend(&text, "\n## ", command->path, "\n\n", command->doc, "\n\n    ",
                    UsageOf(*command), "\n");
    std::string rows;
    for (const CommandOption& option : command->options) {
      if (IsHelp(option)) continue;
      absl::StrAppend(&rows, "| `", MarkdownCell(OptionHead(option)), "` | ",
                      MarkdownCell(OptionDoc(option)), " |\n");
    }
    if (!rows.empty()) {
      absl::StrAppend(&text, "\n| option | meaning |\n| --- | --- |\n", rows);
    }
    if (!command->examples.empty()) {
      absl::StrAppend(&text, "\n```sh\n", absl::StrJoin(command->examples, "\n"),
                      "\n```\n");
    }
  }
  return text;
}

}  // namespace iat
