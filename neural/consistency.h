// How consistently a family of animals represents each image, and whether the images
// that mice represent consistently are those that models do.
//
//   z_ij  = response of neuron j to image i, less its mean over images, over its
//   deviation S_ik  = cosine similarity of z_i and z_k, image by image, within an animal
//   c_i   = Spearman correlation of two animals' rows S_i, without k = i
//   consistency of image i = mean of c_i over all pairs of animals
//
// Neurons that never vary have no z and are left out; c_i is NaN where an image's row
// has no order in one of the animals (its z is 0 in every neuron), and is left out of the
// mean over pairs.
//
// With a reference value an image (the mice's consistency, measured the same way), the
// family's are correlated over images: Spearman and Pearson. Intervals, 95 %:
// - over images: percentiles of 2,000 bootstrap samples of the images, animals as they
//   are. Values of images are resampled, not the similarity matrices behind them.
// - over animals: leave-one-animal-out jackknife with a t quantile, images and reference
//   as they are; none below 4 animals (similarity/summary.h).
//
// Shapes   Responses: images x neurons, one matrix an animal, the same images in rows.
// Source   The measure of github.com/Jana-HQ/cross-mouse-v1-rsa, as its results state it.
//
// Example:
//   auto consistency = ImageConsistency({of_seed_0, of_seed_1, of_seed_2});
//   auto with_mice = CorrelateWithReference(*consistency, mice, {.sample_seed = 0});

#ifndef IAT_NEURAL_CONSISTENCY_H_
#define IAT_NEURAL_CONSISTENCY_H_

#include <Eigen/Core>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/options.h"
#include "similarity/summary.h"

namespace iat {

// Config table [consistency.NAME].
struct ConsistencyOptions {
  std::string activations;  // [stimuli.NAME] of the images
  std::vector<std::string> layers;
  std::vector<std::string> stages = {"pre_relu", "post_relu"};
  std::string reference;  // CSV with a row an image; "": none
  std::string reference_image = "image";
  std::string reference_value = "consistency";
  std::string images;  // CSV with a row an image; "": all images take part
  std::string images_image = "scene";
  std::string images_column = "source";
  std::vector<std::string> images_left_out = {"upsampled"};
  int64_t sample_seed = 0;

  void Describe(OptionVisitor& visitor);
  absl::Status Validate() const;
};

// Images x images, the cosine similarities S.
Eigen::MatrixXd ImageSimilarity(const Eigen::MatrixXd& responses);

// Spearman's correlation, ties (within 1e-12 of the range) sharing their mean rank. NaN
// where one side is constant.
double Spearman(const Eigen::VectorXd& a, const Eigen::VectorXd& b);
double Pearson(const Eigen::VectorXd& a, const Eigen::VectorXd& b);

struct FamilyConsistency {
  // One a pair of animals, in the order (0, 1), (0, 2), ..., (1, 2), ...: a value an
  // image.
  std::vector<std::pair<size_t, size_t>> pairs;
  std::vector<Eigen::VectorXd> of_pair;
  size_t num_animals = 0;

  // Mean over pairs, without those of `left_out` (num_animals: nobody is).
  Eigen::VectorXd Mean(size_t left_out) const;
  Eigen::VectorXd Mean() const { return Mean(num_animals); }
};

// InvalidArgument: fewer than 2 animals, fewer than 4 images, other numbers of images.
absl::StatusOr<FamilyConsistency> ImageConsistency(
    const std::vector<Eigen::MatrixXd>& responses);

struct ReferenceCorrelation {
  double value = 0.0;
  double images_low = 0.0, images_high = 0.0;    // over images
  double animals_low = 0.0, animals_high = 0.0;  // over animals; NaN below 4
};
struct ConsistencyWithReference {
  ReferenceCorrelation spearman, pearson;
  int64_t num_images = 0;
};
// `reference`: one value an image. Images where either is NaN are left out.
// InvalidArgument: another number of images, fewer than 4 with both values.
absl::StatusOr<ConsistencyWithReference> CorrelateWithReference(
    const FamilyConsistency& consistency, const Eigen::VectorXd& reference,
    int64_t sample_seed);

// One layer and stage.
struct ConsistencyRow {
  std::string name;  // of the table
  std::string layer, stage;
  int64_t num_animals = 0, num_units = 0, num_images = 0;
  bool simulated = false;
  Interval consistency;  // mean over images and pairs; jackknife over animals
  ConsistencyWithReference reference;  // NaN without one
  Eigen::VectorXd of_image;
};
struct ConsistencyTable {
  std::vector<std::string> image_ids;
  Eigen::VectorXd reference;  // NaN: none
  std::vector<ConsistencyRow> rows;
  std::vector<std::string> notes;
};

// Of activation files, one an animal. A reference row belongs to the image of that id; a
// row that is a number, to the image whose id ends in that number (scene_007.png).
// NotFound or InvalidArgument naming file and what does not fit.
absl::StatusOr<ConsistencyTable> MeasureConsistency(
    const ConsistencyOptions& options, const std::string& name,
    const std::vector<std::filesystem::path>& files);

// consistency.csv: name,layer,stage,num_animals,num_units,num_images,simulated,
// consistency,low,high, then spearman and pearson with their intervals;
// consistency_images.csv: name,layer,stage,stimulus_id,consistency,reference.
absl::Status WriteConsistency(const std::filesystem::path& folder,
                              const std::vector<ConsistencyTable>& tables);
std::string ConsistencyText(const std::vector<ConsistencyTable>& tables);

}  // namespace iat

#endif  // IAT_NEURAL_CONSISTENCY_H_
