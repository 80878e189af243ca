#include "app/command_examples.h"

namespace iat {
namespace {

struct CommandExamples {
  const char* path;
  std::vector<std::string> lines;
};

// In the order in which the documentation test runs them: each finds what those before
// it have made, in a folder with configs/, photos/ (the user's images), a.npy and b.npy.
const std::vector<CommandExamples>& AllExamples() {
  static const std::vector<CommandExamples> examples = {
      {"iat reproduce",
       {"iat reproduce configs/quickstart.toml",
        "iat reproduce configs/quickstart.toml --out runs/longer --set training.epochs=2 "
        "--dry-run"}},
      {"iat train", {"iat train configs/quickstart.toml --seeds 0-1 --jobs 2"}},
      {"iat extract", {"iat extract configs/quickstart.toml"}},
      {"iat probe", {"iat probe configs/quickstart.toml --dry-run"}},
      {"iat compare",
       {"iat compare configs/quickstart.toml --json",
        "iat compare --source a.npy --target b.npy --mapping ridge,logistic_ridge "
        "--metric cka,rsa",
        "iat compare --list"}},
      {"iat subsample", {"iat subsample configs/quickstart.toml"}},
      {"iat neural simulate", {"iat neural simulate configs/quickstart.toml"}},
      {"iat neural import",
       {"iat neural import mouse.toml --out neural/mouse.nc",
        "iat show neural/mouse.nc"}},
      {"iat neural scores",
       {"iat neural scores configs/neural/antolik2016-scores.toml --dry-run"}},
      {"iat neural consistency",
       {"iat neural consistency configs/neural/models-and-mice.toml --dry-run"}},
      {"iat calibrate", {"iat calibrate configs/quickstart.toml"}},
      {"iat report",
       {"iat report runs/quickstart", "iat report runs/quickstart runs/mine"}},
      {"iat activations merge",
       {"iat activations select runs/quickstart/activations/held-out/seed-000.nc "
        "--stimuli first.txt --out first.nc",
        "iat activations select runs/quickstart/activations/held-out/seed-000.nc "
        "--stimuli rest.txt --out rest.nc",
        "iat activations merge first.nc rest.nc --out both.nc"}},
      {"iat activations select",
       {"iat activations select runs/quickstart/activations/held-out/seed-000.nc "
        "--layers conv3 --stages pre_relu --out conv3.nc"}},
      {"iat activations export",
       {"iat activations export runs/quickstart/activations/held-out/seed-000.nc "
        "--format csv --out exported"}},
      {"iat images pack", {"iat images pack photos --out packed"}},
      {"iat images make", {"iat images make --count 100 --seed 7 --out leaves"}},
      {"iat images show", {"iat images show leaves --png leaves.png"}},
      {"iat weights export",
       {"iat weights export runs/quickstart/models/seed-000/weights.safetensors "
        "seed-000.pt"}},
      {"iat weights import",
       {"iat weights import seed-000.pt --out imported.safetensors"}},
      {"iat look",
       {"iat look runs/quickstart/models/seed-000/weights.safetensors --num-stimuli "
        "100"}},
      {"iat show",
       {"iat show runs/quickstart/activations/held-out/seed-000.nc",
        "iat show runs/quickstart/scores/compare.csv"}},
      {"iat doctor", {"iat doctor"}},
      {"iat reference", {"iat reference config", "iat reference commands"}},
      {"iat completion", {"source <(iat completion bash)"}},
      {"iat man", {"iat man > iat.1"}},
  };
  return examples;
}

}  // namespace

std::vector<std::string> ExamplesOf(const std::string& path) {
  for (const CommandExamples& of : AllExamples()) {
    if (of.path == path) return of.lines;
  }
  return {};
}

}  // namespace iat
