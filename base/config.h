// Strict reading of TOML configs. What an options struct describes
// (base/options.h) is read, checked against its type and range, and everything
// else in the file is an error that names file, line, key and the nearest right
// name.
//
// Example:
//   auto config = ConfigDocument::Load("configs/paper.toml", {"training.epochs=20"});
//   RunOptions run;
//   config->Read("run", run);
//   for (const std::string& name : config->TableNames("stimuli")) ...
//   IAT_RETURN_IF_ERROR(config->Finish());

#ifndef IAT_BASE_CONFIG_H_
#define IAT_BASE_CONFIG_H_

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/options.h"

namespace iat {

class ConfigDocument {
 public:
  // `overrides` are "table.key=value" with the value as TOML has it; a bare word
  // is taken as text. They come after the file, and errors in them name the
  // option: --set training.epoch=20: unknown key ...
  static absl::StatusOr<ConfigDocument> Load(const std::filesystem::path& path,
                                             const std::vector<std::string>& overrides);
  static absl::StatusOr<ConfigDocument> Parse(absl::string_view text,
                                              absl::string_view name,
                                              const std::vector<std::string>& overrides);

  // Fills what `describe` visits from table `table` ("training", "stimuli.held-out");
  // a missing table leaves the defaults. Problems are collected for Finish().
  void Read(absl::string_view table, const std::function<void(OptionVisitor&)>& describe);
  template <typename Options>
  void Read(absl::string_view table, Options& options) {
    Read(table, [&](OptionVisitor& visitor) { options.Describe(visitor); });
  }

  // Names of the tables inside `table`, sorted.
  std::vector<std::string> TableNames(absl::string_view table) const;
  bool Has(absl::string_view table) const;

  // The first problem of all, in file order: wrong types, values out of range, and
  // keys or tables that nobody has read. InvalidArgument; every message starts
  // with "FILE:LINE: ".
  absl::Status Finish() const;

  // "FILE:LINE: table.key" of a value (or of its table), for checks that concern
  // more than one key.
  std::string Place(absl::string_view table, absl::string_view key) const;

  ConfigDocument(ConfigDocument&&) noexcept;
  ConfigDocument& operator=(ConfigDocument&&) noexcept;
  ~ConfigDocument();

 private:
  struct State;
  explicit ConfigDocument(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// ${NAME} replaced by the environment's value. NotFound naming a variable that is
// not set.
absl::StatusOr<std::string> ExpandVariables(absl::string_view text);

}  // namespace iat

#endif  // IAT_BASE_CONFIG_H_
