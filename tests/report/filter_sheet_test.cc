#include "report/filter_sheet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "absl/strings/str_cat.h"
#include "base/csv.h"
#include "base/file.h"
#include "tests/report/markup_check.h"
#include "tests/report/temporary_folder.h"

namespace iat {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// Two networks with three 2 x 2 pictures each; byte b of picture p is 10 p + b.
FilterSheet SmallSheet() {
  FilterSheet sheet{.name = "conv1-filters", .caption = "Filters."};
  for (const char* name : {"seed-000", "untrained-000"}) {
    FilterRow& row = sheet.rows.emplace_back();
    row.name = name;
    for (int p = 0; p < 3; ++p) {
      FilterPicture& picture = row.pictures.emplace_back();
      picture.side = 2;
      for (int b = 0; b < 12; ++b) {
        picture.pixels.push_back(static_cast<uint8_t>(10 * p + b));
      }
    }
  }
  return sheet;
}

TEST(FilterSheetTest, TheDataHoldEveryPixelAndWhiteBetweenPictures) {
  const auto table = ParseCsv(FilterSheetCsv(SmallSheet(), {}), "csv");
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_THAT(table->columns, ElementsAre("row", "x", "y", "red", "green", "blue"));
  ASSERT_THAT(table->rows, SizeIs(2 * 8 * 2));
  EXPECT_THAT(table->rows[0], ElementsAre("seed-000", "0", "0", "0", "1", "2"));
  EXPECT_THAT(table->rows[2], ElementsAre("seed-000", "2", "0", "255", "255", "255"));
  EXPECT_THAT(table->rows[3], ElementsAre("seed-000", "3", "0", "10", "11", "12"));
  // Second line of pixels of the third picture, second column.
  EXPECT_THAT(table->rows[15], ElementsAre("seed-000", "7", "1", "29", "30", "31"));
  EXPECT_THAT(table->rows[16], ElementsAre("untrained-000", "0", "0", "0", "1", "2"));
}

TEST(FilterSheetTest, ManyPicturesWrapOnANarrowPage) {
  FilterSheet sheet = SmallSheet();
  for (FilterRow& row : sheet.rows) row.pictures.resize(32, row.pictures[0]);
  FigureOptions narrow;
  narrow.width_mm = 85;
  const auto table = ParseCsv(FilterSheetCsv(sheet, narrow), "csv");
  ASSERT_TRUE(table.ok()) << table.status();
  // Three lines: eleven, eleven and ten pictures, and white behind the last.
  const size_t width = 11 * 3 - 1, height = 3 * 3 - 1;
  ASSERT_THAT(table->rows, SizeIs(2 * width * height));
  EXPECT_THAT(table->rows[width * height - 1],
              ElementsAre("seed-000", absl::StrCat(width - 1), absl::StrCat(height - 1),
                          "255", "255", "255"));
}

TEST(FilterSheetTest, IsDrawnInThreeFormatsWithSharpPixels) {
  const TemporaryFolder folder;
  const absl::Status status = DrawFilterSheet(SmallSheet(), folder.path(), {});
  ASSERT_TRUE(status.ok()) << status;
  const std::string svg = *ReadFile(folder.path() / "conv1-filters.svg");
  EXPECT_EQ(MarkupProblem(svg), "");
  EXPECT_THAT(svg, AllOf(HasSubstr("<image style='image-rendering:pixelated' "),
                         HasSubstr("seed-000"), HasSubstr("untrained-000")));
  EXPECT_THAT(*ReadFile(folder.path() / "conv1-filters.pdf"), HasSubstr("%PDF"));
  EXPECT_THAT(*ReadFile(folder.path() / "conv1-filters.png"), HasSubstr("PNG"));
}

TEST(FilterSheetTest, WhatDoesNotFitIsNamed) {
  const auto message = [](const std::function<void(FilterSheet&)>& change) {
    FilterSheet sheet = SmallSheet();
    change(sheet);
    return std::string(ValidateFilterSheet(sheet).message());
  };
  EXPECT_EQ(message([](auto&) {}), "");
  EXPECT_EQ(message([](auto& sheet) { sheet.rows.clear(); }),
            "conv1-filters: there is nothing to draw; expected a row");
  EXPECT_EQ(message([](auto& sheet) { sheet.rows[1].name = "seed-000"; }),
            "conv1-filters: seed-000: two rows of that name");
  EXPECT_EQ(message([](auto& sheet) { sheet.rows[1].pictures.pop_back(); }),
            "conv1-filters: untrained-000 has 2 pictures; expected as many as seed-000 "
            "has, 3, and at least one");
  EXPECT_EQ(message([](auto& sheet) { sheet.rows[1].pictures[0].pixels.pop_back(); }),
            "conv1-filters: untrained-000: a picture of side 2 with 11 bytes; expected "
            "side 2 and 3 bytes a pixel");
}

}  // namespace
}  // namespace iat
