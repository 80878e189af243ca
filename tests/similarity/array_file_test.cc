// Matrices that other programs saved: what is read, and what is said about the rest.

#include "similarity/array_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "base/netcdf.h"
#include "tests/similarity/synthetic.h"

namespace iat {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

class ArrayFileTest : public ::testing::Test {
 protected:
  ArrayFileTest()
      : folder_(fs::path(::testing::TempDir()) /
                absl::StrCat("array_file_test-", ::getpid())) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~ArrayFileTest() override { fs::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ / name; }

  std::string Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(Path(name), std::ios::binary) << bytes;
    return Path(name);
  }

  // A version 1 header as numpy.save pads it.
  static std::string NpyHeader(const std::string& type, const std::string& order,
                               const std::string& shape) {
    std::string text = absl::StrCat("{'descr': '", type, "', 'fortran_order': ", order,
                                    ", 'shape': ", shape, ", }");
    while ((10 + text.size() + 1) % 64 != 0) text += ' ';
    text += '\n';
    std::string bytes("\x93NUMPY\x01\x00", 8);
    bytes += static_cast<char>(text.size() & 0xff);
    bytes += static_cast<char>(text.size() >> 8);
    return bytes + text;
  }

  template <typename T>
  static std::string Bytes(const std::vector<T>& values) {
    return std::string(reinterpret_cast<const char*>(values.data()),
                       values.size() * sizeof(T));
  }

  void ExpectError(const std::string& place, absl::StatusCode code,
                   const std::string& message) const {
    const auto array = ReadArray(place);
    ASSERT_FALSE(array.ok());
    EXPECT_EQ(array.status().code(), code) << array.status();
    EXPECT_EQ(array.status().message(), message);
  }

  // 2 x 3, saved as T in `type`, in C and in Fortran order.
  template <typename T>
  void ExpectRead(const std::string& type) const {
    Eigen::MatrixXd expected(2, 3);
    expected << 0, 1, 2, 3, 4, 5;
    const std::vector<T> by_row = {0, 1, 2, 3, 4, 5}, by_column = {0, 3, 1, 4, 2, 5};
    for (const bool fortran : {false, true}) {
      const auto array =
          ReadArray(Write("a.npy", NpyHeader(type, fortran ? "True" : "False", "(2, 3)") +
                                       Bytes(fortran ? by_column : by_row)));
      ASSERT_TRUE(array.ok()) << type << ": " << array.status();
      EXPECT_EQ(array->values, expected) << type;
      EXPECT_TRUE(array->stimulus_ids.empty());
    }
  }

  const fs::path folder_;
};

TEST_F(ArrayFileTest, NumbersOfEveryKindInBothOrders) {
  ExpectRead<double>("<f8");
  ExpectRead<float>("<f4");
  ExpectRead<int64_t>("<i8");
  ExpectRead<int32_t>("<i4");
  ExpectRead<int16_t>("<i2");
  ExpectRead<int8_t>("|i1");
  ExpectRead<uint64_t>("<u8");
  ExpectRead<uint32_t>("<u4");
  ExpectRead<uint16_t>("<u2");
  ExpectRead<uint8_t>("|u1");
  ExpectRead<uint8_t>("|b1");
}

TEST_F(ArrayFileTest, HalfPrecisionAndTheOtherByteOrder) {
  // 1.5, -2, the smallest subnormal, the largest number.
  const auto half =
      ReadArray(Write("half.npy", NpyHeader("<f2", "False", "(2, 2)") +
                                      Bytes<uint16_t>({0x3e00, 0xc000, 0x0001, 0x7bff})));
  ASSERT_TRUE(half.ok()) << half.status();
  EXPECT_EQ(
      half->values,
      (Eigen::MatrixXd(2, 2) << 1.5, -2.0, std::ldexp(1.0, -24), 65504.0).finished());
  const auto big = ReadArray(Write("big.npy", NpyHeader(">i2", "False", "(1, 2)") +
                                                  std::string("\x01\x02\xff\xfe", 4)));
  ASSERT_TRUE(big.ok()) << big.status();
  EXPECT_EQ(big->values, (Eigen::MatrixXd(1, 2) << 258.0, -2.0).finished());
}

TEST_F(ArrayFileTest, LongerHeadersOfVersion2) {
  std::string bytes = NpyHeader("<f8", "False", "(1, 2)") + Bytes<double>({7.0, 8.0});
  bytes[6] = 2;
  bytes.insert(10, std::string("\0\0", 2));
  const auto array = ReadArray(Write("a.npy", bytes));
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_EQ(array->values, (Eigen::MatrixXd(1, 2) << 7.0, 8.0).finished());
}

TEST_F(ArrayFileTest, LargerThanABandOfRows) {
  const Eigen::MatrixXd x = NormalMatrix(150, 40, 1);
  const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> rows = x;
  const std::string body(reinterpret_cast<const char*>(rows.data()),
                         rows.size() * sizeof(double));
  const auto array =
      ReadArray(Write("a.npy", NpyHeader("<f8", "False", "(150, 40)") + body));
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_EQ(array->values, x);
}

TEST_F(ArrayFileTest, NpyFilesThatAreCutShortOrHoldSomethingElse) {
  using enum absl::StatusCode;
  const std::string header = NpyHeader("<f8", "False", "(2, 3)");
  const std::string path = Path("a.npy");
  Write("a.npy", header + Bytes<double>({1, 2, 3, 4, 5}));
  ExpectError(
      path, kDataLoss,
      path + ": cut short: 2 x 3 elements of 8 bytes take 48 bytes, there are 40");
  Write("a.npy", header + Bytes<double>({1, 2, 3, 4, 5, 6, 7}));
  ExpectError(path, kDataLoss,
              path +
                  ": has bytes left over: 2 x 3 elements of 8 bytes take 48 bytes, "
                  "there are 56");
  Write("a.npy", header.substr(0, 50));
  ExpectError(path, kDataLoss, path + ": cut short within the .npy header (50 bytes)");
  Write("a.npy", NpyHeader("<f8", "False", "(6,)") + Bytes<double>({1, 2, 3, 4, 5, 6}));
  ExpectError(path, kInvalidArgument,
              path + ": has shape (6); expected 2 dimensions, stimuli x units");
  Write("a.npy", NpyHeader("<f8", "False", "(1, 2, 1)") + Bytes<double>({1, 2}));
  ExpectError(path, kInvalidArgument,
              path + ": has shape (1, 2, 1); expected 2 dimensions, stimuli x units");
  Write("a.npy", NpyHeader("<f8", "False", "(0, 3)"));
  ExpectError(path, kInvalidArgument, path + ": has shape (0, 3): no responses");
  const char* kTypes = "); expected floats of 2, 4 or 8 bytes, integers or booleans";
  Write("a.npy", NpyHeader("<c16", "False", "(1, 1)") + Bytes<double>({1, 2}));
  ExpectError(path, kInvalidArgument,
              path + ": holds complex numbers (dtype '<c16'" + kTypes);
  Write("a.npy", NpyHeader("|O", "False", "(1, 1)"));
  ExpectError(path, kInvalidArgument,
              path + ": holds Python objects (dtype '|O'" + kTypes);
  Write("a.npy", NpyHeader("<U5", "False", "(1, 1)"));
  ExpectError(path, kInvalidArgument, path + ": holds text (dtype '<U5'" + kTypes);
  Write("a.npy", NpyHeader("<f8", "False", "(99999999999, 99999999999)"));
  ExpectError(path, kInvalidArgument,
              path + ": has shape (99999999999, 99999999999), which is too large");
}

TEST_F(ArrayFileTest, ValuesThatAreNotFiniteAreNamedAsNumPyCountsThem) {
  const double nan = std::nan("");
  const std::string path = Write(
      "a.npy", NpyHeader("<f8", "False", "(2, 3)") + Bytes<double>({1, 2, 3, 4, 5, nan}));
  ExpectError(path, absl::StatusCode::kInvalidArgument,
              path + ": [1, 2] is nan; expected finite responses");
}

TEST_F(ArrayFileTest, FilesOfOtherKindsAreNamed) {
  using enum absl::StatusCode;
  ExpectError(Path("none.npy"), kNotFound, Path("none.npy") + ": no such file");
  ExpectError(folder_, kNotFound,
              folder_.string() +
                  ": a folder; expected a .npy or .csv file, or FILE:VARIABLE of netCDF "
                  "or HDF5");
  ExpectError(Write("empty.npy", ""), kInvalidArgument,
              Path("empty.npy") + ": empty, or cannot be read");
  ExpectError(Write("a.npz", "PK\x03\x04rest of it"), kInvalidArgument,
              Path("a.npz") +
                  ": an archive (.npz?); save the one array with numpy.save, or both as "
                  "variables of a netCDF file");
  ExpectError(Write("a.mat", "MATLAB 5.0 MAT-file"), kInvalidArgument,
              Path("a.mat") + ": a MATLAB file older than 7.3; save it with -v7.3");
  Write("b.csv", "1,2\n");
  ExpectError(Path("b.csv") + ":x", kInvalidArgument,
              Path("b.csv") +
                  ": has no variables such as \"x\"; only netCDF and HDF5 files have");
}

TEST_F(ArrayFileTest, CsvWithAndWithoutNames) {
  const Eigen::MatrixXd expected =
      (Eigen::MatrixXd(2, 3) << 1, 2.5, -3, 4, 5e-3, 6).finished();
  for (const char* text : {"1,2.5,-3\n4,5e-3,6\n", "a,b,c\n1, 2.5,-3\r\n4,5e-3,6\r\n"}) {
    const auto array = ReadArray(Write("a.csv", text));
    ASSERT_TRUE(array.ok()) << array.status();
    EXPECT_EQ(array->values, expected);
    EXPECT_TRUE(array->stimulus_ids.empty());
  }
  for (const char* first : {"", "stimulus_id"}) {
    const auto array = ReadArray(
        Write("a.csv", absl::StrCat(first, ",0,1,2\ncat,1,2.5,-3\ndog,4,5e-3,6\n")));
    ASSERT_TRUE(array.ok()) << array.status();
    EXPECT_EQ(array->values, expected);
    EXPECT_THAT(array->stimulus_ids, ElementsAre("cat", "dog"));
  }
  using enum absl::StatusCode;
  const std::string path = Write("a.csv", "a,b\n1,2\n3,four\n");
  ExpectError(path, kInvalidArgument, path + ": [1, 1] is \"four\"; expected a number");
  Write("a.csv", ",a\ncat,1\ncat,2\n");
  ExpectError(path, kInvalidArgument, path + ": stimulus id \"cat\" occurs twice");
  EXPECT_THAT(ReadArray(Write("a.csv", "1,2\n3\n")).status().message(),
              HasSubstr("a.csv:2"));
}

// A file with groups, names, packed and missing values.
class NetcdfArrayTest : public ArrayFileTest {
 protected:
  NetcdfArrayTest() {
    auto file = NetcdfFile::Create(Path("a.nc"));
    EXPECT_TRUE(file.ok()) << file.status();
    const int id = file->id();
    const int stimulus = *file->AddDimension("stimulus", 2);
    const int unit = *file->AddDimension("unit", 3);
    const int both[] = {stimulus, unit};
    int responses = 0, packed = 0, cube = 0, group = 0, inner = 0, names = 0;
    const std::lock_guard<std::mutex> lock(NetcdfMutex());
    nc_def_var(id, "responses", NC_FLOAT, 2, both, &responses);
    nc_def_var(id, "packed", NC_SHORT, 2, both, &packed);
    const double scale = 0.5, offset = 10.0;
    const short missing = -99;
    nc_put_att_double(id, packed, "scale_factor", NC_DOUBLE, 1, &scale);
    nc_put_att_double(id, packed, "add_offset", NC_DOUBLE, 1, &offset);
    nc_put_att_short(id, packed, "_FillValue", NC_SHORT, 1, &missing);
    nc_def_var(id, "stimulus_id", NC_STRING, 1, &stimulus, &names);
    const int three[] = {stimulus, unit, unit};
    nc_def_var(id, "cube", NC_INT, 3, three, &cube);
    nc_def_grp(id, "brain", &group);
    nc_def_var(group, "V1", NC_DOUBLE, 2, both, &inner);
    const float values[] = {0, 1, 2, 3, 4, 5};
    const double doubles[] = {5, 4, 3, 2, 1, 0.25};
    const short shorts[] = {0, 1, 2, 3, 4, 5};
    const char* ids[] = {"cat", "dog"};
    nc_put_var_float(id, responses, values);
    nc_put_var_short(id, packed, shorts);
    nc_put_var_double(group, inner, doubles);
    nc_put_var_string(id, names, ids);
  }
};

TEST_F(NetcdfArrayTest, VariablesAndVariablesInGroups) {
  const auto array = ReadArray(Path("a.nc") + ":responses");
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_EQ(array->values, (Eigen::MatrixXd(2, 3) << 0, 1, 2, 3, 4, 5).finished());
  EXPECT_THAT(array->stimulus_ids, ElementsAre("cat", "dog"));
  for (const char* name : {":brain/V1", ":/brain/V1"}) {
    const auto inner = ReadArray(Path("a.nc") + name);
    ASSERT_TRUE(inner.ok()) << inner.status();
    EXPECT_EQ(inner->values, (Eigen::MatrixXd(2, 3) << 5, 4, 3, 2, 1, 0.25).finished());
  }
}

TEST_F(NetcdfArrayTest, PackedValuesAreUnpackedAndMissingOnesNamed) {
  const auto array = ReadArray(Path("a.nc") + ":packed");
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_EQ(array->values,
            (Eigen::MatrixXd(2, 3) << 10, 10.5, 11, 11.5, 12, 12.5).finished());
  {
    const std::lock_guard<std::mutex> lock(NetcdfMutex());
    int id = 0, packed = 0;
    ASSERT_EQ(nc_open(Path("a.nc").c_str(), NC_WRITE, &id), NC_NOERR);
    nc_inq_varid(id, "packed", &packed);
    const size_t place[] = {1, 0};
    const short missing = -99;
    nc_put_var1_short(id, packed, place, &missing);
    ASSERT_EQ(nc_close(id), NC_NOERR);
  }
  const std::string name = Path("a.nc") + ":packed";
  ExpectError(name, absl::StatusCode::kInvalidArgument,
              name + ": [1, 0] is nan; expected finite responses");
}

TEST_F(NetcdfArrayTest, WhatItHoldsIsNamedWhenTheVariableIsNot) {
  using enum absl::StatusCode;
  const std::string path = Path("a.nc");
  const std::string held = "; it holds responses, packed, brain/V1";
  ExpectError(path, kInvalidArgument,
              path + ": which variable? Give FILE:VARIABLE" + held);
  ExpectError(path + ":conv1", kNotFound, path + ": no variable conv1" + held);
  ExpectError(path + ":brain/V2", kNotFound, path + ": no variable brain/V2" + held);
  ExpectError(
      path + ":cube", kInvalidArgument,
      path + ":cube: has shape (2, 3, 3); expected 2 dimensions, stimuli x units");
  ExpectError(path + ":stimulus_id", kInvalidArgument,
              path + ":stimulus_id: holds no numbers; expected floats or integers");
  Write("cut.nc", "\x89HDF\r\n\x1a\n and no more");
  const auto cut = ReadArray(Path("cut.nc") + ":x");
  EXPECT_THAT(cut.status().message(), HasSubstr("cannot open " + Path("cut.nc")));
}

TEST_F(NetcdfArrayTest, StimuliAreMatchedByNameOrByRow) {
  const auto source = ReadArray(Path("a.nc") + ":responses");
  ASSERT_TRUE(source.ok());
  auto target = ReadArray(Write("b.csv", ",u\ndog,4\ncat,3\n"));
  ASSERT_TRUE(target.ok());
  ASSERT_TRUE(MatchStimuli(*source, *target).ok());
  EXPECT_EQ(target->values, (Eigen::MatrixXd(2, 1) << 3, 4).finished());

  auto other = ReadArray(Write("b.csv", ",u\ndog,4\ncow,3\n"));
  EXPECT_EQ(MatchStimuli(*source, *other).message(),
            absl::StrCat(source->name, " has 2 stimuli, ", other->name,
                         " has 2 (first missing there: \"cat\"); expected responses to "
                         "the same stimuli"));
  auto more = ReadArray(Write("b.csv", ",u\ndog,4\ncat,3\ncow,5\n"));
  EXPECT_THAT(std::string(MatchStimuli(*source, *more).message()),
              EndsWith("has 2 (first missing there: \"cow\"); expected responses to the "
                       "same stimuli"));
  auto nameless = ReadArray(Write("b.csv", "u\n4\n3\n5\n"));
  EXPECT_EQ(MatchStimuli(*source, *nameless).message(),
            absl::StrCat(source->name, " has 2 stimuli, ", nameless->name,
                         " has 3; expected responses to the same stimuli"));
  nameless = ReadArray(Write("b.csv", "u\n4\n3\n"));
  ASSERT_TRUE(MatchStimuli(*source, *nameless).ok());
  EXPECT_EQ(nameless->values, (Eigen::MatrixXd(2, 1) << 4, 3).finished());
}

TEST_F(ArrayFileTest, AnArrayThatNumPySaved) {
  const std::string script =
      "import numpy; numpy.save('" + Path("a.npy") +
      "', numpy.arange(6, dtype='f2').reshape(3, 2).T)";  // Fortran order
  if (std::system("/usr/bin/python3 -c 'import numpy' 2>/dev/null") != 0) {
    GTEST_SKIP() << "needs python3 with numpy";
  }
  ASSERT_EQ(std::system(("/usr/bin/python3 -c \"" + script + "\"").c_str()), 0);
  const auto array = ReadArray(Path("a.npy"));
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_EQ(array->values, (Eigen::MatrixXd(2, 3) << 0, 2, 4, 1, 3, 5).finished());
}

}  // namespace
}  // namespace iat
