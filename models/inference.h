// Networks in evaluation mode as a chain of plain steps, the receptive fields that
// follow from it, and an engine that computes only what a request needs.
//
// Work    The engine stops at the deepest requested layer and computes, of each map,
//         the smallest rectangle that the requested units can see: for hypercolumns
//         of AlexNet at 64 x 64 conv5 needs 1 position of 9, the others all of
//         theirs, the fully connected part nothing. Kernel taps that fall on zero
//         padding are not multiplied: in a 3 x 3 map under a 3 x 3 kernel those are
//         32 of 81.
// Method  A map lies as [row][image][column][channel]. For one kernel row and one
//         output column the windows of all images and rows are rows of a matrix with
//         a constant stride, so that a convolution is a few matrix products on the
//         map itself, without im2col. Strides above 1 (conv1) first gather the rows
//         of each window side by side.
// Values  Equal to the network's own forward pass to rounding (1e-5 of a tap's RMS).
//         A batch always has batch_size images: other shapes round differently.
//         One BLAS thread is expected (base/parallel.h); Run is safe from several
//         threads with a workspace each.
//
// Example:
//   InferenceChain chain = *model->Chain("conv5");
//   auto engine = InferenceEngine::Create(chain, {{"conv5", units}}, 100);
//   engine->Run(input, workspace, responses);    // responses[0].pre: 100 x units

#ifndef IAT_MODELS_INFERENCE_H_
#define IAT_MODELS_INFERENCE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/activation_file.h"

namespace iat {

// Batch norm is folded into the step before it, dropout is gone.
struct InferenceStep {
  enum class Kind { kConvolution, kMaxPool, kFull, kRelu };

  Kind kind = Kind::kRelu;
  // Square kernels; pools have no padding and round down.
  int64_t kernel = 1, stride = 1, padding = 0;
  // Convolution: out x in x kernel x kernel, full: out x (channels * rows *
  // columns), both as PyTorch has them; bias: out.
  std::vector<float> weight = {}, bias = {};
  int64_t outputs = 0;
  std::string layer = "";  // of a ReLU: the name of its taps
};

struct InferenceChain {
  int64_t channels = 3, side = 64;  // of the input
  std::vector<InferenceStep> steps = {};
};

// Where the units of a layer look, in pixels of the input; rows and columns alike.
struct LayerGeometry {
  std::string layer;
  int64_t channels = 0;
  int64_t side = 0;  // of the map; 0: fully connected, no positions
  // The field as if the picture went on forever: centre of position 0, distance
  // between neighbours, and side. Position p is centred on first_center + p * jump.
  double first_center = 0.0;
  int64_t jump = 1, field_side = 1;
  // By position: first and last pixel of the picture that reach it (one entry for a
  // fully connected layer).
  std::vector<std::pair<int64_t, int64_t>> seen;
};

// One entry a ReLU, from input to output.
std::vector<LayerGeometry> Geometry(const InferenceChain& chain);

// Units of a layer; row and column are -1 in fully connected layers.
struct UnitRequest {
  std::string layer;
  UnitCoordinates units;
};

// Images x units of one request, before and after the ReLU.
struct UnitResponses {
  ActivationMatrix pre, post;
};

class InferenceEngine {
 public:
  // Buffers that one thread reuses from batch to batch.
  struct Workspace {
    std::vector<float> from, to, gathered;
  };

  // InvalidArgument: a layer that the chain does not reach, a unit outside its map,
  // or the same layer twice.
  static absl::StatusOr<InferenceEngine> Create(const InferenceChain& chain,
                                                const std::vector<UnitRequest>& requests,
                                                int64_t batch_size);

  // input: [row][image][column][channel], normalised, side x batch_size x side x
  // channels. Fills one entry a request, in their order.
  void Run(const float* input, Workspace& workspace,
           std::vector<UnitResponses>& responses) const;

  int64_t batch_size() const { return batch_size_; }
  // Multiplications and additions for one image, counted in pairs.
  int64_t multiply_adds() const { return multiply_adds_; }

 private:
  struct Span {
    int64_t first = 0, last = -1;
    int64_t size() const { return last - first + 1; }
    void Include(const Span& other);
  };
  // The part of a map that is computed and stored.
  struct Map {
    int64_t side = 0, channels = 0;
    Span rows, columns;
    int64_t RowFloats(int64_t batch) const { return batch * columns.size() * channels; }
  };
  struct Step {
    InferenceStep::Kind kind;
    int64_t kernel, stride, padding;
    // Convolution: [kernel row][kernel column][in][out]; with a stride [kernel
    // column][kernel row][in][out]. Full: as it was.
    std::vector<float> weight = {}, bias = {};
    Map in, out;
    int request = -1;
    std::vector<int64_t> offsets = {};  // of each unit of the request, for image 0
  };

  void Convolve(const Step& step, const float* in, float* out,
                std::vector<float>& gathered) const;
  // The matrix products of a convolution whose rows have stride 1.
  void MultiplyWindows(const Step& step, const Map& in_map, const float* in,
                       int64_t kernel_rows, int64_t row_padding, float* out) const;
  void GatherWindowRows(const Step& step, const float* in, Map& gathered_map,
                        std::vector<float>& gathered) const;
  void Pool(const Step& step, const float* in, float* out) const;
  void Multiply(const Step& step, const float* in, float* out,
                std::vector<float>& gathered) const;
  void FillBias(const Step& step, float* out) const;
  void Take(const Step& step, const float* map, ActivationMatrix& values) const;
  int64_t CountProducts(const Step& step) const;

  int64_t batch_size_ = 0;
  int64_t multiply_adds_ = 0;
  Map input_;
  std::vector<Step> steps_;
  size_t num_requests_ = 0;
};

}  // namespace iat

#endif  // IAT_MODELS_INFERENCE_H_
