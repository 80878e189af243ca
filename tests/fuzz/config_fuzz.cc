// Configs and CSV tables.

#include "base/config.h"
#include "base/csv.h"
#include "images/image_source.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  (void)iat::ParseCsv(text, "x.csv");
  auto config = iat::ConfigDocument::Parse(text, "x.toml", {});
  if (!config.ok()) return 0;
  iat::ImageOptions options;
  config->Read("images", options);
  for (const std::string& name : config->TableNames("stimuli")) {
    config->Read("stimuli." + name, options);
  }
  (void)config->Finish();
  (void)options.Validate();
  return 0;
}
