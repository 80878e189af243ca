// A figure's four files: NAME.csv, its data; NAME.gp, the script that draws it; NAME.svg
// and NAME.pdf, the drawing.

#ifndef IAT_REPORT_DRAWING_H_
#define IAT_REPORT_DRAWING_H_

#include <filesystem>
#include <string>

#include "absl/status/status.h"

namespace iat {

// Runs `script`, which reads NAME.csv in its working folder and writes NAME.svg and
// NAME.pdf there, in a folder of its own beside the final place; then writes the four
// files, each whole or not at all, the script and data first. Errors as of RunGnuplot
// (report/gnuplot.h), and Internal naming a drawing that it did not leave.
absl::Status DrawFigure(const std::string& name, const std::string& csv,
                        const std::string& script, const std::filesystem::path& folder,
                        const std::string& gnuplot);

}  // namespace iat

#endif  // IAT_REPORT_DRAWING_H_
