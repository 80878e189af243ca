#include "app/shell_completion.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"

namespace iat {
namespace {

// "images pack": the path without the program's name; "" for the program.
std::string Below(const CommandNode& command) {
  const size_t space = command.path.find(' ');
  return space == std::string::npos ? "" : command.path.substr(space + 1);
}

// What a bare word can be: a command, or an argument of few possible values.
std::string Words(const CommandNode& command) {
  std::vector<std::string> names;
  for (const CommandNode& inner : command.commands) names.push_back(inner.name);
  for (const CommandOption& option : command.options) {
    if (!option.positional) continue;
    names.insert(names.end(), option.choices.begin(), option.choices.end());
  }
  return absl::StrJoin(names, " ");
}

std::string OptionNames(const CommandNode& command) {
  std::vector<std::string> names;
  for (const CommandOption& option : command.options) {
    if (option.positional) continue;
    names.insert(names.end(), option.names.begin(), option.names.end());
  }
  return absl::StrJoin(names, " ");
}

bool TakesConfigKey(const CommandOption& option) {
  return !option.positional && option.names.back() == "--set";
}

// Inside '...' of any of the three shells' scripts (fish needs its own, below).
std::string SingleQuoted(absl::string_view text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

std::string FishQuoted(absl::string_view text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"'", "\\'"}}),
                      "'");
}

// Text of a specification of zsh's _arguments or _describe.
std::string ZshText(absl::string_view text) {
  return absl::StrReplaceAll(text,
                             {{"\\", "\\\\"}, {"[", "\\["}, {"]", "\\]"}, {":", "\\:"}});
}

std::string ZshFunction(const CommandNode& command) {
  return absl::StrCat("_", absl::StrReplaceAll(command.path, {{" ", "_"}, {"-", "_"}}));
}

std::string ZshAction(const CommandOption& option) {
  if (TakesConfigKey(option)) return "_iat_config_keys";
  if (!option.choices.empty()) {
    return absl::StrCat("(", absl::StrJoin(option.choices, " "), ")");
  }
  return option.value_name == "TEXT" ? "_files" : " ";
}

std::string ZshOption(const CommandOption& option, const std::string& name) {
  const std::string value =
      option.takes_value
          ? absl::StrCat(":", ZshText(absl::AsciiStrToLower(option.value_name)), ":",
                         ZshAction(option))
          : "";
  if (option.positional) {
    return absl::StrCat(option.repeats    ? "*"
                        : option.required ? ""
                                          : ":",
                        ":", ZshText(name), ":", ZshAction(option));
  }
  // --set may come again and again.
  return absl::StrCat(option.repeats ? "*" : "", name, "[", ZshText(option.doc), "]",
                      value);
}

}  // namespace

std::string BashCompletion(const CommandNode& root,
                           const std::vector<std::string>& config_keys) {
  std::string paths, values, names;
  for (const CommandNode* command : Flatten(root)) {
    const std::string below = Below(*command);
    if (command != &root) {
      absl::StrAppend(&paths, paths.empty() ? "" : "|", "\"", below, "\"");
    }
    for (const CommandOption& option : command->options) {
      if (option.positional || !option.takes_value) continue;
      for (const std::string& name : option.names) {
        absl::StrAppend(
            &values, "    \"", below, " ", name, "\")\n",
            TakesConfigKey(option)
                ? "      compopt -o nospace 2>/dev/null\n"
                  "      mapfile -t COMPREPLY < <(compgen -S = -W \"$keys\" -- "
                  "\"$current\")\n"
            : option.choices.empty()
                ? ""
                : absl::StrCat("      mapfile -t COMPREPLY < <(compgen -W ",
                               SingleQuoted(absl::StrJoin(option.choices, " ")),
                               " -- \"$current\")\n"),
            "      return ;;\n");
      }
    }
    absl::StrAppend(&names, "    \"", below,
                    "\")\n      words=", SingleQuoted(Words(*command)),
                    "\n      options=", SingleQuoted(OptionNames(*command)), " ;;\n");
  }
  return absl::StrCat(
      "# bash completion of iat, written by: iat completion bash\n\n", "_iat() {\n",
      "  local current=${COMP_WORDS[COMP_CWORD]}\n",
      "  local previous=${COMP_WORDS[COMP_CWORD - 1]}\n",
      "  local command='' words='' options='' keys word\n",
      "  keys=", SingleQuoted(absl::StrJoin(config_keys, " ")), "\n  COMPREPLY=()\n",
      "  # Which command this is: the longest of its words that name one.\n",
      "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n",
      "    case \"${command:+$command }$word\" in\n      ", paths,
      ")\n        command=\"${command:+$command }$word\" ;;\n    esac\n  done\n",
      "  # Nothing in COMPREPLY: file names.\n", "  case \"$command $previous\" in\n",
      values, "  esac\n", "  case \"$command\" in\n", names, "  esac\n",
      "  if [[ $current == -* ]]; then\n",
      "    mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$current\")\n",
      "  elif [[ -n $words ]]; then\n",
      "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n",
      "  fi\n}\n", "complete -o bashdefault -o default -F _iat iat\n");
}

std::string ZshCompletion(const CommandNode& root,
                          const std::vector<std::string>& config_keys) {
  std::string text = absl::StrCat(
      "#compdef iat\n# zsh completion of iat, written by: iat completion zsh\n\n",
      "_iat_config_keys() {\n  local -a keys=(", absl::StrJoin(config_keys, " "),
      ")\n  compadd -S = -a keys\n}\n");
  for (const CommandNode* command : Flatten(root)) {
    absl::StrAppend(&text, "\n", ZshFunction(*command), "() {\n");
    std::string arguments;
    for (const CommandOption& option : command->options) {
      for (const std::string& name : option.names) {
        absl::StrAppend(&arguments, " \\\n    ", SingleQuoted(ZshOption(option, name)));
      }
    }
    if (command->commands.empty()) {
      absl::StrAppend(&text, "  _arguments -s", arguments, "\n}\n");
      continue;
    }
    absl::StrAppend(&text, "  local line state\n  local -a commands=(\n");
    for (const CommandNode& inner : command->commands) {
      absl::StrAppend(
          &text, "    ",
          SingleQuoted(absl::StrCat(inner.name, ":",
                                    absl::StrReplaceAll(inner.doc, {{":", "\\:"}}))),
          "\n");
    }
    absl::StrAppend(&text, "  )\n  _arguments -C", arguments,
                    " \\\n    '1: :->command' '*:: :->arguments'\n",
                    "  case $state in\n    command) _describe command commands ;;\n",
                    "    arguments)\n      case $line[1] in\n");
    for (const CommandNode& inner : command->commands) {
      absl::StrAppend(&text, "        ", inner.name, ") ", ZshFunction(inner), " ;;\n");
    }
    absl::StrAppend(&text, "      esac ;;\n  esac\n}\n");
  }
  // Sourced it defines, autoloaded from $fpath it completes.
  return text +
         "\nif [[ $funcstack[1] == _iat ]]; then\n  _iat \"$@\"\nelse\n  compdef "
         "_iat iat\nfi\n";
}

std::string FishCompletion(const CommandNode& root,
                           const std::vector<std::string>& config_keys) {
  std::string paths, completions;
  for (const CommandNode* command : Flatten(root)) {
    const std::string below = Below(*command);
    if (command != &root) absl::StrAppend(&paths, " ", FishQuoted(below));
    const std::string here =
        absl::StrCat("complete -c iat -n ",
                     FishQuoted(absl::StrCat("__iat_command_is ", FishQuoted(below))));
    for (const CommandNode& inner : command->commands) {
      absl::StrAppend(&completions, here, " -f -a ", inner.name, " -d ",
                      FishQuoted(inner.doc), "\n");
    }
    for (const CommandOption& option : command->options) {
      if (option.positional) {
        for (const std::string& choice : option.choices) {
          absl::StrAppend(&completions, here, " -f -a ", choice, "\n");
        }
        continue;
      }
      absl::StrAppend(&completions, here);
      for (const std::string& name : option.names) {
        absl::StrAppend(&completions, absl::StartsWith(name, "--") ? " -l " : " -s ",
                        name.substr(name.find_first_not_of('-')));
      }
      if (TakesConfigKey(option)) {
        absl::StrAppend(&completions, " -x -a \"$__iat_config_keys\"");
      } else if (!option.choices.empty()) {
        absl::StrAppend(&completions, " -x -a ",
                        FishQuoted(absl::StrJoin(option.choices, " ")));
      } else if (option.takes_value) {
        absl::StrAppend(&completions, option.value_name == "TEXT" ? " -r" : " -x");
      }
      absl::StrAppend(&completions, " -d ", FishQuoted(option.doc), "\n");
    }
  }
  std::vector<std::string> assignments;
  for (const std::string& key : config_keys) assignments.push_back(key + "=");
  return absl::StrCat(
      "# fish completion of iat, written by: iat completion fish\n\n",
      "set -g __iat_commands", paths, "\nset -g __iat_config_keys ",
      absl::StrJoin(assignments, " "), "\n\n",
      "# Whether the words so far name this command: the longest of them that do.\n",
      "function __iat_command_is\n    set -l command\n",
      "    for word in (commandline -opc)[2..-1]\n",
      "        if contains -- (string join -- ' ' $command $word) $__iat_commands\n",
      "            set command $command $word\n        end\n    end\n",
      "    test \"$command\" = \"$argv\"\nend\n\n", completions);
}

}  // namespace iat
