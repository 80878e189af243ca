// Our side of compare_with_pytorch.py: hypercolumns of conv1 to conv5 before and after
// the ReLU, of a packed set that lies in memory, without files.
//
//   extraction_benchmark WEIGHTS PACKED BATCH VALUES     prints images/s; VALUES gets
//                                                        float32, one batch after the
//                                                        other, layer by layer, before
//                                                        and after: images x units
//   extraction_benchmark make WIDTH WEIGHTS              writes weights with batch-norm
//                                                        statistics of random images

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>

#include "base/parallel.h"
#include "extraction/animal_runner.h"
#include "images/packed_set.h"
#include "models/safetensors.h"
#include "models/torch.h"
#include "models/vision_model.h"

namespace iat {
namespace {

// One thread's time at work: what other processes take is not counted.
double CpuSeconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

absl::Status Make(double width, const std::string& path) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(1);
  auto model = CreateModel({.architecture = "alexnet_bn", .width = width}, 1);
  if (!model.ok()) return model.status();
  (*model)->train();
  for (int i = 0; i < 4; ++i) (*model)->Forward(torch::randn({64, 3, 64, 64}), {});
  return WriteTensors(path, {.tensors = StateDict(**model), .metadata = {}});
}

absl::Status Measure(const std::string& weights, const std::string& folder,
                     int64_t batch_size, const std::string& values_path) {
  SetBlasThreads(1);
  auto set = PackedSet::Open(folder);
  if (!set.ok()) return set.status();
  ExtractionOptions options;
  options.batch_size = batch_size;
  auto runner =
      AnimalRunner::Load({.architecture = "alexnet_bn"}, weights, options, "cpu");
  if (!runner.ok()) return runner.status();
  std::ofstream values(values_path, std::ios::binary);
  std::vector<UnitResponses> responses;
  double seconds = 0.0;
  int64_t images = 0;
  for (int64_t begin = -batch_size; begin + batch_size <= set->size();
       begin += batch_size) {
    // The first batch is run twice: buffers and caches are warm from then on.
    const bool is_warmup = begin < 0;
    std::vector<const uint8_t*> pixels;
    for (int64_t i = 0; i < batch_size; ++i) {
      pixels.push_back(set->pixels(is_warmup ? i : begin + i));
    }
    const double start = CpuSeconds();
    const absl::Status status = (*runner)->Run(pixels, responses);
    if (!status.ok()) return status;
    if (is_warmup) continue;
    seconds += CpuSeconds() - start;
    images += batch_size;
    for (const UnitResponses& layer : responses) {
      for (const ActivationMatrix* matrix : {&layer.pre, &layer.post}) {
        values.write(reinterpret_cast<const char*>(matrix->data()),
                     static_cast<std::streamsize>(matrix->size() * sizeof(float)));
      }
    }
  }
  std::printf("%.2f\n", static_cast<double>(images) / seconds);
  return absl::OkStatus();
}

}  // namespace
}  // namespace iat

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  absl::Status status = absl::InvalidArgumentError(
      "usage: extraction_benchmark WEIGHTS PACKED BATCH VALUES | make WIDTH WEIGHTS");
  if (arguments.size() == 3 && arguments[0] == "make") {
    status = iat::Make(std::atof(arguments[1].c_str()), arguments[2]);
  } else if (arguments.size() == 4) {
    status = iat::Measure(arguments[0], arguments[1], std::atoll(arguments[2].c_str()),
                          arguments[3]);
  }
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return 1;
}
