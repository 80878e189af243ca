// Simulated recordings: neurons drawn from the units of a model family, one animal a
// model, with trials, noise and sparsity that are known because they were planted. They
// are called simulated in every file, table and figure.
//
// Animal k, simulated-000 for seed-000 and so on, comes from model k's activations; an
// area is a layer. Of a layer's U units N neurons are drawn:
//
//   N = min(num_neurons, floor(U * neuron_to_unit_ratio)),   num_neurons = 0: the latter
//   m = max(1, round(N / neuron_to_unit_ratio)) of the units, at random, without
//       replacement
//
// so that N neurons stand for N / neuron_to_unit_ratio units:
// - ratio 1    neuron i is driven by unit i of those drawn.
// - above 1    m of the neurons, at random places, are driven by one unit each; the other
//              N - m are not driven by the stimuli at all. Any n of the neurons, drawn at
//              random, then hold n / ratio driven ones on average (hypergeometric): the
//              sampling curve of sources is the units' at n / ratio. Copies of units
//              would not do that: few random neurons out of many copies are nearly all
//              different units. As targets, undriven neurons have no signal: without
//              noise they never vary and are not scored, with noise they must be left
//              out by their reliability (by_neuron "num_units" is 0).
// - below 1    neuron i is driven by the sum of the units of its own group, the m units
//              being dealt to the N neurons in turn. N neurons then come from N / ratio
//              units, but are N linear combinations: a linear map from them is no better
//              than their rank allows. The recovered ratio is therefore not the planted
//              one; what is planted is the number of units.
//
// Drive of a driven neuron i at stimulus s, a_u a unit's activation over its deviation
// across the stimuli (units that never vary are not drawn):
//
//   d_is = sum over its own units u of a_us + mixing_weight * sum_{k=1..mixing_units}
//          w_ik a_{v_ik, s},   v_ik other drawn units at random, w_ik standard normal
//   e_is = max(0, d_is - q_i),  q_i the `sparsity` quantile of d_i over the stimuli (the
//          ceil(sparsity * n)-th smallest value; sparsity 0: the smallest)
//   rate = baseline + gain_i * e_is / mean_s e_is
//   gain_i = mean_count * exp(gain_spread * z_i - gain_spread^2 / 2),  z_i normal
//
// A share of at least `sparsity` of the stimuli leaves the neuron at its baseline
// (exactly ceil(sparsity n) / n of them without ties), its mean rate is baseline +
// gain_i, and gains have mean mean_count. An undriven neuron's rate is baseline + gain_i
// at every stimulus. Trials: Poisson counts of the rate (mean and variance are the rate),
// independent across trials, stimuli and neurons; noise = "none": the rate itself in
// every trial.
//
// Random   Streams keyed by sample_seed, animal, layer and neuron: more trials or
//          animals change nothing in those there were.
//
// Example:
//   SimulationOptions options{.num_neurons = 100, .num_trials = 20};
//   auto recording = Simulate(options, "demo", {"activations/x/seed-000.nc", ...});
//   WriteRecording("neural/demo.nc", *recording);

#ifndef IAT_NEURAL_SIMULATE_H_
#define IAT_NEURAL_SIMULATE_H_

#include <Eigen/Core>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/options.h"
#include "base/random.h"
#include "neural/recording.h"

namespace iat {

// Config table [neural.NAME.simulation].
struct SimulationOptions {
  std::string activations;          // [stimuli.NAME] whose activations are recorded from
  std::vector<std::string> layers;  // none: all that the files hold
  std::string stage = "post_relu";
  int64_t num_animals = 0;  // the family's first; 0: all
  int64_t num_stimuli = 0;  // the file's first; 0: all
  int64_t num_neurons = 100;
  double neuron_to_unit_ratio = 1.0;
  int64_t mixing_units = 0;
  double mixing_weight = 0.5;
  double sparsity = 0.0;
  double mean_count = 5.0;
  double gain_spread = 0.5;
  double baseline = 0.0;
  std::string noise = "poisson";
  int64_t num_trials = 20;
  int64_t sample_seed = 0;

  void Describe(OptionVisitor& visitor);
  absl::Status Validate() const;
};

// Which units drive which neuron; places among the U units. Empty: undriven.
using DrivingUnits = std::vector<std::vector<int64_t>>;
// Of `eligible` units (places among all) N neurons as above.
DrivingUnits DrawNeurons(const std::vector<int64_t>& eligible, int64_t num_neurons,
                         double neuron_to_unit_ratio, RandomStream& stream);

// e_s = max(0, drive_s - q) over its mean, or 0 where that never rises.
Eigen::VectorXd Sparsify(const Eigen::VectorXd& drive, double sparsity);

// A Poisson count of mean `rate` >= 0, exact at any rate.
int64_t PoissonCount(double rate, RandomStream& stream);

// Files are activation files of a family, one a model. NotFound naming a layer or stage
// that is not there; InvalidArgument naming the file whose stimuli differ from the
// first's, or a layer without a unit that varies.
absl::StatusOr<Recording> Simulate(const SimulationOptions& options,
                                   const std::string& name,
                                   const std::vector<std::filesystem::path>& files);

// SHA-256 of everything a simulation is made from.
absl::StatusOr<std::string> SimulationFingerprint(
    const SimulationOptions& options, const std::string& name,
    const std::vector<std::filesystem::path>& files);

}  // namespace iat

#endif  // IAT_NEURAL_SIMULATE_H_
