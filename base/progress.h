// Progress on stderr: a bar with rate and time left on a terminal, plain lines now
// and then otherwise (a log file stays readable). Results never go through here.

#ifndef IAT_BASE_PROGRESS_H_
#define IAT_BASE_PROGRESS_H_

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

#include "absl/strings/string_view.h"

namespace iat {

// "4.2 s", "5 min 10 s", "3 h 20 min".
std::string FormatDuration(double seconds);

// What a progress line says.
struct ProgressState {
  std::string title, unit, detail;
  double done = 0.0, total = 0.0;
  double rate = 0.0;  // units a second; 0: not known yet
};

// The line as a log file gets it.
std::string ProgressText(const ProgressState& state);
// The line as a terminal of `columns` columns gets it, with a bar: never longer than
// that, so that it can be drawn over. What matters least goes first: the bar, then the
// rate, then the end of what is left.
std::string ProgressBar(const ProgressState& state, int columns);

class Progress {
 public:
  enum class Style { kAuto, kTerminal, kPlain, kQuiet };

  // Title "train" gives "[train] ...". Units: "images", "steps", "cells".
  Progress(absl::string_view title, absl::string_view unit, Style style = Style::kAuto);
  // Leaves a line with the total time.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `detail` says what is happening ("seed-003 loss 4.21"). Safe from any thread.
  // Rates and times left count from the first call, whatever was done before it.
  void Update(double done, double total, absl::string_view detail);
  // A line that stays: warnings, "resuming at ...".
  void Message(absl::string_view text);

 private:
  using Clock = std::chrono::steady_clock;
  void Draw(bool force);
  void ClearBar();

  const std::string title_, unit_;
  const Style style_;
  std::mutex mutex_;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point first_update_, last_draw_;
  bool updated_ = false;
  bool bar_drawn_ = false;
  double first_done_ = 0.0, done_ = 0.0, total_ = 0.0;
  std::string detail_;
};

}  // namespace iat

#endif  // IAT_BASE_PROGRESS_H_
