#include "report/gnuplot.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/status.h"

namespace iat {
namespace {

// What our caller has, but in UTF-8 and without what would make the bytes of a
// figure depend on where and when it is drawn.
std::vector<std::string> Environment() {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const absl::string_view text(*variable);
    if (absl::StartsWith(text, "LC_") || absl::StartsWith(text, "LANG=") ||
        absl::StartsWith(text, "TZ=") || absl::StartsWith(text, "GNUTERM=") ||
        absl::StartsWith(text, "SOURCE_DATE_EPOCH=")) {
      continue;
    }
    variables.emplace_back(text);
  }
  variables.push_back("LC_ALL=C.UTF-8");
  variables.push_back("TZ=UTC");
  variables.push_back("SOURCE_DATE_EPOCH=0");
  return variables;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

absl::Status CannotStart(const std::string& program, int error_number) {
  return ErrnoStatus(
      error_number,
      absl::StrCat("cannot start \"", program,
                   "\", which draws the figures (Debian and Ubuntu: apt-get install "
                   "gnuplot-nox; elsewhere: set report.gnuplot to its path)"));
}

// Everything the process writes, until it closes its end.
std::string ReadAll(int descriptor) {
  std::string text;
  std::array<char, 4096> buffer;
  while (true) {
    const ssize_t count = ::read(descriptor, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return text;
    text.append(buffer.data(), count);
  }
}

// gnuplot's pictures, made in a folder of their own beside the final place.
class DrawingFolder {
 public:
  DrawingFolder(const std::filesystem::path& folder, const std::string& name)
      : path_(folder / absl::StrCat(".", name, kTemporaryMark, ::getpid())) {}
  DrawingFolder(const DrawingFolder&) = delete;
  DrawingFolder& operator=(const DrawingFolder&) = delete;
  ~DrawingFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

absl::StatusOr<std::string> ReadPicture(const std::filesystem::path& path,
                                        const std::string& program) {
  absl::StatusOr<std::string> picture = ReadFile(path);
  if (!picture.ok() || picture->empty()) {
    return absl::InternalError(absl::StrCat(
        program, " ended without an error but left no ", path.filename().string(),
        "; was it built with its svg, pdfcairo and pngcairo terminals? (`", program,
        " -e \"set terminal\"` lists them)"));
  }
  return picture;
}

// cairo writes the time of drawing into a PDF. The date keeps its length, so
// that the file's table of offsets stays right.
std::string WithoutDate(std::string pdf) {
  constexpr absl::string_view kKey = "/CreationDate (D:";
  constexpr absl::string_view kEpoch = "19700101000000";
  const size_t place = pdf.find(kKey.data(), 0, kKey.size());
  if (place != std::string::npos) {
    pdf.replace(place + kKey.size(), kEpoch.size(), kEpoch.data(), kEpoch.size());
  }
  return pdf;
}

// Whether the pictures of this very script and data lie there.
bool IsDrawn(const std::filesystem::path& folder, const std::string& name,
             const std::string& csv, const std::string& script) {
  const auto is = [&](const char* ending, const std::string& text) {
    const absl::StatusOr<std::string> there = ReadFile(folder / (name + ending));
    return there.ok() && *there == text;
  };
  if (!is(".gp", script) || !is(".csv", csv)) return false;
  for (const char* ending : {".svg", ".pdf", ".png"}) {
    std::error_code error;
    if (!std::filesystem::exists(folder / (name + ending), error)) return false;
  }
  return true;
}

// Our images are matrices of a few pixels, which a viewer would blur.
std::string WithSharpPixels(const std::string& svg) {
  return absl::StrReplaceAll(svg,
                             {{"<image ", "<image style='image-rendering:pixelated' "}});
}

}  // namespace

absl::Status FindGnuplot(const std::string& program) {
  std::vector<std::string> places = {program};
  if (!absl::StrContains(program, "/")) {
    places.clear();
    const char* path = std::getenv("PATH");
    for (const absl::string_view folder :
         absl::StrSplit(path == nullptr ? "/usr/bin:/bin" : path, ':')) {
      places.push_back(absl::StrCat(folder.empty() ? "." : folder, "/", program));
    }
  }
  for (const std::string& place : places) {
    if (::access(place.c_str(), X_OK) == 0 && !std::filesystem::is_directory(place)) {
      return absl::OkStatus();
    }
  }
  return CannotStart(program, ENOENT);
}

absl::Status RunGnuplot(const std::string& program, const std::filesystem::path& folder,
                        const std::string& script) {
  // The process changes folder before it starts, so a relative path to the
  // program has to be made absolute; a bare name is looked up in PATH.
  std::vector<std::string> arguments = {absl::StrContains(program, "/")
                                            ? std::filesystem::absolute(program).string()
                                            : program,
                                        "--default-settings", script};
  std::vector<std::string> variables = Environment();
  std::vector<char*> argv = Pointers(arguments);
  std::vector<char*> envp = Pointers(variables);

  std::array<int, 2> pipe_ends;
  if (::pipe2(pipe_ends.data(), O_CLOEXEC) != 0) {
    return ErrnoStatus(errno, "cannot make a pipe to gnuplot");
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDERR_FILENO);
  pid_t process = 0;
  const int error_number =
      posix_spawnp(&process, argv[0], &actions, nullptr, argv.data(), envp.data());
  posix_spawn_file_actions_destroy(&actions);
  ::close(pipe_ends[1]);
  if (error_number != 0) {
    ::close(pipe_ends[0]);
    return CannotStart(program, error_number);
  }
  const std::string output = ReadAll(pipe_ends[0]);
  ::close(pipe_ends[0]);
  int state = 0;
  while (::waitpid(process, &state, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(state) && WEXITSTATUS(state) == 0) return absl::OkStatus();

  absl::string_view last_words = absl::StripAsciiWhitespace(output);
  constexpr size_t kMostWords = 1000;
  if (last_words.size() > kMostWords) {
    last_words.remove_prefix(last_words.size() - kMostWords);
  }
  return absl::InternalError(absl::StrCat(
      program, " ", script, " ",
      WIFSIGNALED(state) ? absl::StrCat("was stopped by signal ", WTERMSIG(state), " (",
                                        strsignal(WTERMSIG(state)), ")")
                         : absl::StrCat("failed with exit status ", WEXITSTATUS(state)),
      last_words.empty() ? " and said nothing" : ": ", last_words));
}

std::string GnuplotString(absl::string_view text) {
  std::string quoted = absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "''"}}), "'");
  for (char& c : quoted) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return quoted;
}

absl::Status DrawWithGnuplot(const std::string& program,
                             const std::filesystem::path& folder, const std::string& name,
                             const std::string& csv, const std::string& script) {
  if (IsDrawn(folder, name, csv, script)) return absl::OkStatus();
  const DrawingFolder drawing(folder, name);
  IAT_RETURN_IF_ERROR(WriteFileAtomically(drawing.path() / (name + ".csv"), csv));
  IAT_RETURN_IF_ERROR(WriteFileAtomically(drawing.path() / (name + ".gp"), script));
  IAT_RETURN_IF_ERROR(RunGnuplot(program, drawing.path(), name + ".gp"));
  IAT_ASSIGN_OR_RETURN(const std::string svg,
                       ReadPicture(drawing.path() / (name + ".svg"), program));
  IAT_ASSIGN_OR_RETURN(std::string pdf,
                       ReadPicture(drawing.path() / (name + ".pdf"), program));
  IAT_ASSIGN_OR_RETURN(const std::string png,
                       ReadPicture(drawing.path() / (name + ".png"), program));
  // The script goes first and comes last: where it lies, the rest belongs to it.
  const std::filesystem::path script_path = folder / (name + ".gp");
  std::error_code ignored;
  std::filesystem::remove(script_path, ignored);
  IAT_RETURN_IF_ERROR(WriteFileAtomically(folder / (name + ".csv"), csv));
  IAT_RETURN_IF_ERROR(
      WriteFileAtomically(folder / (name + ".pdf"), WithoutDate(std::move(pdf))));
  IAT_RETURN_IF_ERROR(WriteFileAtomically(folder / (name + ".png"), png));
  IAT_RETURN_IF_ERROR(
      WriteFileAtomically(folder / (name + ".svg"), WithSharpPixels(svg)));
  return WriteFileAtomically(script_path, script);
}

}  // namespace iat
