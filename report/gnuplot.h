// Runs gnuplot as a process of its own: arguments as a list, never through a
// shell, and whatever it complains about comes back in the Status.

#ifndef IAT_REPORT_GNUPLOT_H_
#define IAT_REPORT_GNUPLOT_H_

#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace iat {

// Runs `program` on `script`, a file name inside `folder`, with `folder` as its
// working folder. Ignores the user's own start-up files, so that a ~/.gnuplot
// doesn't change a figure, and works in UTF-8 whatever the locale.
//
// NotFound, PermissionDenied: `program` can't be started; says what to install.
// Internal: it ended with an error or a signal; the message holds its last words.
absl::Status RunGnuplot(const std::string& program, const std::filesystem::path& folder,
                        const std::string& script);

// Whether RunGnuplot would find `program`, without running it. NotFound as there.
absl::Status FindGnuplot(const std::string& program);

// Draws a figure: runs `script`, which reads NAME.csv and writes NAME.svg, NAME.pdf and
// NAME.png, and puts those, NAME.csv and NAME.gp into `folder`, each whole or not at
// all; where drawing fails all five stay as they were. Where the five are there, of the
// same script and data, gnuplot is not started. Errors as RunGnuplot's, and Internal
// where a picture is missing.
absl::Status DrawWithGnuplot(const std::string& program,
                             const std::filesystem::path& folder, const std::string& name,
                             const std::string& csv, const std::string& script);

// `text` as a gnuplot string. Single quotes: nothing inside is expanded, while
// backquotes in double quotes would run a command. Control characters become
// spaces.
std::string GnuplotString(absl::string_view text);

}  // namespace iat

#endif  // IAT_REPORT_GNUPLOT_H_
