#include "report/panel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace iat {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(PanelTest, LettersGoOnBehindZ) {
  EXPECT_EQ(PanelLetter(0), "a");
  EXPECT_EQ(PanelLetter(25), "z");
  EXPECT_EQ(PanelLetter(26), "aa");
  EXPECT_EQ(PanelLetter(27), "ab");
  EXPECT_EQ(PanelLetter(52), "ba");
}

TEST(PanelTest, ColumnsAreNoMoreThanTheRowsNeed) {
  EXPECT_EQ(BalancedColumns(1, 3), 1);
  EXPECT_EQ(BalancedColumns(3, 3), 3);
  EXPECT_EQ(BalancedColumns(4, 3), 2);
  EXPECT_EQ(BalancedColumns(5, 3), 3);
  EXPECT_EQ(BalancedColumns(4, 1), 1);
}

TEST(PanelTest, NamesThatNoDataFileCouldHoldAreRefused) {
  EXPECT_TRUE(CheckFigureName("figure-9", "a panel", "conv1 pre_relu").ok());
  for (const char* name : {"", "a,b", "a\"b", "a\x7f"}) {
    EXPECT_FALSE(CheckFigureName("figure-9", "a panel", name).ok()) << name;
  }
  EXPECT_EQ(CheckFigureName("figure-9", "a panel", "a\nb").message(),
            "figure-9: a panel is \"a\\nb\"; expected a name without quotes, commas or "
            "control characters");
}

TEST(PanelTest, AnIntervalHasTwoEndsAroundItsValue) {
  EXPECT_TRUE(CheckFigureInterval("here", 0.5, NAN, NAN).ok());
  EXPECT_TRUE(CheckFigureInterval("here", 0.5, 0.5, 0.6).ok());
  EXPECT_FALSE(CheckFigureInterval("here", 0.5, NAN, 0.6).ok());
  EXPECT_EQ(CheckFigureInterval("here", 0.5, 0.6, 0.7).message(),
            "here: interval [0.6, 0.7] of 0.5; expected low <= value <= high, or NaN at "
            "both ends");
}

TEST(PanelTest, AFrameHasTheTitlesItIsGiven) {
  const GnuplotPage page(100, 50);
  PanelFrame frame{.letter = "c", .id = "it", .heading = "it's {not} markup"};
  frame.width_mm = 50;
  frame.height_mm = 20;
  const std::string plain = PanelFrameScript(frame, page);
  EXPECT_THAT(plain, HasSubstr("'it''s {not} markup'"));
  EXPECT_THAT(plain, Not(HasSubstr("rotate")));
  EXPECT_THAT(plain, Not(HasSubstr("font small")));
  frame.subheading = "below";
  frame.y_title = "up";
  frame.x_title = "right";
  const std::string full = PanelFrameScript(frame, page);
  EXPECT_THAT(full, HasSubstr("'up' at screen 0.00000, screen 0.80000 center rotate"));
  EXPECT_THAT(full, HasSubstr("'right' at screen 0.25000,"));
  EXPECT_THAT(full, HasSubstr("font small"));
}

}  // namespace
}  // namespace iat
