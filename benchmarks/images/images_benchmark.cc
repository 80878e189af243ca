// Images a second on one core: procedural pictures, augmentation, normalisation.
//
//   cmake --preset release -DIAT_BENCHMARKS=ON
//   cmake --build build/release --target images_benchmark
//   build/release/benchmarks/images/images_benchmark

#include <benchmark/benchmark.h>

#include <vector>

#include "images/augment.h"
#include "images/dead_leaves.h"

namespace iat {
namespace {

constexpr int kImages = 64;

const std::vector<Image>& Pictures() {
  static const std::vector<Image> pictures = [] {
    const DeadLeaves world(1);
    std::vector<Image> made;
    for (int i = 0; i < kImages; ++i) made.push_back(world.Render(i));
    return made;
  }();
  return pictures;
}

void RenderDeadLeaves(benchmark::State& state) {
  static const DeadLeaves world(1);
  int64_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(world.Render(i++));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(RenderDeadLeaves);
BENCHMARK(RenderDeadLeaves)->Threads(2)->UseRealTime();

void PrepareDeadLeaves(benchmark::State& state) {
  uint64_t seed = 0;
  for (auto _ : state) benchmark::DoNotOptimize(DeadLeaves(seed++));
}
BENCHMARK(PrepareDeadLeaves)->Unit(benchmark::kMillisecond);

void Augment(benchmark::State& state, AugmentOptions options) {
  options.work_size = state.range(0);
  std::vector<float> view(kViewFloats);
  int64_t i = 0;
  for (auto _ : state) {
    const Image& image = Pictures()[i % kImages];
    RandomStream stream(1, "augment", i++);
    AugmentInto(options, image.pixels.data(), image.height, image.width, stream,
                view.data());
    benchmark::DoNotOptimize(view.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK_CAPTURE(Augment, instance_recognition, InstanceRecognitionAugmentation())
    ->Arg(64)
    ->Arg(224);
BENCHMARK_CAPTURE(Augment, simclr, SimClrAugmentation())->Arg(64)->Arg(224);

void Normalize(benchmark::State& state) {
  std::vector<float> view(kViewFloats);
  int64_t i = 0;
  for (auto _ : state) {
    NormalizeInto(Pictures()[i++ % kImages].pixels.data(), kInputSide, kInputSide,
                  view.data());
    benchmark::DoNotOptimize(view.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(Normalize);

}  // namespace
}  // namespace iat
