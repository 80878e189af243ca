// A reader of Python pickles that runs nothing. Globals stay names, calls stay
// names with arguments; what they mean is the caller's business.
//
//   {"epoch": 3, "w": _rebuild_tensor_v2(...)}  ->  kDict of kText to
//       kInteger 3 and kCall "torch._utils._rebuild_tensor_v2" with its arguments
//
// Only globals that the caller admits are read; any other ends the reading with its
// name. Opcodes of protocols 2 to 5 that Python writes for plain data are known,
// text opcodes of protocol 0 are not (torch.save cannot write them).
// collections.OrderedDict is a dictionary here, a persistent id (torch: a tensor's
// storage) is kPersistent.
//
// Source   CPython's Lib/pickletools.py.

#ifndef IAT_MODELS_PICKLE_H_
#define IAT_MODELS_PICKLE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace iat {

struct PickleValue {
  enum class Kind {
    kNone,
    kBool,        // integer 0 or 1
    kInteger,     // integer; beyond 64 bits kBigInteger
    kBigInteger,  // text: two's complement, little-endian
    kNumber,      // number
    kText,        // text, UTF-8
    kBytes,       // text
    kTuple,       // items
    kList,        // items
    kSet,         // items
    kDict,        // entries
    kGlobal,      // text: "module.name"
    kCall,        // text: "module.name" called; items: arguments
    kPersistent,  // items: the id
  };

  Kind kind = Kind::kNone;
  int64_t integer = 0;
  double number = 0.0;
  std::string text;
  std::vector<const PickleValue*> items;
  // In order of writing; a key may come twice, and then the last one counts.
  std::vector<std::pair<const PickleValue*, const PickleValue*>> entries;

  bool IsText(absl::string_view wanted) const {
    return kind == Kind::kText && text == wanted;
  }
  // Of a dictionary, by a key that is text; nullptr where there is none.
  const PickleValue* Find(absl::string_view key) const;
};

struct Pickle {
  std::deque<PickleValue> values;  // owns them all, cycles included
  const PickleValue* root = nullptr;
  size_t size = 0;  // bytes read, up to and with STOP
};

// Reads one pickle from the front of `bytes`. InvalidArgument naming a global that
// `admits` refuses; DataLoss or Unimplemented naming the byte and the opcode that
// does not fit. Memory is bounded: at most two million values.
absl::StatusOr<Pickle> ReadPickle(
    absl::string_view bytes, absl::string_view name,
    const std::function<bool(absl::string_view global)>& admits);

}  // namespace iat

#endif  // IAT_MODELS_PICKLE_H_
