#include "models/pickle.h"

#include <cstring>
#include <unordered_map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status.h"

namespace iat {
namespace {

using Kind = PickleValue::Kind;

constexpr size_t kMostValues = 2'000'000;
constexpr char kOrderedDict[] = "collections.OrderedDict";

enum Opcode : unsigned char {
  kMark = '(',
  kStop = '.',
  kPop = '0',
  kPopMark = '1',
  kDup = '2',
  kBinFloat = 'G',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNone = 'N',
  kBinPersid = 'Q',
  kReduce = 'R',
  kBinString = 'T',
  kShortBinString = 'U',
  kBinUnicode = 'X',
  kAppend = 'a',
  kBuild = 'b',
  kGlobal = 'c',
  kDict = 'd',
  kEmptyDict = '}',
  kAppends = 'e',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kList = 'l',
  kEmptyList = ']',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTuple = 't',
  kEmptyTuple = ')',
  kSetItems = 'u',
  kBinBytes = 'B',
  kShortBinBytes = 'C',
  kProto = 0x80,
  kNewObj = 0x81,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
  kLong4 = 0x8b,
  kShortBinUnicode = 0x8c,
  kBinUnicode8 = 0x8d,
  kBinBytes8 = 0x8e,
  kEmptySet = 0x8f,
  kAddItems = 0x90,
  kFrozenSet = 0x91,
  kNewObjEx = 0x92,
  kStackGlobal = 0x93,
  kMemoize = 0x94,
  kFrame = 0x95,
};

class Reader {
 public:
  Reader(absl::string_view bytes, absl::string_view name,
         const std::function<bool(absl::string_view)>& admits)
      : bytes_(bytes), name_(name), admits_(admits) {}

  absl::StatusOr<Pickle> Read() {
    while (true) {
      opcode_at_ = at_;
      IAT_ASSIGN_OR_RETURN(const absl::string_view code, Take(1));
      const auto opcode = static_cast<unsigned char>(code[0]);
      if (opcode == kStop) {
        IAT_ASSIGN_OR_RETURN(pickle_.root, Pop());
        pickle_.size = at_;
        return std::move(pickle_);
      }
      IAT_RETURN_IF_ERROR(Execute(opcode));
      if (pickle_.values.size() > kMostValues) {
        return Bad(absl::StrCat("more than ", kMostValues,
                                " values; a state dict has "
                                "a few hundred"));
      }
    }
  }

 private:
  absl::Status Bad(absl::string_view what) const {
    return absl::DataLossError(
        absl::StrCat(name_, ": byte ", opcode_at_, " of its pickle: ", what));
  }

  absl::StatusOr<absl::string_view> Take(uint64_t count) {
    if (count > bytes_.size() - at_) {
      return Bad("it ends too early; the file is truncated or damaged");
    }
    const absl::string_view taken = bytes_.substr(at_, count);
    at_ += count;
    return taken;
  }

  // A little-endian number of `size` bytes.
  absl::StatusOr<uint64_t> TakeNumber(size_t size) {
    IAT_ASSIGN_OR_RETURN(const absl::string_view taken, Take(size));
    uint64_t value = 0;
    for (size_t i = 0; i < size; ++i) {
      value |= uint64_t{static_cast<unsigned char>(taken[i])} << 8 * i;
    }
    return value;
  }

  absl::StatusOr<absl::string_view> TakeSized(size_t size_of_size) {
    IAT_ASSIGN_OR_RETURN(const uint64_t size, TakeNumber(size_of_size));
    return Take(size);
  }

  absl::StatusOr<absl::string_view> TakeLine() {
    const size_t end = bytes_.find('\n', at_);
    if (end == absl::string_view::npos) return Take(bytes_.size() + 1);
    const absl::string_view line = bytes_.substr(at_, end - at_);
    at_ = end + 1;
    return line;
  }

  PickleValue* New(Kind kind, absl::string_view text = "") {
    PickleValue& value = pickle_.values.emplace_back();
    value.kind = kind;
    value.text = std::string(text);
    return &value;
  }

  absl::Status Push(PickleValue* value) {
    stack_.push_back(value);
    return absl::OkStatus();
  }

  size_t Bottom() const { return marks_.empty() ? 0 : marks_.back(); }

  absl::StatusOr<PickleValue*> Pop() {
    if (stack_.size() <= Bottom()) return Bad("it takes more from its stack than it put");
    PickleValue* value = stack_.back();
    stack_.pop_back();
    return value;
  }

  absl::StatusOr<PickleValue*> Top() {
    if (stack_.size() <= Bottom()) return Bad("it needs more on its stack than it put");
    return stack_.back();
  }

  absl::StatusOr<std::vector<const PickleValue*>> PopToMark() {
    if (marks_.empty()) return Bad("it goes back to a mark that it did not set");
    std::vector<const PickleValue*> items(stack_.begin() + marks_.back(), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return items;
  }

  absl::Status PushTuple(size_t size) {
    std::vector<const PickleValue*> items(size);
    for (size_t i = size; i-- > 0;) {
      IAT_ASSIGN_OR_RETURN(items[i], Pop());
    }
    PickleValue* tuple = New(Kind::kTuple);
    tuple->items = std::move(items);
    return Push(tuple);
  }

  absl::Status PushInteger(int64_t integer, Kind kind = Kind::kInteger) {
    PickleValue* value = New(kind);
    value->integer = integer;
    return Push(value);
  }

  absl::Status PushLong(absl::string_view bytes) {
    if (bytes.size() > 8) return Push(New(Kind::kBigInteger, bytes));
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.size(); ++i) {
      value |= uint64_t{static_cast<unsigned char>(bytes[i])} << 8 * i;
    }
    const bool negative = !bytes.empty() && (bytes.back() & 0x80) != 0;
    if (negative && bytes.size() < 8) value |= ~uint64_t{0} << 8 * bytes.size();
    return PushInteger(static_cast<int64_t>(value));
  }

  absl::Status PushGlobal(absl::string_view module, absl::string_view name) {
    const std::string global = absl::StrCat(module, ".", name);
    if (!admits_(global)) {
      return absl::InvalidArgumentError(absl::StrCat(
          name_, ": its pickle names ", global,
          ", which is not part of a state dict; nothing was run. If you trust the file, "
          "save model.state_dict() from PyTorch and import that"));
    }
    return Push(New(Kind::kGlobal, global));
  }

  absl::Status SetItems(PickleValue* target,
                        const std::vector<const PickleValue*>& items) {
    if (target->kind != Kind::kDict && target->kind != Kind::kCall) {
      return Bad("it sets items of something that is no dictionary");
    }
    if (items.size() % 2 != 0) return Bad("a key of a dictionary has no value");
    for (size_t i = 0; i < items.size(); i += 2) {
      target->entries.emplace_back(items[i], items[i + 1]);
    }
    return absl::OkStatus();
  }

  absl::Status Append(PickleValue* target, const std::vector<const PickleValue*>& items) {
    if (target->kind != Kind::kList && target->kind != Kind::kSet &&
        target->kind != Kind::kCall) {
      return Bad("it appends to something that is no list");
    }
    target->items.insert(target->items.end(), items.begin(), items.end());
    return absl::OkStatus();
  }

  absl::Status Call(const PickleValue* callee, const PickleValue* arguments) {
    if (callee->kind != Kind::kGlobal) return Bad("it calls something that is no global");
    if (arguments->kind != Kind::kTuple) return Bad("it calls with no tuple");
    if (callee->text != kOrderedDict) {
      PickleValue* call = New(Kind::kCall, callee->text);
      call->items = arguments->items;
      return Push(call);
    }
    PickleValue* dictionary = New(Kind::kDict);
    IAT_RETURN_IF_ERROR(Push(dictionary));
    if (arguments->items.empty()) return absl::OkStatus();
    // As Python 2 wrote it: OrderedDict([[key, value], ...]).
    for (const PickleValue* pair : arguments->items[0]->items) {
      if (pair->items.size() != 2) return Bad("an OrderedDict of something but pairs");
      dictionary->entries.emplace_back(pair->items[0], pair->items[1]);
    }
    return absl::OkStatus();
  }

  absl::Status Put(uint64_t index) {
    IAT_ASSIGN_OR_RETURN(memo_[index], Top());
    return absl::OkStatus();
  }

  absl::Status Get(uint64_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) {
      return Bad(absl::StrCat("it recalls memo ", index, ", which it did not set"));
    }
    return Push(found->second);
  }

  absl::Status Execute(unsigned char opcode) {
    switch (opcode) {
      case kProto: {
        IAT_ASSIGN_OR_RETURN(const uint64_t protocol, TakeNumber(1));
        if (protocol >= 2 && protocol <= 5) return absl::OkStatus();
        return Bad(absl::StrCat("protocol ", protocol, "; expected 2 to 5"));
      }
      case kFrame:
        return TakeNumber(8).status();
      case kMark:
        marks_.push_back(stack_.size());
        return absl::OkStatus();
      case kPop:
        if (!marks_.empty() && stack_.size() == marks_.back()) {
          marks_.pop_back();
          return absl::OkStatus();
        }
        return Pop().status();
      case kPopMark:
        return PopToMark().status();
      case kDup: {
        IAT_ASSIGN_OR_RETURN(PickleValue * top, Top());
        return Push(top);
      }
      case kNone:
        return Push(New(Kind::kNone));
      case kNewTrue:
      case kNewFalse:
        return PushInteger(opcode == kNewTrue, Kind::kBool);
      case kBinInt: {
        IAT_ASSIGN_OR_RETURN(const uint64_t value, TakeNumber(4));
        return PushInteger(static_cast<int32_t>(value));
      }
      case kBinInt1:
      case kBinInt2: {
        IAT_ASSIGN_OR_RETURN(const uint64_t value,
                             TakeNumber(opcode == kBinInt1 ? 1 : 2));
        return PushInteger(static_cast<int64_t>(value));
      }
      case kLong1:
      case kLong4: {
        IAT_ASSIGN_OR_RETURN(const absl::string_view bytes,
                             TakeSized(opcode == kLong1 ? 1 : 4));
        return PushLong(bytes);
      }
      case kBinFloat: {
        IAT_ASSIGN_OR_RETURN(const absl::string_view bytes, Take(8));
        uint64_t bits = 0;  // big-endian, alone among all of these
        for (const char byte : bytes) bits = bits << 8 | static_cast<unsigned char>(byte);
        PickleValue* value = New(Kind::kNumber);
        std::memcpy(&value->number, &bits, sizeof(bits));
        return Push(value);
      }
      case kBinUnicode:
      case kShortBinUnicode:
      case kBinUnicode8: {
        IAT_ASSIGN_OR_RETURN(const absl::string_view text,
                             TakeSized(opcode == kBinUnicode    ? 4
                                       : opcode == kBinUnicode8 ? 8
                                                                : 1));
        return Push(New(Kind::kText, text));
      }
      case kBinString:  // Python 2's str
      case kShortBinString: {
        IAT_ASSIGN_OR_RETURN(const absl::string_view text,
                             TakeSized(opcode == kBinString ? 4 : 1));
        return Push(New(Kind::kText, text));
      }
      case kBinBytes:
      case kShortBinBytes:
      case kBinBytes8: {
        IAT_ASSIGN_OR_RETURN(const absl::string_view text,
                             TakeSized(opcode == kBinBytes    ? 4
                                       : opcode == kBinBytes8 ? 8
                                                              : 1));
        return Push(New(Kind::kBytes, text));
      }
      case kEmptyTuple:
        return Push(New(Kind::kTuple));
      case kTuple1:
      case kTuple2:
      case kTuple3:
        return PushTuple(opcode - kTuple1 + 1);
      case kTuple:
      case kList:
      case kFrozenSet: {
        IAT_ASSIGN_OR_RETURN(std::vector<const PickleValue*> items, PopToMark());
        PickleValue* value = New(opcode == kTuple  ? Kind::kTuple
                                 : opcode == kList ? Kind::kList
                                                   : Kind::kSet);
        value->items = std::move(items);
        return Push(value);
      }
      case kEmptyList:
        return Push(New(Kind::kList));
      case kEmptySet:
        return Push(New(Kind::kSet));
      case kEmptyDict:
        return Push(New(Kind::kDict));
      case kDict: {
        IAT_ASSIGN_OR_RETURN(const std::vector<const PickleValue*> items, PopToMark());
        PickleValue* dictionary = New(Kind::kDict);
        IAT_RETURN_IF_ERROR(SetItems(dictionary, items));
        return Push(dictionary);
      }
      case kAppend: {
        IAT_ASSIGN_OR_RETURN(const PickleValue* item, Pop());
        IAT_ASSIGN_OR_RETURN(PickleValue * list, Top());
        return Append(list, {item});
      }
      case kAppends:
      case kAddItems: {
        IAT_ASSIGN_OR_RETURN(const std::vector<const PickleValue*> items, PopToMark());
        IAT_ASSIGN_OR_RETURN(PickleValue * list, Top());
        return Append(list, items);
      }
      case kSetItem: {
        IAT_ASSIGN_OR_RETURN(const PickleValue* value, Pop());
        IAT_ASSIGN_OR_RETURN(const PickleValue* key, Pop());
        IAT_ASSIGN_OR_RETURN(PickleValue * dictionary, Top());
        return SetItems(dictionary, {key, value});
      }
      case kSetItems: {
        IAT_ASSIGN_OR_RETURN(const std::vector<const PickleValue*> items, PopToMark());
        IAT_ASSIGN_OR_RETURN(PickleValue * dictionary, Top());
        return SetItems(dictionary, items);
      }
      case kGlobal: {
        IAT_ASSIGN_OR_RETURN(const absl::string_view module, TakeLine());
        IAT_ASSIGN_OR_RETURN(const absl::string_view name, TakeLine());
        return PushGlobal(module, name);
      }
      case kStackGlobal: {
        IAT_ASSIGN_OR_RETURN(const PickleValue* name, Pop());
        IAT_ASSIGN_OR_RETURN(const PickleValue* module, Pop());
        if (name->kind != Kind::kText || module->kind != Kind::kText) {
          return Bad("a global whose name is no text");
        }
        return PushGlobal(module->text, name->text);
      }
      case kReduce:
      case kNewObj: {
        IAT_ASSIGN_OR_RETURN(const PickleValue* arguments, Pop());
        IAT_ASSIGN_OR_RETURN(const PickleValue* callee, Pop());
        return Call(callee, arguments);
      }
      case kNewObjEx: {
        IAT_RETURN_IF_ERROR(Pop().status());  // keyword arguments
        IAT_ASSIGN_OR_RETURN(const PickleValue* arguments, Pop());
        IAT_ASSIGN_OR_RETURN(const PickleValue* callee, Pop());
        return Call(callee, arguments);
      }
      case kBuild:
        // Attributes of an object, such as an OrderedDict's _metadata: of no use here.
        return Pop().status();
      case kBinPersid: {
        IAT_ASSIGN_OR_RETURN(const PickleValue* id, Pop());
        PickleValue* persistent = New(Kind::kPersistent);
        persistent->items = {id};
        return Push(persistent);
      }
      case kBinPut:
      case kLongBinPut: {
        IAT_ASSIGN_OR_RETURN(const uint64_t index, TakeNumber(opcode == kBinPut ? 1 : 4));
        return Put(index);
      }
      case kMemoize:
        return Put(memo_.size());
      case kBinGet:
      case kLongBinGet: {
        IAT_ASSIGN_OR_RETURN(const uint64_t index, TakeNumber(opcode == kBinGet ? 1 : 4));
        return Get(index);
      }
      default:
        return absl::UnimplementedError(
            absl::StrFormat("%s: byte %d of its pickle: opcode 0x%02x, which is not part "
                            "of a state dict",
                            name_, opcode_at_, opcode));
    }
  }

  absl::string_view bytes_;
  const std::string name_;
  const std::function<bool(absl::string_view)>& admits_;
  size_t at_ = 0;
  size_t opcode_at_ = 0;
  Pickle pickle_;
  std::vector<PickleValue*> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint64_t, PickleValue*> memo_;
};

}  // namespace

const PickleValue* PickleValue::Find(absl::string_view key) const {
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    if (entry->first->IsText(key)) return entry->second;
  }
  return nullptr;
}

absl::StatusOr<Pickle> ReadPickle(
    absl::string_view bytes, absl::string_view name,
    const std::function<bool(absl::string_view global)>& admits) {
  return Reader(bytes, name, admits).Read();
}

}  // namespace iat
