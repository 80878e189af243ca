// What a terminal may be told: how wide it is, and whether it wants colours.

#ifndef IAT_BASE_TERMINAL_H_
#define IAT_BASE_TERMINAL_H_

#include <string>

#include "absl/strings/string_view.h"

namespace iat {

// Columns of the terminal behind `descriptor`; 80 where it is none or does not say.
int TerminalWidth(int descriptor);

// True for a terminal that is not TERM=dumb and a user who has not set NO_COLOR
// (https://no-color.org: any value but the empty one).
bool WantsColour(int descriptor);

// In the terminal's own palette.
enum class Colour { kRed = 31, kGreen = 32, kYellow = 33 };

// `text` in bold colour where `descriptor` wants it, else as it is.
std::string Coloured(absl::string_view text, Colour colour, int descriptor);

// At most `columns` characters of UTF-8 `text` (each taken as one column wide), never
// ending inside one; control characters, which could move the cursor, become spaces.
std::string FitToWidth(absl::string_view text, int columns);

}  // namespace iat

#endif  // IAT_BASE_TERMINAL_H_
