// What the program says about itself: every command and option that --help shows is in
// the man page, in docs/commands.md and in the completion of each shell, and the
// committed pages are those that the program writes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <cstdio>
#include <set>
#include <sstream>

#include "tests/app/run_command.h"

namespace iat {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;

std::string Output(const std::vector<std::string>& arguments) {
  const CommandResult result = RunCommand(arguments);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return result.out;
}

// "--set" of "  --set TEXT ...   replace one value" and the like, "-h,--help" as two.
void AddOptions(const std::string& line, std::set<std::string>& options) {
  std::istringstream words(line);
  std::string first;
  words >> first;
  std::istringstream names(first);
  for (std::string name; std::getline(names, name, ',');) options.insert(name);
}

struct Command {
  std::string path;               // "images pack"
  std::set<std::string> options;  // "--out"
  bool is_group = false;          // has commands of its own
};

// The commands below `path`, read from the text of --help-all as a user sees it:
// command names at the margin under "Subcommands:", their options further in.
void ReadHelp(const std::vector<std::string>& path, std::vector<Command>& commands) {
  std::vector<std::string> arguments = path;
  arguments.push_back("--help-all");
  std::istringstream text(Output(arguments));
  bool among_commands = false;
  std::vector<std::string> groups;
  std::string words;
  for (const std::string& word : path) words += word + " ";
  for (std::string line; std::getline(text, line);) {
    if (line == "Subcommands:") {
      among_commands = true;
    } else if (among_commands && !line.empty() && std::islower(line[0])) {
      commands.push_back({words + line, {}, false});
    } else if (line.rfind("    -", 0) == 0 && !commands.empty()) {
      AddOptions(line, commands.back().options);
    } else if (line == "  Subcommands:" && !commands.empty()) {
      groups.push_back(commands.back().path);
      commands.back().is_group = true;
    }
  }
  for (const std::string& group : groups) ReadHelp({group}, commands);
}

const std::vector<Command>& AllCommands() {
  static const std::vector<Command>* commands = [] {
    auto* all = new std::vector<Command>;
    ReadHelp({}, *all);
    return all;
  }();
  return *commands;
}

// The part of `text` from `start` to the next line that begins like it.
std::string Section(const std::string& text, const std::string& start,
                    const std::string& next) {
  const size_t begin = text.find("\n" + start);
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find("\n" + next, begin + 1) - begin);
}

std::string Replaced(std::string text, const std::string& what, const std::string& with) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos;
       at += with.size()) {
    text.replace(at, what.size(), with);
  }
  return text;
}

std::string SourceFile(const std::string& name) {
  const char* folder = std::getenv("IAT_SOURCE_DIR");
  return *ReadFile(fs::path(folder == nullptr ? "." : folder) / name);
}

TEST(HelpTest, ReadingHelpFindsTheCommands) {
  std::vector<std::string> paths;
  for (const Command& command : AllCommands()) paths.push_back(command.path);
  for (const char* path : {"reproduce", "compare", "images pack", "weights export"}) {
    EXPECT_THAT(paths, Contains(path));
  }
  for (const Command& command : AllCommands()) {
    if (command.path == "train") {
      EXPECT_THAT(command.options, Contains("--set"));
      EXPECT_THAT(command.options, Contains("--dry-run"));
    }
  }
}

TEST(HelpTest, EveryCommandHasExamplesAndHelpShowsThem) {
  const std::string page = Output({"reference", "commands"});
  for (const Command& command : AllCommands()) {
    if (command.is_group) continue;
    EXPECT_THAT(Section(page, "## iat " + command.path + "\n", "## "),
                HasSubstr("\n```sh\n"))
        << "add examples of iat " << command.path << " to app/command_examples.cc";
  }
  EXPECT_THAT(Output({"images", "make", "--help"}),
              HasSubstr("Examples:\n  iat images make "));
}

TEST(HelpTest, TheManPageHasEveryCommandAndOption) {
  const std::string page = Replaced(Output({"man"}), "\\-", "-");
  for (const Command& command : AllCommands()) {
    std::string section = Section(page, ".SS iat " + command.path + "\n", ".SS ");
    if (section.empty()) section = Section(page, ".SS iat " + command.path + " ", ".SS ");
    ASSERT_FALSE(section.empty()) << command.path;
    for (const std::string& option : command.options) {
      // Those of every command are said once.
      if (option == "-h" || option == "--help" || option == "--help-all") continue;
      EXPECT_THAT(section, HasSubstr(".B " + option)) << command.path;
    }
  }
}

std::string Shell(const std::string& command) {
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  std::string out;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) {
    out += static_cast<char>(c);
  }
  const int status = ::pclose(pipe);
  return status == 0 ? out : "failed: " + out;
}

TEST(HelpTest, GroffTakesTheManPageWithoutAWarning) {
  if (Shell("command -v groff").rfind("failed", 0) == 0) GTEST_SKIP() << "no groff";
  TemporaryFolder folder("help_test_man");
  WriteText(folder / "iat.1", Output({"man"}));
  EXPECT_EQ(Shell("groff -man -ww -Tutf8 -z " + (folder / "iat.1")), "");
}

// What bash offers for the last of `words`, asked of bash itself.
std::set<std::string> BashOffers(const std::string& script,
                                 const std::vector<std::string>& words) {
  std::string line = "source '" + script + "'; COMP_WORDS=(iat";
  for (const std::string& word : words) line += " '" + word + "'";
  line += "); COMP_CWORD=" + std::to_string(words.size()) +
          "; _iat; printf '%s\\n' \"${COMPREPLY[@]}\"";
  std::istringstream text(Shell(
      "bash -c " +
      ("\"" + Replaced(Replaced(Replaced(line, "\\", "\\\\"), "\"", "\\\""), "$", "\\$") +
       "\"")));
  std::set<std::string> offers;
  for (std::string offer; std::getline(text, offer);) {
    if (!offer.empty()) offers.insert(offer);
  }
  return offers;
}

TEST(HelpTest, BashCompletesEveryCommandAndOption) {
  TemporaryFolder folder("help_test_bash");
  const std::string script = folder / "iat.bash";
  WriteText(script, Output({"completion", "bash"}));
  ASSERT_EQ(Shell("bash -n '" + script + "'"), "");
  for (const Command& command : AllCommands()) {
    std::vector<std::string> words;
    std::istringstream stream(command.path);
    for (std::string word; stream >> word;) words.push_back(word);
    EXPECT_THAT(BashOffers(script, words), Contains(words.back())) << command.path;
    words.push_back("--");
    std::set<std::string> long_options = command.options;
    long_options.insert({"--help", "--help-all"});  // of every command, shown once
    EXPECT_EQ(BashOffers(script, words), long_options) << command.path;
  }
  using Set = std::set<std::string>;
  EXPECT_EQ(BashOffers(script, {"rep"}), (Set{"report", "reproduce"}));
  EXPECT_EQ(BashOffers(script, {"images", "ma"}), (Set{"make"}));
  EXPECT_EQ(BashOffers(script, {"completion", ""}), (Set{"bash", "fish", "zsh"}));
  EXPECT_EQ(BashOffers(script, {"activations", "export", "--format", "b"}),
            (Set{"brainscore"}));
  EXPECT_EQ(BashOffers(script, {"train", "c.toml", "--set", "training.ep"}),
            (Set{"training.epochs="}));
  // File names are bash's business.
  EXPECT_EQ(BashOffers(script, {"train", ""}), (Set{}));
  EXPECT_EQ(BashOffers(script, {"train", "c.toml", "--out", "r"}), (Set{}));
}

TEST(HelpTest, ZshAndFishKnowEveryCommandAndOption) {
  const std::string zsh = Output({"completion", "zsh"});
  const std::string fish = Output({"completion", "fish"});
  for (const Command& command : AllCommands()) {
    const std::string name = "_iat_" + Replaced(command.path, " ", "_");
    const std::string function = Section(zsh, name + "() {", "}");
    ASSERT_FALSE(function.empty()) << command.path;
    for (const std::string& option : command.options) {
      EXPECT_TRUE(function.find("'" + option + "[") != std::string::npos ||
                  function.find("'*" + option + "[") != std::string::npos)
          << command.path << " " << option;
      const std::string in_fish = option.rfind("--", 0) == 0
                                      ? " -l " + option.substr(2) + " "
                                      : " -s " + option.substr(1) + " ";
      std::istringstream lines(fish);
      bool found = false;
      for (std::string line; std::getline(lines, line) && !found;) {
        found = line.find("__iat_command_is \\'" + command.path + "\\'") !=
                    std::string::npos &&
                line.find(in_fish) != std::string::npos;
      }
      EXPECT_TRUE(found) << command.path << " " << option;
    }
  }
  TemporaryFolder folder("help_test_shells");
  WriteText(folder / "_iat", zsh);
  WriteText(folder / "iat.fish", fish);
  if (Shell("command -v zsh").rfind("failed", 0) != 0) {
    EXPECT_EQ(Shell("zsh -n " + (folder / "_iat")), "");
  }
  if (Shell("command -v fish").rfind("failed", 0) != 0) {
    EXPECT_EQ(Shell("fish -n " + (folder / "iat.fish")), "");
    EXPECT_THAT(Shell("fish -N -c 'source " + (folder / "iat.fish") +
                      "; complete -C \"iat images ma\"'"),
                HasSubstr("make\t"));
  }
}

// Regenerating is one command; it stands in the message.
void ExpectUpToDate(const std::string& file, const std::string& part) {
  EXPECT_EQ(SourceFile(file), Output({"reference", part}))
      << file
      << " is not what the program reads; write it again:\n  build/release/app/iat "
      << "reference " << part << " > " << file;
}

TEST(HelpTest, TheConfigReferenceIsWhatTheProgramReads) {
  ExpectUpToDate("docs/reference.md", "config");
}

TEST(HelpTest, TheCommandReferenceIsWhatTheProgramParses) {
  ExpectUpToDate("docs/commands.md", "commands");
}

TEST(HelpTest, EveryConfigKeyAndTableIsExplained) {
  std::istringstream page(Output({"reference", "config"}));
  std::string table;
  int num_keys = 0;
  for (std::string line; std::getline(page, line);) {
    if (line.rfind("##", 0) == 0) {
      table = line;
      std::string doc;
      std::getline(page, doc);
      std::getline(page, doc);
      EXPECT_FALSE(doc.empty()) << table << ": a table without a word";
    }
    if (line.rfind("| `", 0) != 0) continue;
    ++num_keys;
    EXPECT_FALSE(line.size() > 4 && line.substr(line.size() - 5) == " |  |")
        << table << ": " << line << ": a key without a word; its Describe() says what it "
        << "means";
  }
  EXPECT_GT(num_keys, 100);
}

// "[run]", then "name = ..." of a resolved config, for every table that it has.
TEST(HelpTest, TheReferenceHasEveryKeyOfAResolvedConfig) {
  TemporaryFolder folder("help_test_resolved");
  const std::string config = folder / "c.toml";
  WriteText(config,
            "[images]\nsource = \"dead-leaves\"\ncount = 8\n[stimuli.NAME]\nsource = "
            "\"dead-leaves\"\ncount = 8\n[scopes]\n");
  // Fails for want of activations, after it has written its config.
  RunCommand({"compare", config, "--out", folder / "run", "--quiet"});
  std::istringstream resolved(*ReadFile(folder.path() / "run" / "config.toml"));
  const std::string page = Output({"reference", "config"});
  std::string table;
  int num_keys = 0;
  for (std::string line; std::getline(resolved, line);) {
    if (line.empty()) continue;
    if (line[0] == '[') {
      table = Replaced(line.substr(1, line.size() - 2), "\"", "");
      continue;
    }
    ++num_keys;
    const std::string key = line.substr(0, line.find(" = "));
    const size_t dot = key.rfind('.');
    const std::string place =
        dot == std::string::npos ? table : table + "." + key.substr(0, dot);
    const std::string heading = "# [" + place + "]\n";
    const size_t at = page.find(heading);
    ASSERT_NE(at, std::string::npos) << heading;
    EXPECT_NE(page.substr(at, page.find("\n#", at) - at)
                  .find("| `" + key.substr(dot == std::string::npos ? 0 : dot + 1) + "`"),
              std::string::npos)
        << table << " " << key;
  }
  EXPECT_GT(num_keys, 100);
}

}  // namespace
}  // namespace iat
