#include "base/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace iat {
namespace {

constexpr double kTerminalSeconds = 0.1;
constexpr double kPlainSeconds = 10.0;
constexpr int kBarWidth = 20;

int TerminalWidth() {
  struct winsize size {};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

Progress::Style Resolve(Progress::Style style) {
  if (style != Progress::Style::kAuto) return style;
  return ::isatty(STDERR_FILENO) ? Progress::Style::kTerminal : Progress::Style::kPlain;
}

}  // namespace

std::string FormatDuration(double seconds) {
  if (!(seconds >= 0.0) || std::isinf(seconds)) return "?";
  if (seconds < 60.0) return absl::StrFormat("%.1f s", seconds);
  const int64_t whole = std::llround(seconds);
  if (whole < 3600) return absl::StrCat(whole / 60, " min ", whole % 60, " s");
  return absl::StrCat(whole / 3600, " h ", whole % 3600 / 60, " min");
}

Progress::Progress(absl::string_view title, absl::string_view unit, Style style)
    : title_(title), unit_(unit), style_(Resolve(style)) {}

Progress::~Progress() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (style_ == Style::kQuiet) return;
  ClearBar();
  const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  std::fprintf(stderr, "[%s] %s%.0f %s in %s\n", title_.c_str(),
               done_ < total_ ? "stopped at " : "", done_, unit_.c_str(),
               FormatDuration(seconds).c_str());
}

void Progress::Update(double done, double total, absl::string_view detail) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!updated_) {
    updated_ = true;
    first_update_ = Clock::now();
    first_done_ = done;
  }
  done_ = done;
  total_ = total;
  detail_ = std::string(detail);
  Draw(done >= total && style_ == Style::kTerminal);
}

void Progress::Message(absl::string_view text) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (style_ == Style::kQuiet) return;
  ClearBar();
  std::fprintf(stderr, "[%s] %.*s\n", title_.c_str(), static_cast<int>(text.size()),
               text.data());
}

void Progress::ClearBar() {
  if (bar_drawn_) std::fputs("\r\x1b[K", stderr);
  bar_drawn_ = false;
}

void Progress::Draw(bool force) {
  if (style_ == Style::kQuiet) return;
  const auto now = Clock::now();
  const double interval = style_ == Style::kTerminal ? kTerminalSeconds : kPlainSeconds;
  if (!force && std::chrono::duration<double>(now - last_draw_).count() < interval)
    return;
  last_draw_ = now;
  const double seconds = std::chrono::duration<double>(now - first_update_).count();
  const double rate = seconds > 0.0 ? (done_ - first_done_) / seconds : 0.0;
  const double fraction = total_ > 0.0 ? std::clamp(done_ / total_, 0.0, 1.0) : 0.0;
  std::string line = absl::StrFormat("[%s] ", title_);
  if (style_ == Style::kTerminal) {
    const int filled = static_cast<int>(fraction * kBarWidth);
    absl::StrAppend(&line, std::string(filled, '='), std::string(kBarWidth - filled, '.'),
                    " ");
  }
  absl::StrAppendFormat(&line, "%.0f/%.0f %s", done_, total_, unit_);
  if (rate > 0.0) {
    absl::StrAppendFormat(&line, "  %.3g %s/s  eta %s", rate, unit_,
                          FormatDuration((total_ - done_) / rate));
  }
  absl::StrAppend(&line, "  ", detail_);
  if (style_ == Style::kPlain) {
    std::fprintf(stderr, "%s\n", line.c_str());
    return;
  }
  line.resize(std::min<size_t>(line.size(), TerminalWidth() - 1));
  std::fprintf(stderr, "\r\x1b[K%s", line.c_str());
  std::fflush(stderr);
  bar_drawn_ = true;
}

}  // namespace iat
