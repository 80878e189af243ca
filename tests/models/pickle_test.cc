#include "models/pickle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace iat {
namespace {

using ::testing::HasSubstr;
using Kind = PickleValue::Kind;
using namespace std::string_literals;

bool AdmitNothing(absl::string_view) { return false; }
bool AdmitAll(absl::string_view) { return true; }

absl::StatusOr<Pickle> Read(const std::string& bytes) {
  return ReadPickle(bytes, "a.pt", AdmitAll);
}

std::string MessageOf(const std::string& bytes) {
  const auto pickle = Read(bytes);
  EXPECT_FALSE(pickle.ok());
  return std::string(pickle.status().message());
}

// pickle.dumps({"a": 1, "b": [True, None, 2.5, -3, 70000], "c": ("x", b"y")}, 2 and 4).
TEST(PickleTest, PlainDataOfProtocols2And4) {
  const std::string protocol2 =
      "\x80\x02}q\x00(X\x01\x00\x00\x00"s + "aq\x01K\x01X\x01\x00\x00\x00"s +
      "bq\x02]q\x03(\x88NG@\x04\x00\x00\x00\x00\x00\x00J\xfd\xff\xff\xffJp\x11\x01\x00"s +
      "eX\x01\x00\x00\x00"s + "cq\x04X\x01\x00\x00\x00xq\x05"s +
      "C\x01yq\x06\x86q\x07u."s;
  const std::string protocol4 =
      "\x80\x04\x95\x34\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x01"s +
      "a\x94K\x01\x8c\x01"s +
      "b\x94]\x94(\x88NG@\x04\x00\x00\x00\x00\x00\x00J\xfd\xff\xff\xffJp\x11\x01\x00"s +
      "e\x8c\x01"s + "c\x94\x8c\x01x\x94"s + "C\x01y\x94\x86\x94u."s;
  for (const std::string& bytes : {protocol2, protocol4}) {
    const auto pickle = Read(bytes + "behind it");
    ASSERT_TRUE(pickle.ok()) << pickle.status();
    EXPECT_EQ(pickle->size, bytes.size());
    const PickleValue& root = *pickle->root;
    ASSERT_EQ(root.kind, Kind::kDict);
    EXPECT_EQ(root.Find("a")->integer, 1);
    const auto& list = root.Find("b")->items;
    ASSERT_EQ(list.size(), 5u);
    EXPECT_EQ(list[0]->kind, Kind::kBool);
    EXPECT_EQ(list[0]->integer, 1);
    EXPECT_EQ(list[1]->kind, Kind::kNone);
    EXPECT_EQ(list[2]->number, 2.5);
    EXPECT_EQ(list[3]->integer, -3);
    EXPECT_EQ(list[4]->integer, 70000);
    const PickleValue& tuple = *root.Find("c");
    EXPECT_EQ(tuple.kind, Kind::kTuple);
    EXPECT_TRUE(tuple.items[0]->IsText("x"));
    EXPECT_EQ(tuple.items[1]->kind, Kind::kBytes);
    EXPECT_EQ(root.Find("d"), nullptr);
  }
}

TEST(PickleTest, LongIntegersKeepTheirSign) {
  EXPECT_EQ(Read("\x80\x02\x8a\x00."s)->root->integer, 0);
  EXPECT_EQ(Read("\x80\x02\x8a\x01\xff."s)->root->integer, -1);
  EXPECT_EQ(Read("\x80\x02\x8a\x06\x00\x00\x00\x00\x00\x01."s)->root->integer,
            int64_t{1} << 40);
  const auto big = Read("\x80\x02\x8a\x09\x01\x02\x03\x04\x05\x06\x07\x08\x09."s);
  EXPECT_EQ(big->root->kind, Kind::kBigInteger);
  EXPECT_EQ(big->root->text, "\x01\x02\x03\x04\x05\x06\x07\x08\x09");
}

TEST(PickleTest, CallsStayNamesWithArguments) {
  const auto pickle = Read("\x80\x02"s + "ctorch._utils\nrebuild\n(K\x05Nt" + "R.");
  ASSERT_TRUE(pickle.ok()) << pickle.status();
  EXPECT_EQ(pickle->root->kind, Kind::kCall);
  EXPECT_EQ(pickle->root->text, "torch._utils.rebuild");
  ASSERT_EQ(pickle->root->items.size(), 2u);
  EXPECT_EQ(pickle->root->items[0]->integer, 5);
}

TEST(PickleTest, AnOrderedDictIsADictionaryInBothOfItsForms) {
  const std::string global = "ccollections\nOrderedDict\n";
  const auto now = Read("\x80\x02"s + global + ")R(X\x01\x00\x00\x00kK\x07u}b."s);
  ASSERT_TRUE(now.ok()) << now.status();
  EXPECT_EQ(now->root->Find("k")->integer, 7);
  const auto python2 = Read("\x80\x02"s + global + "]]U\x01kaK\x07" + "aa\x85R.");
  ASSERT_TRUE(python2.ok()) << python2.status();
  EXPECT_EQ(python2->root->Find("k")->integer, 7);
}

TEST(PickleTest, AGlobalThatIsNotAdmittedIsNamedAndNothingRuns) {
  // os.system("echo hello"), in both spellings of a global.
  const std::string call = "X\x0a\x00\x00\x00"s + "echo hello\x85R.";
  for (const std::string& global :
       {"cposix\nsystem\n"s, "\x8c\x05posix\x8c\x06system\x93"s}) {
    const auto pickle = ReadPickle("\x80\x04" + global + call, "a.pt", AdmitNothing);
    EXPECT_EQ(pickle.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(pickle.status().message()),
                HasSubstr("a.pt: its pickle names posix.system, which is not part of a "
                          "state dict; nothing was run"));
  }
}

TEST(PickleTest, WhatDoesNotFitIsNamedWithItsByte) {
  EXPECT_EQ(MessageOf(""),
            "a.pt: byte 0 of its pickle: it ends too early; the file is truncated or "
            "damaged");
  EXPECT_THAT(MessageOf("\x80\x02X\xff\xff\xff\xff"s), HasSubstr("byte 2"));
  EXPECT_THAT(MessageOf("\x80\x01."s), HasSubstr("protocol 1; expected 2 to 5"));
  EXPECT_THAT(MessageOf("\x80\x02."s), HasSubstr("takes more from its stack"));
  EXPECT_THAT(MessageOf("\x80\x02t."s), HasSubstr("a mark that it did not set"));
  EXPECT_THAT(MessageOf("\x80\x02h\x05."s), HasSubstr("memo 5, which it did not set"));
  EXPECT_THAT(MessageOf("\x80\x02NK\x01" + "a."s),
              HasSubstr("something that is no list"));
  EXPECT_THAT(MessageOf("\x80\x02(K\x01" + "d."s), HasSubstr("has no value"));
  EXPECT_THAT(MessageOf("\x80\x02N)R."s), HasSubstr("something that is no global"));
  // INST, which would look up and call a class.
  EXPECT_THAT(MessageOf("\x80\x02(iposix\nsystem\n."s), HasSubstr("opcode 0x69"));
  // Nothing is taken from below a mark.
  EXPECT_THAT(MessageOf("\x80\x02]K\x01(a."s), HasSubstr("takes more from its stack"));
}

TEST(PickleTest, CyclesDepthAndNumbersAreBounded) {
  // A list that holds itself.
  const auto cycle = Read("\x80\x02]q\x00h\x00"s + "a.");
  ASSERT_TRUE(cycle.ok()) << cycle.status();
  EXPECT_EQ(cycle->root->items[0], cycle->root);
  // A hundred thousand lists inside each other.
  constexpr int kDepth = 100'000;
  const auto deep =
      Read("\x80\x02"s + std::string(kDepth, ']') + std::string(kDepth - 1, 'a') + ".");
  ASSERT_TRUE(deep.ok()) << deep.status();
  EXPECT_EQ(deep->root->items.size(), 1u);
  EXPECT_THAT(MessageOf("\x80\x02" + std::string(2'000'001, ')') + "."),
              HasSubstr("more than 2000000 values"));
}

}  // namespace
}  // namespace iat
