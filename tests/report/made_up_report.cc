// Writes the made-up report, drawn by gnuplot, for a browser to open.

#include <cstdio>
#include <filesystem>

#include "absl/strings/str_format.h"
#include "base/file.h"
#include "report/filter_sheet.h"
#include "tests/report/report_fixture.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: made_up_report FOLDER\n");
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  iat::ReportData data = iat::MadeUpReport();
  absl::Status status = iat::DrawFigure1(data.figure1, folder, {});
  if (status.ok()) {
    data.figure1_svg = *iat::ReadFile(folder / "figure-1.svg");
    // A table long enough to be filtered, with values that sort otherwise as text.
    iat::ReportFigure sizes{.id = "sizes",
                            .title = "Sizes",
                            .svg = data.figure1_svg,
                            .caption = "A second drawing.",
                            .columns = {"layer", "size", "R\u00b2"}};
    for (int i = 0; i < 8; ++i) {
      sizes.rows.push_back(
          {absl::StrCat("conv", 1 + i % 4), absl::StrCat(1 << i),
           i == 5 ? "no value" : absl::StrFormat("%.3f [0.1, 0.9]", 0.9 - 0.1 * i)});
    }
    data.figures.push_back(sizes);
    // Pixels are pictures inside the page, which its policy has to let in.
    const iat::FilterPicture picture{1, {200, 100, 0}};
    const iat::FilterSheet sheet{.name = "filters",
                                 .caption = "Two filters.",
                                 .rows = {{"seed-000", {picture, picture}}}};
    status = iat::DrawFilterSheet(sheet, folder, {});
    if (status.ok()) {
      data.training_figures.push_back({.id = "filters",
                                       .title = "Filters",
                                       .svg = *iat::ReadFile(folder / "filters.svg"),
                                       .caption = sheet.caption,
                                       .alt = "Two orange squares."});
      status = iat::WriteReport(folder / "report.html", data);
    }
  }
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return 1;
}
