#include "models/state_dict_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "absl/strings/str_replace.h"
#include "base/file.h"
#include "models/torch.h"
#include "models/zip_archive.h"
#include "tests/models/golden_state_dicts.h"

namespace iat {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::string_literals;

constexpr char kEmptyPickle[] = "\x80\x02}.";

std::string BytesOf(ZipWriter& zip) {
  std::string bytes;
  const auto pieces = zip.Finish();
  EXPECT_TRUE(pieces.ok()) << pieces.status();
  for (const absl::string_view piece : *pieces) bytes.append(piece.data(), piece.size());
  return bytes;
}

class StateDictFileTest : public ::testing::Test {
 protected:
  StateDictFileTest()
      : path_(fs::path(::testing::TempDir()) /
              ("state_dict_test-" + std::to_string(::getpid()) + ".pt")) {}
  ~StateDictFileTest() override { fs::remove(path_); }

  absl::StatusOr<StateDictFile> Read(const std::string& bytes) {
    std::ofstream(path_, std::ios::binary) << bytes;
    return ReadStateDictFile(path_);
  }
  std::string MessageOf(const std::string& bytes) {
    const auto file = Read(bytes);
    EXPECT_FALSE(file.ok());
    return std::string(file.status().message());
  }
  // An archive of torch.save's kind around a pickle and one storage.
  std::string Archive(const std::string& pickle, const std::string& storage) {
    ZipWriter zip;
    EXPECT_TRUE(zip.Add("archive/data.pkl", pickle).ok());
    EXPECT_TRUE(zip.Add("archive/data/0", storage).ok());
    return BytesOf(zip);
  }

  fs::path path_;
};

// The tensors of make_state_dicts.py's mixed().
std::map<std::string, torch::Tensor> Mixed() {
  const auto matrix = torch::arange(6, torch::kFloat32).reshape({2, 3});
  const auto whole = torch::arange(12, torch::kFloat32);
  return {{"matrix", matrix},
          {"transposed", matrix.t()},
          {"shared", whole},
          {"shared_part", torch::tensor({3.0f, 5.0f, 7.0f})},
          {"half", torch::tensor({0.5f, -2.0f}).to(torch::kFloat16)},
          {"bfloat16", torch::tensor({1.5f, -3.0f}).to(torch::kBFloat16)},
          {"double", torch::tensor({1.0 / 3.0}, torch::kFloat64)},
          {"count", torch::tensor(int64_t{1} << 40, torch::kInt64)},
          {"int32", torch::tensor({-7}, torch::kInt32)},
          {"bytes", torch::tensor({255}, torch::kUInt8)},
          {"flag", torch::tensor({true, false})},
          {"empty", torch::empty({0, 3})},
          {"parameter", torch::tensor({4.0f})}};
}

void ExpectMixed(const StateDictFile& file, const std::string& name) {
  ASSERT_EQ(file.dictionaries.size(), 1u) << name;
  const auto& dictionary = file.dictionaries[0];
  EXPECT_EQ(dictionary.place, "state_dict");
  const auto expected = Mixed();
  ASSERT_EQ(dictionary.tensors.size(), expected.size()) << name;
  EXPECT_EQ(dictionary.tensors[0].first, "matrix");  // the file's order
  for (const auto& [key, tensor] : dictionary.tensors) {
    const torch::Tensor& wanted = expected.at(key);
    EXPECT_EQ(tensor.scalar_type(), wanted.scalar_type()) << name << " " << key;
    EXPECT_TRUE(torch::equal(tensor, wanted)) << name << " " << key;
  }
}

TEST_F(StateDictFileTest, ReadsWhatPyTorchWroteInEveryFormat) {
  const GoldenStateDicts golden = ReadGoldenStateDicts();
  for (const char* name : {"mixed_zip", "mixed_legacy", "mixed_protocol4"}) {
    const auto file = Read(golden.files.at(name));
    ASSERT_TRUE(file.ok()) << name << " " << file.status();
    ExpectMixed(*file, name);
  }
}

TEST_F(StateDictFileTest, GivesBackWhatItWrote) {
  const auto tensors = Mixed();
  ASSERT_TRUE(WriteStateDictFile(path_, tensors).ok());
  const std::string bytes = *ReadFile(path_);
  const auto file = ReadStateDictFile(path_);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(file->dictionaries.size(), 1u);
  EXPECT_EQ(file->dictionaries[0].place, "");
  EXPECT_EQ(file->dictionaries[0].tensors.size(), tensors.size());
  for (const auto& [key, tensor] : file->dictionaries[0].tensors) {
    EXPECT_EQ(tensor.scalar_type(), tensors.at(key).scalar_type()) << key;
    EXPECT_TRUE(torch::equal(tensor, tensors.at(key))) << key;
  }
  ASSERT_TRUE(WriteStateDictFile(path_, tensors).ok());
  EXPECT_EQ(*ReadFile(path_), bytes);
}

TEST_F(StateDictFileTest, EveryTruncationIsAnErrorAndNoFlippedByteACrash) {
  const GoldenStateDicts golden = ReadGoldenStateDicts();
  for (const char* name : {"mixed_zip", "mixed_legacy"}) {
    const std::string& good = golden.files.at(name);
    // Every third place: of the pickle, the headers and the storages alike.
    for (size_t at = 0; at < good.size(); at += 3) {
      EXPECT_FALSE(Read(good.substr(0, at)).ok()) << name << " cut at " << at;
      std::string flipped = good;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << at % 8));
      const auto file = Read(flipped);  // padding and dates may change unnoticed
      EXPECT_TRUE(file.ok() || !file.status().message().empty());
    }
  }
}

TEST_F(StateDictFileTest, ADamagedStorageFailsItsChecksumByName) {
  std::string bytes = ReadGoldenStateDicts().files.at("mixed_zip");
  const std::string third("\x55\x55\x55\x55\x55\x55\xd5\x3f");  // 1/3
  bytes[bytes.find(third)] ^= 1;
  EXPECT_THAT(MessageOf(bytes), HasSubstr("tensor \"double\": " + path_.string()));
  EXPECT_THAT(MessageOf(bytes), HasSubstr("does not match its checksum"));
}

TEST_F(StateDictFileTest, OtherFilesAreToldApart) {
  EXPECT_THAT(MessageOf("hello"),
              HasSubstr("begins with neither a ZIP archive nor a pickle"));
  EXPECT_THAT(MessageOf("\x80\x02}."s), HasSubstr("is a plain Python pickle"));
  EXPECT_THAT(MessageOf(std::string(257, 'x') + "ustar" + std::string(300, '\0')),
              HasSubstr("tar archive, as PyTorch wrote before 0.2"));
  ZipWriter script;
  ASSERT_TRUE(script.Add("net/data.pkl", kEmptyPickle).ok());
  ASSERT_TRUE(script.Add("net/constants.pkl", kEmptyPickle).ok());
  EXPECT_THAT(MessageOf(BytesOf(script)), HasSubstr("is a TorchScript module"));
  ZipWriter other;
  ASSERT_TRUE(other.Add("word/document.xml", "").ok());
  EXPECT_THAT(MessageOf(BytesOf(other)), HasSubstr("a ZIP archive without data.pkl"));
  EXPECT_THAT(MessageOf(Archive("\x80\x02}X\x05\x00\x00\x00"s + "epochK\x03s.", "")),
              HasSubstr("holds no dictionary of tensors"));
}

// torch.save(model) pickles the class by name.
TEST_F(StateDictFileTest, AWholeModuleIsRefusedByName) {
  EXPECT_THAT(
      MessageOf(
          Archive("\x80\x02"s + "ctorchvision.models.alexnet\nAlexNet\n)\x81.", "")),
      HasSubstr("its pickle names torchvision.models.alexnet.AlexNet, which is not part "
                "of a state dict; nothing was run. If you trust the file, save "
                "model.state_dict()"));
}

TEST_F(StateDictFileTest, TensorsThatLeaveTheirStorageAreRefused) {
  const auto pickle = [](const std::string& offset, const std::string& sizes,
                         const std::string& strides, const std::string& count) {
    return "\x80\x02}X\x01\x00\x00\x00"s + "wctorch._utils\n_rebuild_tensor_v2\n((" +
           "X\x07\x00\x00\x00"s + "storagectorch\nFloatStorage\n" + "X\x01\x00\x00\x00"s +
           "0X\x03\x00\x00\x00"s + "cpu" + count + "tQ" + offset + sizes + strides +
           "\x89}tRs.";
  };
  const std::string four = "K\x04", storage(16, '\0');
  const auto good =
      Read(Archive(pickle("K\x01", "K\x03\x85", "K\x01\x85", four), storage));
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_EQ(good->dictionaries[0].tensors[0].second.numel(), 3);
  const std::pair<std::string, const char*> bad[] = {
      {pickle("K\x02", "K\x03\x85", "K\x01\x85", four),
       "it ends at value 4 of a storage of 4"},
      {pickle("K\x01", "K\x03\x85", "K\x02\x85", four), "leaves its storage of 4 values"},
      // Repeated by a stride of 0 into more values than there are.
      {pickle("K\x01", "J\xff\xff\xff\x7f\x85", "K\x01\x85", four), "leaves its storage"},
      {pickle("J\xff\xff\xff\xff", "K\x03\x85", "K\x01\x85", four), "from 0 on"},
      {pickle("K\x01", "K\x03\x85", "J\xff\xff\xff\xff\x85", four), "from 0 on"},
      {pickle("K\x01", "K\x03\x85", "K\x01K\x01\x86", four), "from 0 on"},
      {pickle("K\x01", "K\x03\x85", "K\x01\x85", "K\x05"),
       "has 16 bytes; its pickle says 20"},
      {pickle("K\x01", "K\x03\x85", "K\x01\x85", "N"), "not described as PyTorch does"}};
  for (const auto& [text, message] : bad) {
    EXPECT_THAT(MessageOf(Archive(text, storage)), HasSubstr(message));
  }
}

TEST_F(StateDictFileTest, AStorageOfAnotherByteOrderIsRefused) {
  ZipWriter zip;
  ASSERT_TRUE(zip.Add("a/data.pkl", kEmptyPickle).ok());
  ASSERT_TRUE(zip.Add("a/byteorder", "big").ok());
  EXPECT_THAT(MessageOf(BytesOf(zip)), HasSubstr("was written on a big-endian machine"));
}

}  // namespace
}  // namespace iat
