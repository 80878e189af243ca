#include "neural/hdf5_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include "base/file.h"
#include "neural/array_store.h"
#include "neural/contained.h"
#include "tests/neural/hdf5_writer.h"
#include "tests/neural/test_folder.h"

namespace iat {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Hdf5FileTest : public ::testing::Test {
 protected:
  Hdf5File Open() {
    auto file = Hdf5File::Open(path_);
    EXPECT_TRUE(file.ok()) << file.status();
    return *std::move(file);
  }
  template <typename T>
  static std::string Message(const absl::StatusOr<T>& result) {
    return std::string(result.status().message());
  }

  TestFolder folder_;
  const std::filesystem::path path_ = folder_ / "file.h5";
};

TEST_F(Hdf5FileTest, ReadsEveryKindOfValue) {
  {
    Hdf5Writer writer(path_);
    writer.Numbers("/a/u8", H5T_STD_U8LE, {2, 3}, {1, 2, 3, 4, 5, 250}, {1, 2});
    writer.Numbers("/a/i32_big", H5T_STD_I32BE, {2}, {-7, 8});
    writer.Numbers("/a/f32", H5T_IEEE_F32LE, {3}, {-1.0, 117.0, 0.5});
    writer.Numbers("/a/frame", H5T_IEEE_F64LE, {3}, {-1.0, 117.0, 0.0});
    writer.Booleans("/a/valid", {true, false, true});
    writer.Strings("/a/names", {"good", "", "nöise"});
    writer.Text("/a/one", "alone");
    writer.FixedText("/a/fixed", "VISp");
    writer.Numbers("/a/scalar", H5T_STD_I16LE, {}, {42});
    writer.Attribute("/a", "area", "V1");
  }
  const Hdf5File file = Open();
  EXPECT_THAT(*file.ReadNumbers("/a/u8", {2, -1}), ElementsAre(1, 2, 3, 4, 5, 250));
  EXPECT_THAT(*file.ReadRows("/a/u8", 1, 1), ElementsAre(4, 5, 250));
  EXPECT_TRUE(file.ReadRows("/a/u8", 2, 0)->empty());
  EXPECT_THAT(*file.ReadIntegers("/a/i32_big", {2}), ElementsAre(-7, 8));
  EXPECT_THAT(*file.ReadIntegers("/a/frame", {3}), ElementsAre(-1, 117, 0));
  EXPECT_THAT(*file.ReadIntegers("/a/valid", {3}), ElementsAre(1, 0, 1));
  EXPECT_THAT(*file.ReadNumbers("/a/valid", {3}), ElementsAre(1, 0, 1));
  EXPECT_THAT(*file.ReadRows("/a/valid", 1, 2), ElementsAre(0, 1));
  EXPECT_THAT(*file.ReadStrings("/a/names"), ElementsAre("good", "", "nöise"));
  EXPECT_EQ(*file.ReadText("/a/one"), "alone");
  EXPECT_EQ(*file.ReadText("/a/fixed"), "VISp");
  EXPECT_THAT(*file.ReadNumbers("/a/scalar", {}), ElementsAre(42));
  EXPECT_EQ(*file.TextAttribute("/a", "area"), "V1");
  EXPECT_EQ(file.Describe("/a/u8")->type, "uint8");
  EXPECT_THAT(file.Describe("/a/u8")->shape, ElementsAre(2, 3));
  EXPECT_TRUE(file.Has("/a"));
  EXPECT_FALSE(file.Has("/b/c"));
  EXPECT_TRUE(file.IsDataset("/a/u8"));
  EXPECT_FALSE(file.IsDataset("/a"));
  EXPECT_EQ(file.Children("/a")->size(), 9u);
  EXPECT_EQ(*file.FirstOf({"/x", "/a/f32"}), "/a/f32");
}

TEST_F(Hdf5FileTest, SaysWhatIsMissingOrOfAnotherKind) {
  {
    Hdf5Writer writer(path_);
    writer.Numbers("/a/f32", H5T_IEEE_F32LE, {3}, {-1.0, 117.0, 0.5});
    writer.Strings("/a/names", {"x", "y"});
    writer.Group("/g");
  }
  const Hdf5File file = Open();
  const std::string path = path_.string();
  EXPECT_EQ(Message(file.ReadNumbers("/a/none", {-1})),
            path + ": /a/none: there is no such dataset or group");
  EXPECT_EQ(Message(file.ReadNumbers("/b/none", {-1})),
            path + ": /b/none: there is no /b");
  EXPECT_EQ(Message(file.ReadNumbers("/a/f32", {4})),
            path + ": /a/f32: its shape is 3; expected 4");
  EXPECT_EQ(Message(file.ReadNumbers("/a/f32", {-1, 2})),
            path + ": /a/f32: its shape is 3; expected any x 2");
  EXPECT_EQ(Message(file.ReadIntegers("/a/f32", {3})),
            path + ": /a/f32: value 2 is 0.5; expected a whole number");
  EXPECT_EQ(Message(file.ReadNumbers("/a/names", {2})),
            path + ": /a/names: it holds text; expected numbers");
  EXPECT_EQ(Message(file.ReadStrings("/a/f32")),
            path + ": /a/f32: it holds float32; expected text");
  EXPECT_EQ(Message(file.ReadText("/a/names")),
            path + ": /a/names: 2 texts; expected one");
  EXPECT_EQ(Message(file.ReadNumbers("/g", {1})),
            path + ": /g: a group; expected a dataset");
  EXPECT_EQ(Message(file.ReadRows("/a/f32", 2, 2)),
            path + ": /a/f32: its shape is 3; there are no rows 2 to 3");
  EXPECT_EQ(Message(file.TextAttribute("/a", "area")),
            path + ": /a: attribute area: there is none");
  EXPECT_EQ(Message(file.FirstOf({"/x", "/y"})), path + ": there is no /x and no /y");
}

TEST_F(Hdf5FileTest, RefusesHostileSizesBeforeAllocating) {
  {
    Hdf5Writer writer(path_);
    // A terabyte of fill values, and one chunk of 8 GiB.
    writer.Dataset("/huge", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, {hsize_t{1} << 37},
                   nullptr, {1024});
    writer.Dataset("/sparse", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, {hsize_t{1} << 24},
                   nullptr, {1024});
    writer.Dataset("/chunk", H5T_STD_U8LE, H5T_NATIVE_DOUBLE, {4, hsize_t{1} << 31},
                   nullptr, {1, hsize_t{1} << 31});
    writer.Dataset("/overflow", H5T_STD_U8LE, H5T_NATIVE_DOUBLE,
                   {hsize_t{1} << 40, hsize_t{1} << 40}, nullptr, {16, 16});
    writer.Doubles("/small", {1, 2, 3});
  }
  const Hdf5File file = Open();
  EXPECT_THAT(Message(file.ReadNumbers("/huge", {-1})),
              HasSubstr("expected at most 4294967296 bytes"));
  EXPECT_THAT(Message(file.ReadNumbers("/sparse", {-1})),
              HasSubstr("it claims 134217728 bytes, but the file stores 0"));
  EXPECT_THAT(Message(file.ReadRows("/chunk", 0, 1)), HasSubstr("at most 1 GiB each"));
  EXPECT_THAT(Message(file.ReadNumbers("/overflow", {-1, -1})),
              HasSubstr("more than 2^62 values"));
  auto limited = Hdf5File::Open(path_, {.max_bytes = 16});
  ASSERT_TRUE(limited.ok());
  EXPECT_THAT(Message(limited->ReadNumbers("/small", {3})),
              HasSubstr("3 values of 8 bytes; expected at most 16 bytes"));
  EXPECT_THAT(*limited->ReadRows("/small", 1, 2), ElementsAre(2, 3));
}

TEST_F(Hdf5FileTest, DoesNotLeaveTheFile) {
  const std::filesystem::path other = folder_ / "other.h5";
  {
    Hdf5Writer writer(other);
    writer.Doubles("/secret", {1, 2, 3});
  }
  {
    Hdf5Writer writer(path_);
    H5Lcreate_external(other.c_str(), "/secret", writer.id(), "/outside", H5P_DEFAULT,
                       H5P_DEFAULT);
    H5Lcreate_soft("/nowhere", writer.id(), "/dangling", H5P_DEFAULT, H5P_DEFAULT);
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(creation, other.c_str(), 0, 24);
    const hsize_t side = 3;
    const hid_t space = H5Screate_simple(1, &side, nullptr);
    H5Dclose(H5Dcreate2(writer.id(), "/external", H5T_IEEE_F64LE, space, H5P_DEFAULT,
                        creation, H5P_DEFAULT));
    H5Sclose(space);
    H5Pclose(creation);
  }
  const Hdf5File file = Open();
  EXPECT_THAT(Message(file.ReadNumbers("/outside", {-1})),
              HasSubstr("/outside is a link to another file, which is not followed"));
  EXPECT_THAT(Message(file.ReadNumbers("/dangling", {-1})),
              HasSubstr("the link /dangling leads nowhere"));
  EXPECT_THAT(Message(file.ReadNumbers("/external", {-1})),
              HasSubstr("its values lie in other files"));
}

TEST_F(Hdf5FileTest, RefusesWhatIsNoHdf5) {
  EXPECT_THAT(Message(Hdf5File::Open(folder_ / "none.h5")), HasSubstr("No such file"));
  EXPECT_THAT(Message(Hdf5File::Open(folder_.path())), HasSubstr("not a file"));
  std::ofstream(path_) << "text";
  EXPECT_TRUE(absl::IsDataLoss(Hdf5File::Open(path_).status()));
  EXPECT_THAT(Message(Hdf5File::Open(path_)), HasSubstr("cannot open it as HDF5"));
  std::ofstream(path_) << "CDF\x02 and more";
  EXPECT_THAT(Message(Hdf5File::Open(path_)), HasSubstr("nccopy -k nc4"));
}

TEST_F(Hdf5FileTest, ADamagedChunkIsDataLossByName) {
  {
    Hdf5Writer writer(path_);
    std::vector<double> values(4096);
    for (size_t i = 0; i < values.size(); ++i) values[i] = 1.0 / (i + 1.0);
    writer.Numbers("/data", H5T_IEEE_F64LE, {4096}, values, {4096});
  }
  std::string bytes = *ReadFile(path_);
  // The compressed chunk is most of the file.
  for (size_t i = bytes.size() / 2; i < bytes.size() / 2 + 64; ++i) bytes[i] ^= 0x55;
  std::ofstream(path_, std::ios::binary) << bytes;
  const auto values = Open().ReadNumbers("/data", {-1});
  EXPECT_TRUE(absl::IsDataLoss(values.status())) << values.status();
  EXPECT_THAT(Message(values), HasSubstr("/data: cannot read its values"));
}

TEST(PatternTest, CapturesNames) {
  std::map<std::string, std::string> captured;
  EXPECT_TRUE(MatchesPattern("session_{animal}", "session_07", captured));
  EXPECT_EQ(captured["animal"], "07");
  captured.clear();
  EXPECT_TRUE(MatchesPattern("{animal}-{area}.x", "m1-V1.x", captured));
  EXPECT_EQ(captured["animal"], "m1");
  EXPECT_EQ(captured["area"], "V1");
  EXPECT_FALSE(MatchesPattern("session_{animal}", "session_", captured));
  EXPECT_FALSE(MatchesPattern("a", "ab", captured));
  captured = {{"animal", "m1"}};
  EXPECT_FALSE(MatchesPattern("{animal}", "m2", captured));
  EXPECT_EQ(FillPattern("/{animal}/ids", captured), "/m1/ids");
}

TEST(ContainedTest, GivesBackTextsAndErrors) {
  EXPECT_EQ(*RunContained("x", [] { return std::string("done"); }), "done");
  const auto failed = RunContained("x", []() -> absl::StatusOr<std::string> {
    return absl::NotFoundError("no such thing");
  });
  EXPECT_EQ(failed.status(), absl::NotFoundError("no such thing"));
  const std::string large(1 << 20, 'x');
  EXPECT_EQ(*RunContained("x", [&] { return large; }), large);
}

TEST(ContainedTest, ACrashIsAStatus) {
  const auto crashed = RunContained("bad.nwb", []() -> absl::StatusOr<std::string> {
    std::signal(SIGSEGV, SIG_DFL);
    std::raise(SIGSEGV);
    return std::string();
  });
  EXPECT_TRUE(absl::IsDataLoss(crashed.status()));
  EXPECT_THAT(std::string(crashed.status().message()),
              HasSubstr("bad.nwb: reading it ended with signal 11"));
  const auto left =
      RunContained("bad.nwb", []() -> absl::StatusOr<std::string> { ::_exit(3); });
  EXPECT_THAT(std::string(left.status().message()),
              HasSubstr("ended with exit code 3 and no answer"));
}

}  // namespace
}  // namespace iat
