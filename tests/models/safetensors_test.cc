#include "models/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "base/file.h"
#include "models/torch.h"

namespace iat {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class SafetensorsTest : public ::testing::Test {
 protected:
  SafetensorsTest()
      : path_(fs::path(::testing::TempDir()) /
              ("safetensors_test-" + std::to_string(::getpid()) + ".safetensors")) {
    file_.tensors["a.weight"] = torch::arange(6, torch::kFloat32).reshape({2, 3}).t();
    file_.tensors["count"] = torch::tensor(7, torch::kInt64);
    file_.tensors["empty"] = torch::empty({0, 3}, torch::kFloat64);
    file_.metadata["animal"] = "seed-001";
  }
  ~SafetensorsTest() override { fs::remove(path_); }

  std::string MessageAfter(const std::string& bytes) {
    std::ofstream(path_, std::ios::binary) << bytes;
    const auto file = ReadTensors(path_);
    EXPECT_FALSE(file.ok());
    return std::string(file.status().message());
  }

  fs::path path_;
  TensorFile file_;
};

TEST_F(SafetensorsTest, GivesBackNamesShapesValuesAndMetadata) {
  ASSERT_TRUE(WriteTensors(path_, file_).ok());
  const auto back = ReadTensors(path_);
  ASSERT_TRUE(back.ok()) << back.status();
  ASSERT_EQ(back->tensors.size(), 3u);
  for (const auto& [name, tensor] : file_.tensors) {
    EXPECT_TRUE(torch::equal(back->tensors.at(name), tensor)) << name;
  }
  EXPECT_EQ(back->metadata.at("animal"), "seed-001");
  EXPECT_EQ(ReadTensorMetadata(path_)->at("animal"), "seed-001");
}

// It has no memory to copy to; the sanitizers' preset watches.
TEST_F(SafetensorsTest, AnEmptyTensorKeepsItsShape) {
  ASSERT_TRUE(
      WriteTensors(path_, {.tensors = {{"none", torch::empty({0, 7})}}, .metadata = {}})
          .ok());
  const auto back = ReadTensors(path_);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->tensors.at("none").sizes(), (std::vector<int64_t>{0, 7}));
}

TEST_F(SafetensorsTest, ATruncatedFileNamesTheTensorAndTheSizes) {
  ASSERT_TRUE(WriteTensors(path_, file_).ok());
  const std::string bytes = *ReadFile(path_);
  EXPECT_THAT(
      MessageAfter(bytes.substr(0, bytes.size() - 4)),
      HasSubstr("tensor \"count\": its values end at byte 32, the file holds 28; the "
                "file is truncated"));
  EXPECT_THAT(MessageAfter(bytes.substr(0, 40)), HasSubstr("it is truncated"));
  EXPECT_THAT(MessageAfter("abc"),
              HasSubstr("3 bytes; a safetensors file has at least 8"));
}

TEST_F(SafetensorsTest, DamagedValuesFailTheChecksum) {
  ASSERT_TRUE(WriteTensors(path_, file_).ok());
  std::string bytes = *ReadFile(path_);
  bytes.back() ^= 1;
  EXPECT_THAT(MessageAfter(bytes), HasSubstr("do not match its checksum"));
}

TEST_F(SafetensorsTest, HostileHeadersAreRefused) {
  const auto with_header = [](const std::string& json) {
    const uint64_t length = json.size();
    return std::string(reinterpret_cast<const char*>(&length), 8) + json;
  };
  EXPECT_THAT(
      MessageAfter(with_header("{\"a\":" + std::string(200'000, '[') +
                               std::string(200'000, ']') + "}")),
      HasSubstr("the header nests lists or objects more than 16 deep; it is not a"));
  EXPECT_THAT(MessageAfter(with_header("[]")), HasSubstr("not a JSON object"));
  EXPECT_THAT(
      MessageAfter(with_header(
          R"({"a":{"dtype":"F32","shape":[4611686018427387904,8],"data_offsets":[0,0]}})")),
      HasSubstr("tensor \"a\": shape"));
  // No values at all, but sizes whose product is beyond any integer.
  EXPECT_THAT(
      MessageAfter(with_header(R"({"a":{"dtype":"F32","shape":[0,9223372036854775807,4],)"
                               R"("data_offsets":[0,0]}})")),
      HasSubstr("is no tensor's"));
  EXPECT_THAT(MessageAfter(with_header(
                  R"({"a":{"dtype":"F8_E4M3","shape":[0],"data_offsets":[0,0]}})")),
              HasSubstr("has type F8_E4M3"));
  EXPECT_THAT(MessageAfter(with_header(R"({"a":{"shape":[0]}})")),
              HasSubstr("lacks dtype"));
}

}  // namespace
}  // namespace iat
