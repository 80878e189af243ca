#include "base/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/terminal.h"

namespace iat {
namespace {

constexpr double kTerminalSeconds = 0.1;
constexpr double kPlainSeconds = 10.0;
constexpr int kBarWidth = 20;

// A dumb terminal can't be drawn over.
bool CanDraw(int descriptor) {
  const char* terminal = std::getenv("TERM");
  return ::isatty(descriptor) &&
         (terminal == nullptr || absl::string_view(terminal) != "dumb");
}

std::string Counts(const ProgressState& state) {
  return absl::StrFormat("%.0f/%.0f %s", state.done, state.total, state.unit);
}

std::string TimeLeft(const ProgressState& state) {
  if (!(state.rate > 0.0)) return "";
  return absl::StrCat("  eta ", FormatDuration((state.total - state.done) / state.rate));
}

std::string Rate(const ProgressState& state) {
  if (!(state.rate > 0.0)) return "";
  return absl::StrFormat("  %.3g %s/s", state.rate, state.unit);
}

Progress::Style Resolve(Progress::Style style) {
  if (style != Progress::Style::kAuto) return style;
  return CanDraw(STDERR_FILENO) ? Progress::Style::kTerminal : Progress::Style::kPlain;
}

}  // namespace

std::string FormatDuration(double seconds) {
  if (!(seconds >= 0.0) || std::isinf(seconds)) return "?";
  if (seconds < 60.0) return absl::StrFormat("%.1f s", seconds);
  const int64_t whole = std::llround(seconds);
  if (whole < 3600) return absl::StrCat(whole / 60, " min ", whole % 60, " s");
  return absl::StrCat(whole / 3600, " h ", whole % 3600 / 60, " min");
}

std::string ProgressText(const ProgressState& state) {
  return absl::StrCat("[", state.title, "] ", Counts(state), Rate(state), TimeLeft(state),
                      "  ", state.detail);
}

std::string ProgressBar(const ProgressState& state, int columns) {
  const std::string title = absl::StrCat("[", state.title, "] ");
  const std::string counts = Counts(state), rate = Rate(state), left = TimeLeft(state);
  const double fraction =
      state.total > 0.0 ? std::clamp(state.done / state.total, 0.0, 1.0) : 0.0;
  const int filled = static_cast<int>(fraction * kBarWidth);
  const std::string bar =
      std::string(filled, '=') + std::string(kBarWidth - filled, '.') + " ";
  const size_t room = static_cast<size_t>(std::max(columns, 0));
  std::string line = absl::StrCat(title, bar, counts, rate, left);
  if (line.size() > room) line = absl::StrCat(title, counts, rate, left);
  if (line.size() > room) line = absl::StrCat(title, counts, left);
  if (!state.detail.empty()) absl::StrAppend(&line, "  ", state.detail);
  return FitToWidth(line, columns);
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
  const ProgressState state{title_, unit_, detail_, done_, total_, rate};
  if (style_ == Style::kPlain) {
    std::fprintf(stderr, "%s\n", ProgressText(state).c_str());
    return;
  }
  // The last column stays free: writing there wraps on some terminals.
  const std::string line = ProgressBar(state, TerminalWidth(STDERR_FILENO) - 1);
  std::fprintf(stderr, "\r\x1b[K%s", line.c_str());
  std::fflush(stderr);
  bar_drawn_ = true;
}

}  // namespace iat
