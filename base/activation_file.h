// Activations of one animal to one stimulus set, in a netCDF-4 file that opens in
// xarray, h5py, MATLAB and R.
//
// Dimensions  stimulus; conv1_unit, conv2_unit, ... (one per layer)
// Variables   conv1_pre_relu(stimulus, conv1_unit) float32, ... one per tap;
//             chunked by stimulus, checksummed (fletcher32)
// Coordinates stimulus_id(stimulus) string; conv1_channel, conv1_row,
//             conv1_column (conv1_unit) int32, -1 where a unit has no position
// By unit     further float64 variables of a layer, conv1_NAME(conv1_unit): receptive
//             fields, summaries over stimuli; each says in its long_name what it is
// Attributes  format_version, iat_version, animal, architecture, init_seed,
//             data_seed, weights_sha256, stimuli_sha256, scope, preprocessing,
//             fingerprint, simulated ("yes" or "no"), precision ("float32", or
//             "float16": netCDF has no 16-bit floats, so values are rounded to one and
//             stored as compressed float32, in about half the space)
//
// Rows are matched by stimulus_id, never by position alone. Matrices are
// row-major: stimuli x units. Values are raw activation units.
//
// Example:
//   auto file = ActivationFile::Open("activations/held-out/seed-000.nc");
//   if (!file.ok()) return file.status();
//   auto x = file->Read({"conv3", Stage::kPreRelu});   // stimuli x units

#ifndef IAT_BASE_ACTIVATION_FILE_H_
#define IAT_BASE_ACTIVATION_FILE_H_

#include <Eigen/Core>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace iat {

// Before the ReLU (the value that enters it), after it, or recorded from a brain.
enum class Stage { kPreRelu, kPostRelu, kRecorded };

// "pre_relu", "post_relu", "recorded".
std::string StageName(Stage stage);
absl::StatusOr<Stage> ParseStage(absl::string_view name);

// A layer at a stage: where activations are read.
struct Tap {
  std::string layer;  // "conv1" ... "fc7", or a brain area
  Stage stage = Stage::kPreRelu;

  // "conv3/pre_relu".
  std::string Name() const;
  bool operator==(const Tap&) const = default;
};

// Stimuli x units, row-major as in the file.
using ActivationMatrix =
    Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// Where each unit of a layer sits. All three have one entry a unit.
struct UnitCoordinates {
  std::vector<int32_t> channel, row, column;
};

struct ActivationMetadata {
  std::string animal;        // "seed-003", "untrained-003", a recording's animal
  std::string architecture;  // "alexnet_bn width=1"
  int64_t init_seed = -1;
  int64_t data_seed = -1;
  std::string weights_sha256;
  std::string stimuli_sha256;
  std::string scope;          // "hypercolumn" or "layer"
  std::string preprocessing;  // in words
  std::string fingerprint;    // of everything the file was made from
  bool simulated = false;
  std::string precision = "float32";  // or "float16"
};

// Writes one file; the caller gives it a temporary path (base/file.h) and renames.
class ActivationWriter {
 public:
  struct Layer {
    std::string name;
    UnitCoordinates units;
    std::vector<Stage> stages;
  };

  // InvalidArgument: duplicate or empty stimulus ids, duplicate layers.
  static absl::StatusOr<ActivationWriter> Create(
      const std::filesystem::path& path, const std::vector<std::string>& stimulus_ids,
      const std::vector<Layer>& layers, const ActivationMetadata& metadata);

  // Rows first_row ... of a tap. Values must be finite, and within half precision's
  // range where that is asked for.
  absl::Status Write(const Tap& tap, int64_t first_row, const ActivationMatrix& rows);

  // One number a unit of a declared layer, as variable LAYER_NAME; `meaning` goes to
  // its long_name. May be called until Close.
  absl::Status WriteByUnit(absl::string_view layer, absl::string_view name,
                           absl::string_view meaning, const std::vector<double>& values);

  // Flushes and closes. FailedPrecondition when rows are missing.
  absl::Status Close();

  ActivationWriter(ActivationWriter&&) noexcept;
  ActivationWriter& operator=(ActivationWriter&&) noexcept;
  ~ActivationWriter();

 private:
  struct State;
  explicit ActivationWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

class ActivationFile {
 public:
  // InvalidArgument naming the file and what is wrong when it is not ours.
  static absl::StatusOr<ActivationFile> Open(const std::filesystem::path& path);

  const std::filesystem::path& path() const;
  const std::vector<std::string>& stimulus_ids() const;
  const ActivationMetadata& metadata() const;
  std::vector<Tap> taps() const;
  bool Has(const Tap& tap) const;
  // NotFound naming the taps there are.
  absl::StatusOr<UnitCoordinates> Units(absl::string_view layer) const;

  // All stimuli of a tap, stimuli x units. NotFound naming the taps there are;
  // DataLoss naming the stimuli of a damaged chunk; InvalidArgument naming stimulus
  // and unit of a value that is not finite. Safe to call from several threads.
  absl::StatusOr<ActivationMatrix> Read(const Tap& tap) const;
  // Rows [first, first + count) of it.
  absl::StatusOr<ActivationMatrix> ReadRows(const Tap& tap, int64_t first,
                                            int64_t count) const;

  // Layers with units, whether or not a tap of theirs is stored.
  std::vector<std::string> layers() const;
  // What WriteByUnit has written: names and meanings, and the values.
  std::vector<std::pair<std::string, std::string>> ByUnitNames(
      absl::string_view layer) const;
  absl::StatusOr<std::vector<double>> ReadByUnit(absl::string_view layer,
                                                 absl::string_view name) const;

  ActivationFile(ActivationFile&&) noexcept;
  ActivationFile& operator=(ActivationFile&&) noexcept;
  ~ActivationFile();

 private:
  struct State;
  explicit ActivationFile(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace iat

#endif  // IAT_BASE_ACTIVATION_FILE_H_
