#include "models/inference.h"

#include <cblas.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"

namespace iat {
namespace {

int64_t OutputSide(const InferenceStep& step, int64_t side) {
  return (side + 2 * step.padding - step.kernel) / step.stride + 1;
}

// Kernel taps of output position `p` that fall inside a map of this side.
std::pair<int64_t, int64_t> InsideTaps(int64_t p, int64_t kernel, int64_t stride,
                                       int64_t padding, int64_t side) {
  const int64_t start = p * stride - padding;
  return {std::max<int64_t>(0, -start), std::min(kernel, side - start) - 1};
}

// C += A * B, row-major.
void AddProduct(int64_t m, int64_t n, int64_t k, const float* a, int64_t lda,
                const float* b, CBLAS_TRANSPOSE transpose_b, int64_t ldb, float* c,
                int64_t ldc) {
  cblas_sgemm(CblasRowMajor, CblasNoTrans, transpose_b, static_cast<int>(m),
              static_cast<int>(n), static_cast<int>(k), 1.0f, a, static_cast<int>(lda), b,
              static_cast<int>(ldb), 1.0f, c, static_cast<int>(ldc));
}

}  // namespace

std::vector<LayerGeometry> Geometry(const InferenceChain& chain) {
  std::vector<LayerGeometry> layers;
  LayerGeometry now;
  now.channels = chain.channels;
  now.side = chain.side;
  for (int64_t i = 0; i < chain.side; ++i) now.seen.emplace_back(i, i);
  for (const InferenceStep& step : chain.steps) {
    if (step.kind == InferenceStep::Kind::kRelu) {
      now.layer = step.layer;
      layers.push_back(now);
      continue;
    }
    if (step.outputs > 0) now.channels = step.outputs;
    if (step.kind == InferenceStep::Kind::kFull) {
      const int64_t reach = std::max<int64_t>(now.side, 1) - 1;
      now.first_center += 0.5 * static_cast<double>(reach * now.jump);
      now.field_side += reach * now.jump;
      now.seen = {{now.seen.front().first, now.seen.back().second}};
      now.side = 0;
      continue;
    }
    const int64_t side = OutputSide(step, now.side);
    std::vector<std::pair<int64_t, int64_t>> seen;
    for (int64_t p = 0; p < side; ++p) {
      const auto [first, last] =
          InsideTaps(p, step.kernel, step.stride, step.padding, now.side);
      const int64_t start = p * step.stride - step.padding;
      seen.emplace_back(now.seen[start + first].first, now.seen[start + last].second);
    }
    now.first_center +=
        (0.5 * static_cast<double>(step.kernel - 1) - static_cast<double>(step.padding)) *
        static_cast<double>(now.jump);
    now.field_side += (step.kernel - 1) * now.jump;
    now.jump *= step.stride;
    now.side = side;
    now.seen = std::move(seen);
  }
  return layers;
}

void InferenceEngine::Span::Include(const Span& other) {
  if (other.size() <= 0) return;
  if (size() <= 0) {
    *this = other;
    return;
  }
  first = std::min(first, other.first);
  last = std::max(last, other.last);
}

absl::StatusOr<InferenceEngine> InferenceEngine::Create(
    const InferenceChain& chain, const std::vector<UnitRequest>& requests,
    int64_t batch_size) {
  InferenceEngine engine;
  engine.batch_size_ = batch_size;
  engine.num_requests_ = requests.size();
  engine.input_ = {.side = chain.side,
                   .channels = chain.channels,
                   .rows = {0, chain.side - 1},
                   .columns = {0, chain.side - 1}};

  // Forwards: sizes of the maps, and which request each ReLU answers.
  std::vector<std::string> layers;
  std::vector<bool> found(requests.size());
  size_t deepest = 0;
  Map map = engine.input_;
  bool is_flat = false;
  for (const InferenceStep& from : chain.steps) {
    Step step{.kind = from.kind,
              .kernel = from.kernel,
              .stride = from.stride,
              .padding = from.padding,
              .weight = {},
              .bias = from.bias,
              .in = map,
              .out = {},
              .request = -1,
              .offsets = {}};
    switch (from.kind) {
      case InferenceStep::Kind::kConvolution:
        IAT_CHECK(static_cast<int64_t>(from.weight.size()) ==
                      from.outputs * map.channels * from.kernel * from.kernel,
                  "a convolution's weights have another size");
        map.side = OutputSide(from, map.side);
        map.channels = from.outputs;
        break;
      case InferenceStep::Kind::kMaxPool:
        map.side = OutputSide(from, map.side);
        break;
      case InferenceStep::Kind::kFull:
        IAT_CHECK(static_cast<int64_t>(from.weight.size()) ==
                      from.outputs * map.channels * map.side * map.side,
                  "a full layer's weights have another size");
        map.side = 1;
        map.channels = from.outputs;
        is_flat = true;
        break;
      case InferenceStep::Kind::kRelu:
        layers.push_back(from.layer);
        for (size_t r = 0; r < requests.size(); ++r) {
          if (requests[r].layer != from.layer) continue;
          if (step.request >= 0) {
            return absl::InvalidArgumentError(
                absl::StrCat("layer ", from.layer, " is asked for twice"));
          }
          step.request = static_cast<int>(r);
          found[r] = true;
          deepest = engine.steps_.size();
        }
        break;
    }
    step.out = map;
    step.out.rows = step.out.columns = {};
    if (step.request >= 0) {
      const UnitCoordinates& units = requests[step.request].units;
      for (size_t u = 0; u < units.channel.size(); ++u) {
        const int64_t row = is_flat ? 0 : units.row[u];
        const int64_t column = is_flat ? 0 : units.column[u];
        if (units.channel[u] < 0 || units.channel[u] >= map.channels || row < 0 ||
            row >= map.side || column < 0 || column >= map.side) {
          return absl::InvalidArgumentError(
              absl::StrCat(from.layer, ": no unit at channel ", units.channel[u],
                           ", row ", row, ", column ", column, "; the map is ",
                           map.channels, " x ", map.side, " x ", map.side));
        }
        step.out.rows.Include({row, row});
        step.out.columns.Include({column, column});
      }
    }
    engine.steps_.push_back(std::move(step));
  }
  for (size_t r = 0; r < requests.size(); ++r) {
    if (!found[r]) {
      return absl::InvalidArgumentError(absl::StrCat("no layer \"", requests[r].layer,
                                                     "\"; there are ",
                                                     absl::StrJoin(layers, ", ")));
    }
  }
  engine.steps_.resize(requests.empty() ? 0 : deepest + 1);

  // Backwards: the part of each map that the rest of the chain needs.
  const auto reach = [](const Step& step, const Span& out) -> Span {
    if (step.kind == InferenceStep::Kind::kRelu || out.size() <= 0) return out;
    if (step.kind == InferenceStep::Kind::kFull) return {0, step.in.side - 1};
    return {std::max<int64_t>(0, out.first * step.stride - step.padding),
            std::min(step.in.side - 1,
                     out.last * step.stride - step.padding + step.kernel - 1)};
  };
  for (size_t i = engine.steps_.size(); i-- > 0;) {
    Step& step = engine.steps_[i];
    step.in.rows = reach(step, step.out.rows);
    step.in.columns = reach(step, step.out.columns);
    if (i == 0) {
      step.in.rows = engine.input_.rows;
      step.in.columns = engine.input_.columns;
      continue;
    }
    Map& before = engine.steps_[i - 1].out;
    before.rows.Include(step.in.rows);
    before.columns.Include(step.in.columns);
    step.in.rows = before.rows;
    step.in.columns = before.columns;
    // A ReLU works in place, on all there is.
    if (step.kind == InferenceStep::Kind::kRelu) step.out = step.in;
  }

  for (size_t i = 0; i < engine.steps_.size(); ++i) {
    Step& step = engine.steps_[i];
    const std::vector<float>& weight = chain.steps[i].weight;
    if (step.kind == InferenceStep::Kind::kFull) step.weight = weight;
    if (step.kind == InferenceStep::Kind::kConvolution) {
      step.weight.resize(weight.size());
      const int64_t k = step.kernel, in = step.in.channels, out = step.out.channels;
      const float* from = weight.data();
      for (int64_t o = 0; o < out; ++o) {
        for (int64_t c = 0; c < in; ++c) {
          for (int64_t row = 0; row < k; ++row) {
            for (int64_t column = 0; column < k; ++column) {
              const int64_t tap = step.stride == 1 ? row * k + column : column * k + row;
              step.weight[(tap * in + c) * out + o] = *from++;
            }
          }
        }
      }
    }
    if (step.request >= 0) {
      const UnitCoordinates& units = requests[step.request].units;
      const int64_t row_floats = step.out.RowFloats(batch_size);
      for (size_t u = 0; u < units.channel.size(); ++u) {
        const int64_t row = std::max(units.row[u], 0) - step.out.rows.first;
        const int64_t column = std::max(units.column[u], 0) - step.out.columns.first;
        step.offsets.push_back(row * row_floats + column * step.out.channels +
                               units.channel[u]);
      }
    }
    engine.multiply_adds_ += engine.CountProducts(step);
  }
  return engine;
}

int64_t InferenceEngine::CountProducts(const Step& step) const {
  if (step.kind == InferenceStep::Kind::kFull)
    return static_cast<int64_t>(step.weight.size());
  if (step.kind != InferenceStep::Kind::kConvolution) return 0;
  const auto taps = [&](const Span& span) {
    int64_t count = 0;
    for (int64_t p = span.first; p <= span.last; ++p) {
      const auto [first, last] =
          InsideTaps(p, step.kernel, step.stride, step.padding, step.in.side);
      count += last - first + 1;
    }
    return count;
  };
  return taps(step.out.rows) * taps(step.out.columns) * step.in.channels *
         step.out.channels;
}

void InferenceEngine::Run(const float* input, Workspace& workspace,
                          std::vector<UnitResponses>& responses) const {
  responses.resize(num_requests_);
  const float* in = input;
  for (const Step& step : steps_) {
    if (step.kind == InferenceStep::Kind::kRelu) {
      // The buffer that the step before has filled: only the input is not ours.
      IAT_CHECK(in != input, "a chain that begins with a ReLU");
      std::vector<float>& map = workspace.from;
      if (step.request >= 0) Take(step, map.data(), responses[step.request].pre);
      const size_t size =
          static_cast<size_t>(step.out.rows.size() * step.out.RowFloats(batch_size_));
      // Written so that NaN stays.
      for (size_t i = 0; i < size; ++i) map[i] = map[i] < 0.0f ? 0.0f : map[i];
      if (step.request >= 0) Take(step, map.data(), responses[step.request].post);
      continue;
    }
    const size_t size =
        static_cast<size_t>(step.out.rows.size() * step.out.RowFloats(batch_size_));
    if (workspace.to.size() < size) workspace.to.resize(size);
    float* const out = workspace.to.data();
    switch (step.kind) {
      case InferenceStep::Kind::kConvolution:
        Convolve(step, in, out, workspace.gathered);
        break;
      case InferenceStep::Kind::kMaxPool:
        Pool(step, in, out);
        break;
      case InferenceStep::Kind::kFull:
        Multiply(step, in, out, workspace.gathered);
        break;
      case InferenceStep::Kind::kRelu:
        break;
    }
    std::swap(workspace.from, workspace.to);
    in = workspace.from.data();
  }
}

void InferenceEngine::FillBias(const Step& step, float* out) const {
  const int64_t n = step.out.channels;
  const int64_t pixels = step.out.rows.size() * batch_size_ * step.out.columns.size();
  for (int64_t i = 0; i < pixels; ++i) std::copy_n(step.bias.data(), n, out + i * n);
}

void InferenceEngine::Convolve(const Step& step, const float* in, float* out,
                               std::vector<float>& gathered) const {
  FillBias(step, out);
  if (step.stride == 1) {
    MultiplyWindows(step, step.in, in, step.kernel, step.padding, out);
    return;
  }
  Map gathered_map;
  GatherWindowRows(step, in, gathered_map, gathered);
  MultiplyWindows(step, gathered_map, gathered.data(), /*kernel_rows=*/1,
                  /*row_padding=*/0, out);
}

// Output row r gets the kernel's rows as channels, zeros where they are padding.
void InferenceEngine::GatherWindowRows(const Step& step, const float* in,
                                       Map& gathered_map,
                                       std::vector<float>& gathered) const {
  const int64_t channels = step.in.channels, k = step.kernel;
  const int64_t width = step.in.columns.size();
  gathered_map = step.in;
  gathered_map.channels = k * channels;
  gathered_map.rows = step.out.rows;
  const size_t size =
      static_cast<size_t>(gathered_map.rows.size() * gathered_map.RowFloats(batch_size_));
  if (gathered.size() < size) gathered.resize(size);
  const int64_t in_row = step.in.RowFloats(batch_size_);
  const int64_t pixels = batch_size_ * width;
  float* to = gathered.data();
  for (int64_t r = step.out.rows.first; r <= step.out.rows.last; ++r) {
    const int64_t start = r * step.stride - step.padding;
    const auto [first, last] = InsideTaps(r, k, step.stride, step.padding, step.in.side);
    const float* from = in + (start + first - step.in.rows.first) * in_row;
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
      std::fill_n(to, first * channels, 0.0f);
      for (int64_t row = first; row <= last; ++row) {
        std::copy_n(from + (row - first) * in_row + pixel * channels, channels,
                    to + row * channels);
      }
      std::fill_n(to + (last + 1) * channels, (k - 1 - last) * channels, 0.0f);
      to += k * channels;
    }
  }
}

void InferenceEngine::MultiplyWindows(const Step& step, const Map& in_map,
                                      const float* in, int64_t kernel_rows,
                                      int64_t row_padding, float* out) const {
  const int64_t n = step.out.channels, channels = in_map.channels;
  const int64_t in_pixel = in_map.columns.size() * channels;
  const int64_t out_pixel = step.out.columns.size() * n;
  for (int64_t row = 0; row < kernel_rows; ++row) {
    // Output rows for which this kernel row falls inside the map. Gathered rows are
    // numbered as the output's.
    const int64_t first = std::max(step.out.rows.first, row_padding - row);
    const int64_t last =
        std::min(step.out.rows.last, in_map.rows.last + row_padding - row);
    if (last < first) continue;
    const float* const in_row =
        in + (first + row - row_padding - in_map.rows.first) * batch_size_ * in_pixel;
    float* const out_row = out + (first - step.out.rows.first) * batch_size_ * out_pixel;
    for (int64_t column = step.out.columns.first; column <= step.out.columns.last;
         ++column) {
      const auto [left, right] =
          InsideTaps(column, step.kernel, step.stride, step.padding, step.in.side);
      const int64_t start = column * step.stride - step.padding + left;
      AddProduct((last - first + 1) * batch_size_, n, (right - left + 1) * channels,
                 in_row + (start - in_map.columns.first) * channels, in_pixel,
                 step.weight.data() + (row * step.kernel + left) * channels * n,
                 CblasNoTrans, n, out_row + (column - step.out.columns.first) * n,
                 out_pixel);
    }
  }
}

void InferenceEngine::Pool(const Step& step, const float* in, float* out) const {
  const int64_t channels = step.out.channels;
  const int64_t in_width = step.in.columns.size(), out_width = step.out.columns.size();
  for (int64_t r = 0; r < step.out.rows.size(); ++r) {
    const int64_t top = (step.out.rows.first + r) * step.stride - step.in.rows.first;
    for (int64_t image = 0; image < batch_size_; ++image) {
      for (int64_t c = 0; c < out_width; ++c) {
        const int64_t left =
            (step.out.columns.first + c) * step.stride - step.in.columns.first;
        float* const to = out + ((r * batch_size_ + image) * out_width + c) * channels;
        for (int64_t row = 0; row < step.kernel; ++row) {
          const float* const from =
              in + (((top + row) * batch_size_ + image) * in_width + left) * channels;
          for (int64_t column = 0; column < step.kernel; ++column) {
            const float* const values = from + column * channels;
            if (row == 0 && column == 0) {
              std::copy_n(values, channels, to);
              continue;
            }
            for (int64_t i = 0; i < channels; ++i) {
              // NaN wins, so that it is not hidden from the taps behind it.
              const bool takes = values[i] > to[i] || values[i] != values[i];
              to[i] = takes ? values[i] : to[i];
            }
          }
        }
      }
    }
  }
}

void InferenceEngine::Multiply(const Step& step, const float* in, float* out,
                               std::vector<float>& gathered) const {
  FillBias(step, out);
  const int64_t channels = step.in.channels, side = step.in.side;
  const int64_t inputs = channels * side * side;
  if (side > 1) {  // channel-major, as the weights
    if (static_cast<int64_t>(gathered.size()) < batch_size_ * inputs)
      gathered.resize(batch_size_ * inputs);
    for (int64_t row = 0; row < side; ++row) {
      for (int64_t image = 0; image < batch_size_; ++image) {
        for (int64_t column = 0; column < side; ++column) {
          for (int64_t c = 0; c < channels; ++c) {
            gathered[image * inputs + (c * side + row) * side + column] = *in++;
          }
        }
      }
    }
    in = gathered.data();
  }
  AddProduct(batch_size_, step.out.channels, inputs, in, inputs, step.weight.data(),
             CblasTrans, inputs, out, step.out.channels);
}

void InferenceEngine::Take(const Step& step, const float* map,
                           ActivationMatrix& values) const {
  values.resize(batch_size_, static_cast<Eigen::Index>(step.offsets.size()));
  const int64_t image_floats = step.out.columns.size() * step.out.channels;
  for (int64_t image = 0; image < batch_size_; ++image) {
    const float* const from = map + image * image_floats;
    float* const to = values.row(image).data();
    for (size_t u = 0; u < step.offsets.size(); ++u) to[u] = from[step.offsets[u]];
  }
}

}  // namespace iat
