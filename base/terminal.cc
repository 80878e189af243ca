#include "base/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"

namespace iat {
namespace {

absl::string_view Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

int TerminalWidth(int descriptor) {
  struct winsize size {};
  if (::ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

bool WantsColour(int descriptor) {
  return ::isatty(descriptor) && Environment("TERM") != "dumb" &&
         Environment("NO_COLOR").empty();
}

std::string Coloured(absl::string_view text, Colour colour, int descriptor) {
  if (!WantsColour(descriptor)) return std::string(text);
  return absl::StrCat("\x1b[1;", static_cast<int>(colour), "m", text, "\x1b[0m");
}

std::string FitToWidth(absl::string_view text, int columns) {
  std::string fitted;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool continues = (byte & 0xC0) == 0x80;
    if (!continues && columns-- <= 0) break;
    fitted += byte < 0x20 || byte == 0x7F ? ' ' : c;
  }
  return fitted;
}

}  // namespace iat
