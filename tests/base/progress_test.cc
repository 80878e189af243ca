// What a terminal of any width is shown, and who gets colours.

#include "base/progress.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/terminal.h"

namespace iat {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

ProgressState Training() {
  return {.title = "train",
          .unit = "steps",
          .detail = "seed-003 epoch 4 loss 2.31",
          .done = 50.0,
          .total = 200.0,
          .rate = 2.5};
}

// A pseudo-terminal with this process at the screen's end.
class PseudoTerminal {
 public:
  explicit PseudoTerminal(int columns) : screen_(::posix_openpt(O_RDWR | O_NOCTTY)) {
    if (::grantpt(screen_) != 0 || ::unlockpt(screen_) != 0) return;
    terminal_ = ::open(::ptsname(screen_), O_RDWR | O_NOCTTY);
    struct winsize size {};
    size.ws_row = 24;
    size.ws_col = static_cast<unsigned short>(columns);
    ::ioctl(terminal_, TIOCSWINSZ, &size);
  }
  ~PseudoTerminal() {
    ::close(terminal_);
    ::close(screen_);
  }
  int terminal() const { return terminal_; }
  // What has been written since the last call.
  std::string Read() const {
    std::string text(4096, '\0');
    text.resize(std::max<ssize_t>(0, ::read(screen_, text.data(), text.size())));
    return text;
  }

 private:
  int screen_ = -1, terminal_ = -1;
};

TEST(ProgressBarTest, AWideTerminalSeesEverything) {
  EXPECT_EQ(ProgressBar(Training(), 120),
            "[train] =====............... 50/200 steps  2.5 steps/s  eta 1 min 0 s  "
            "seed-003 epoch 4 loss 2.31");
}

TEST(ProgressBarTest, NoTerminalIsEverOverrun) {
  for (int columns = 0; columns < 130; ++columns) {
    EXPECT_LE(ProgressBar(Training(), columns).size(), static_cast<size_t>(columns));
  }
}

TEST(ProgressBarTest, CountsAndTimeLeftOutliveTheBarAndTheRate) {
  EXPECT_EQ(ProgressBar(Training(), 56),
            "[train] 50/200 steps  2.5 steps/s  eta 1 min 0 s  seed-0");
  EXPECT_EQ(ProgressBar(Training(), 40), "[train] 50/200 steps  eta 1 min 0 s  see");
  EXPECT_EQ(ProgressBar(Training(), 14), "[train] 50/200");
}

TEST(ProgressBarTest, BeforeARateIsKnownThereIsNoTimeLeft) {
  ProgressState state = Training();
  state.rate = 0.0;
  EXPECT_THAT(ProgressBar(state, 120), Not(HasSubstr("eta")));
  EXPECT_EQ(ProgressText(state), "[train] 50/200 steps  seed-003 epoch 4 loss 2.31");
}

TEST(TerminalTest, TextIsCutBetweenCharactersAndCannotMoveTheCursor) {
  EXPECT_EQ(FitToWidth("Größe", 4), "Größ");
  EXPECT_EQ(FitToWidth("Größe", 3), "Grö");
  EXPECT_EQ(FitToWidth("a\nb\x1b[2Jc", 20), "a b [2Jc");
  EXPECT_EQ(FitToWidth("abc", 0), "");
}

TEST(TerminalTest, ColoursAreForTerminalsThatWantThem) {
  const PseudoTerminal pseudo(80);
  ASSERT_GE(pseudo.terminal(), 0);
  ::setenv("TERM", "xterm", 1);
  ::unsetenv("NO_COLOR");
  EXPECT_EQ(Coloured("iat:", Colour::kRed, pseudo.terminal()), "\x1b[1;31miat:\x1b[0m");
  ::setenv("NO_COLOR", "", 1);  // empty counts as unset
  EXPECT_TRUE(WantsColour(pseudo.terminal()));
  ::setenv("NO_COLOR", "1", 1);
  EXPECT_EQ(Coloured("iat:", Colour::kRed, pseudo.terminal()), "iat:");
  ::unsetenv("NO_COLOR");
  ::setenv("TERM", "dumb", 1);
  EXPECT_FALSE(WantsColour(pseudo.terminal()));
  ::setenv("TERM", "xterm", 1);
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  EXPECT_FALSE(WantsColour(pipe[1]));
}

TEST(TerminalTest, WidthIsTheTerminalsAndEightyElsewhere) {
  EXPECT_EQ(TerminalWidth(PseudoTerminal(37).terminal()), 37);
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  EXPECT_EQ(TerminalWidth(pipe[1]), 80);
}

TEST(ProgressTest, ANarrowTerminalGetsOneLineThatIsDrawnOver) {
  const PseudoTerminal pseudo(30);
  ASSERT_GE(pseudo.terminal(), 0);
  ::setenv("TERM", "xterm", 1);
  const int saved = ::dup(STDERR_FILENO);
  ::dup2(pseudo.terminal(), STDERR_FILENO);
  std::string drawn;
  {
    Progress progress("train", "steps");
    progress.Update(200.0, 200.0, "seed-003 with a detail that is far too long");
    drawn = pseudo.Read();
  }
  const std::string last = pseudo.Read();
  ::dup2(saved, STDERR_FILENO);
  ::close(saved);
  EXPECT_EQ(drawn, "\r\x1b[K[train] 200/200 steps  seed-0");
  EXPECT_THAT(last, StartsWith("\r\x1b[K[train] 200 steps in "));
}

TEST(ProgressTest, ALogFileGetsPlainLines) {
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  const int saved = ::dup(STDERR_FILENO);
  ::dup2(pipe[1], STDERR_FILENO);
  {
    Progress progress("train", "steps");
    progress.Update(1.0, 2.0, "seed-003");
  }
  ::dup2(saved, STDERR_FILENO);
  ::close(saved);
  ::close(pipe[1]);
  std::string text(4096, '\0');
  text.resize(std::max<ssize_t>(0, ::read(pipe[0], text.data(), text.size())));
  EXPECT_THAT(text,
              StartsWith("[train] 1/2 steps  seed-003\n[train] stopped at 1 steps in "));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(text, Not(HasSubstr("\r")));
}

}  // namespace
}  // namespace iat
