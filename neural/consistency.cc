#include "neural/consistency.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "base/nan.h"
#include "base/random.h"
#include "base/status.h"
#include "similarity/r2.h"

namespace iat {
namespace {

constexpr int64_t kNumBootstraps = 2000;
constexpr size_t kFewestImages = 4;
// Values this close, of their range, are ties: means of ranks that are equal come out so.
constexpr double kTie = 1e-12;

// Over their deviation across images; units that never vary are left out.
Eigen::MatrixXd ZScores(const Eigen::MatrixXd& responses) {
  Eigen::MatrixXd z(responses.rows(), responses.cols());
  Eigen::Index kept = 0;
  for (Eigen::Index j = 0; j < responses.cols(); ++j) {
    const auto unit = responses.col(j);
    if (!(unit.minCoeff() < unit.maxCoeff())) continue;
    const Eigen::VectorXd centred = unit.array() - unit.mean();
    z.col(kept++) =
        centred / std::sqrt(centred.squaredNorm() / static_cast<double>(centred.size()));
  }
  return z.leftCols(kept);
}

Eigen::VectorXd Ranks(const Eigen::VectorXd& values) {
  const double tie = kTie * (values.maxCoeff() - values.minCoeff());
  std::vector<Eigen::Index> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](Eigen::Index a, Eigen::Index b) { return values(a) < values(b); });
  Eigen::VectorXd ranks(values.size());
  for (size_t first = 0; first < order.size();) {
    size_t end = first + 1;
    while (end < order.size() && values(order[end]) - values(order[first]) <= tie) ++end;
    for (size_t k = first; k < end; ++k) {
      ranks(order[k]) = 0.5 * static_cast<double>(first + end - 1);
    }
    first = end;
  }
  return ranks;
}

Eigen::VectorXd RowWithout(const Eigen::MatrixXd& similarity, Eigen::Index image) {
  Eigen::VectorXd row(similarity.cols() - 1);
  row.head(image) = similarity.row(image).head(image).transpose();
  row.tail(row.size() - image) =
      similarity.row(image).tail(row.size() - image).transpose();
  return row;
}

// What both values of a ReferenceCorrelation are made of.
using Correlation = double (*)(const Eigen::VectorXd&, const Eigen::VectorXd&);

ReferenceCorrelation Correlate(Correlation correlation,
                               const FamilyConsistency& consistency,
                               const Eigen::VectorXd& reference,
                               const std::vector<Eigen::Index>& images,
                               int64_t sample_seed) {
  const Eigen::VectorXd x = consistency.Mean()(images), y = reference(images);
  ReferenceCorrelation result;
  result.value = correlation(x, y);
  std::vector<double> samples;
  for (int64_t b = 0; b < kNumBootstraps; ++b) {
    RandomStream stream(sample_seed, "consistency images", static_cast<uint64_t>(b));
    std::vector<Eigen::Index> drawn(images.size());
    for (Eigen::Index& image : drawn) {
      image = static_cast<Eigen::Index>(stream.UniformInt(images.size()));
    }
    const double value = correlation(x(drawn), y(drawn));
    if (!std::isnan(value)) samples.push_back(value);
  }
  result.images_low = Quantile(samples, 0.025);
  result.images_high = Quantile(samples, 0.975);
  const Interval animals =
      JackknifeStatistic(consistency.num_animals, [&](size_t left_out) {
        return correlation(consistency.Mean(left_out)(images), y);
      });
  result.animals_low = animals.low;
  result.animals_high = animals.high;
  return result;
}

}  // namespace

Eigen::MatrixXd ImageSimilarity(const Eigen::MatrixXd& responses) {
  Eigen::MatrixXd z = ZScores(responses);
  for (Eigen::Index i = 0; i < z.rows(); ++i) {
    const double norm = z.row(i).norm();
    if (norm > 0.0) z.row(i) /= norm;
  }
  return z * z.transpose();
}

double Pearson(const Eigen::VectorXd& a, const Eigen::VectorXd& b) {
  if (!(a.minCoeff() < a.maxCoeff()) || !(b.minCoeff() < b.maxCoeff())) return kNaN;
  const Eigen::VectorXd x = a.array() - a.mean(), y = b.array() - b.mean();
  return x.dot(y) / (x.norm() * y.norm());
}

double Spearman(const Eigen::VectorXd& a, const Eigen::VectorXd& b) {
  return Pearson(Ranks(a), Ranks(b));
}

Eigen::VectorXd FamilyConsistency::Mean(size_t left_out) const {
  const Eigen::Index num_images = of_pair[0].size();
  Eigen::VectorXd sum = Eigen::VectorXd::Zero(num_images), count = sum;
  for (size_t p = 0; p < pairs.size(); ++p) {
    if (pairs[p].first == left_out || pairs[p].second == left_out) continue;
    for (Eigen::Index i = 0; i < num_images; ++i) {
      if (std::isnan(of_pair[p](i))) continue;
      sum(i) += of_pair[p](i);
      count(i) += 1.0;
    }
  }
  return (count.array() > 0.0).select(sum.array() / count.array(), kNaN);
}

absl::StatusOr<FamilyConsistency> ImageConsistency(
    const std::vector<Eigen::MatrixXd>& responses) {
  if (responses.size() < 2) {
    return absl::InvalidArgumentError(absl::StrCat(
        "consistency compares pairs of animals; there are ", responses.size()));
  }
  std::vector<Eigen::MatrixXd> similarity;
  for (const Eigen::MatrixXd& animal : responses) {
    if (animal.rows() != responses[0].rows() ||
        animal.rows() < static_cast<Eigen::Index>(kFewestImages)) {
      return absl::InvalidArgumentError(
          absl::StrCat("consistency needs at least ", kFewestImages,
                       " images, the same for all animals; the first has ",
                       responses[0].rows(), ", another ", animal.rows()));
    }
    similarity.push_back(ImageSimilarity(animal));
  }
  FamilyConsistency result;
  result.num_animals = responses.size();
  for (size_t a = 0; a < responses.size(); ++a) {
    for (size_t b = a + 1; b < responses.size(); ++b) {
      Eigen::VectorXd of_image(responses[0].rows());
      for (Eigen::Index i = 0; i < of_image.size(); ++i) {
        of_image(i) =
            Spearman(RowWithout(similarity[a], i), RowWithout(similarity[b], i));
      }
      result.pairs.push_back({a, b});
      result.of_pair.push_back(std::move(of_image));
    }
  }
  return result;
}

absl::StatusOr<ConsistencyWithReference> CorrelateWithReference(
    const FamilyConsistency& consistency, const Eigen::VectorXd& reference,
    int64_t sample_seed) {
  const Eigen::VectorXd mean = consistency.Mean();
  if (reference.size() != mean.size()) {
    return absl::InvalidArgumentError(absl::StrCat("the reference has ", reference.size(),
                                                   " images, the family ", mean.size()));
  }
  std::vector<Eigen::Index> images;
  for (Eigen::Index i = 0; i < mean.size(); ++i) {
    if (!std::isnan(mean(i)) && !std::isnan(reference(i))) images.push_back(i);
  }
  if (images.size() < kFewestImages) {
    return absl::InvalidArgumentError(
        absl::StrCat(images.size(),
                     " images have a consistency and a reference value; "
                     "expected at least ",
                     kFewestImages));
  }
  return ConsistencyWithReference{
      Correlate(Spearman, consistency, reference, images, sample_seed),
      Correlate(Pearson, consistency, reference, images, sample_seed),
      static_cast<int64_t>(images.size())};
}

}  // namespace iat
