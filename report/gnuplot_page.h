// The page that figures' gnuplot scripts are laid out on: places in millimetres, one
// drawing for every format.

#ifndef IAT_REPORT_GNUPLOT_PAGE_H_
#define IAT_REPORT_GNUPLOT_PAGE_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace iat {

// Millimetres from the figure's left and top edge, written as gnuplot's screen
// fractions.
class GnuplotPage {
 public:
  GnuplotPage(double width_mm, double height_mm) : width_(width_mm), height_(height_mm) {}
  double width() const { return width_; }
  double height() const { return height_; }
  std::string X(double mm) const;
  std::string Y(double mm) const;
  // "screen 0.1, screen 0.9".
  std::string At(double x_mm, double y_mm) const;

 private:
  double width_, height_;
};

// 0x0072B2 as '#0072B2', quoted.
std::string GnuplotColour(uint32_t colour);

// Comment lines no longer than the eye likes.
std::string GnuplotComment(absl::string_view text);

// Between these two stands what is drawn, once for each of NAME.svg, NAME.pdf and
// NAME.png (300 dots an inch): a loop over the terminals, with fonts of the same size on
// paper (`large` and `small` are a larger and a smaller one) and a multiplot begun.
std::string BeginDrawing(const std::string& name, const GnuplotPage& page);
std::string EndDrawing();

}  // namespace iat

#endif  // IAT_REPORT_GNUPLOT_PAGE_H_
