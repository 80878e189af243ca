#include "report/gnuplot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "base/file.h"
#include "tests/report/temporary_folder.h"

namespace iat {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class GnuplotTest : public ::testing::Test {
 protected:
  absl::Status Run(const std::string& program, const std::string& script) {
    std::ofstream(folder_.path() / "script.gp") << script;
    return RunGnuplot(program, folder_.path(), "script.gp");
  }
  TemporaryFolder folder_;
};

TEST_F(GnuplotTest, RunsInTheFolderItIsGiven) {
  ASSERT_TRUE(Run("gnuplot", "set print 'out.txt'\nprint 6 * 7\n").ok());
  EXPECT_EQ(ReadFile(folder_.path() / "out.txt").value(), "42\n");
}

TEST_F(GnuplotTest, AMissingProgramSaysWhatToInstall) {
  for (const char* program : {"no-such-gnuplot", "./no-such-gnuplot"}) {
    const absl::Status status = Run(program, "");
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(
        status.message(),
        AllOf(HasSubstr("cannot start \"" + std::string(program) + "\""),
              HasSubstr("apt-get install gnuplot-nox"), HasSubstr("report.gnuplot"),
              HasSubstr("No such file or directory")));
  }
}

TEST_F(GnuplotTest, IsFoundAsItWouldBeStarted) {
  EXPECT_TRUE(FindGnuplot("gnuplot").ok());
  EXPECT_TRUE(FindGnuplot(folder_.Program("mine", "exit 0")).ok());
  for (const std::string& program :
       {std::string("no-such-gnuplot"), folder_.path().string()}) {
    const absl::Status status = FindGnuplot(program);
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(status.message(), AllOf(HasSubstr("cannot start \"" + program + "\""),
                                        HasSubstr("apt-get install gnuplot-nox")));
  }
}

TEST_F(GnuplotTest, AnErrorInTheScriptComesBackInItsOwnWords) {
  const absl::Status status = Run("gnuplot", "plot 'no-such-data.csv'\n");
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(status.message(),
              AllOf(HasSubstr("gnuplot script.gp failed with exit status"),
                    HasSubstr("no-such-data.csv")));
}

TEST_F(GnuplotTest, KeepsTheEndOfALongComplaint) {
  const std::string program = folder_.Program(
      "talker", "i=0\nwhile [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done\nexit 3");
  const absl::Status status = Run(program, "");
  EXPECT_THAT(status.message(),
              AllOf(HasSubstr("exit status 3"), HasSubstr("line 19999")));
  EXPECT_LT(status.message().size(), 1500u);
}

TEST_F(GnuplotTest, ADeathBySignalIsNamed) {
  const absl::Status status = Run(folder_.Program("dies", "kill -9 $$"), "");
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(status.message(), AllOf(HasSubstr("stopped by signal 9 (Killed)"),
                                      HasSubstr("said nothing")));
}

TEST_F(GnuplotTest, NothingInAStringIsExpanded) {
  const std::string nasty = "it's `touch stolen` \"x\" $HOME @y %d {/:Bold z}";
  ASSERT_TRUE(
      Run("gnuplot", "set print 'out.txt'\ns = " + GnuplotString(nasty) + "\nprint s\n")
          .ok());
  EXPECT_EQ(ReadFile(folder_.path() / "out.txt").value(), nasty + "\n");
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "stolen"));
  EXPECT_EQ(GnuplotString("a\nquit"), "'a quit'");
}

constexpr char kThreePictures[] =
    "set print 'a.svg'\nprint 'svg'\nset print 'a.pdf'\nprint 'pdf'\n"
    "set print 'a.png'\nprint 'png'\n";

TEST_F(GnuplotTest, AFigureIsDrawnAgainOnlyWhenItsScriptDataOrPicturesChanged) {
  const auto draw = [&](const char* program, const std::string& csv,
                        const std::string& script) {
    return DrawWithGnuplot(program, folder_.path(), "a", csv, script);
  };
  ASSERT_TRUE(draw("gnuplot", "1\n", kThreePictures).ok());
  EXPECT_EQ(ReadFile(folder_.path() / "a.gp").value(), kThreePictures);
  EXPECT_EQ(ReadFile(folder_.path() / "a.csv").value(), "1\n");
  EXPECT_EQ(ReadFile(folder_.path() / "a.pdf").value(), "pdf\n");
  // A program that is not there tells whether it was asked for.
  EXPECT_TRUE(draw("no-such-gnuplot", "1\n", kThreePictures).ok());
  EXPECT_FALSE(draw("no-such-gnuplot", "2\n", kThreePictures).ok());
  EXPECT_FALSE(
      draw("no-such-gnuplot", "1\n", std::string(kThreePictures) + "# other\n").ok());
  std::filesystem::remove(folder_.path() / "a.png");
  EXPECT_FALSE(draw("no-such-gnuplot", "1\n", kThreePictures).ok());
  EXPECT_EQ(ReadFile(folder_.path() / "a.gp").value(), kThreePictures);
  EXPECT_TRUE(draw("gnuplot", "1\n", kThreePictures).ok());
  EXPECT_EQ(ReadFile(folder_.path() / "a.png").value(), "png\n");
}

}  // namespace
}  // namespace iat
