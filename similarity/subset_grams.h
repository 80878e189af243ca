// Gram matrices of several subsets of the same stimuli, each about its own mean:
//
//   G_j = sum over i in subset j of (x_i - m_j) (x_i - m_j)'
//
// Subsets share their work: every stimulus is multiplied once for up to four subsets, in
// the group of those that are in the same ones of them, and each G_j is the sum of its
// groups. The largest group costs nothing: what is in it is what is not in the others.
// Four subsets of half the stimuli each take 15/16 of the stimuli instead of twice all;
// less the more alike they are, or the more each is what another is not. The active
// stimuli of a layer's units, put together by Alike(), take a little less than half of
// what they take one by one.
//
// Shapes    rows: axes x stimuli, float32.
// Accuracy  float32 products of up to 1,024 stimuli, summed over groups in float64.
//           Subsets of less than an eighth of the stimuli, whose mean may be far from the
//           others' for their spread, are centred first, each by itself.

#ifndef IAT_SIMILARITY_SUBSET_GRAMS_H_
#define IAT_SIMILARITY_SUBSET_GRAMS_H_

#include <Eigen/Core>
#include <array>
#include <vector>

namespace iat {

class SubsetGrams {
 public:
  // `squares`: the squares of `rows` summed over all stimuli, one an axis; their Gram
  // matrix must be diagonal. `rows` must outlive this.
  SubsetGrams(const Eigen::MatrixXf& rows, Eigen::ArrayXd squares);

  // How many subsets to give at a time.
  size_t num_together() const { return sums_.size(); }

  // An order of subsets, as positions, in which those to give at a time are alike.
  std::vector<size_t> Alike(
      const std::vector<const std::vector<Eigen::Index>*>& subsets) const;

  // The lower triangles, one a subset. `subsets` are ascending stimuli, none empty;
  // `means` are theirs, axes x subsets.
  void Compute(const std::vector<const std::vector<Eigen::Index>*>& subsets,
               const Eigen::MatrixXd& means, std::vector<Eigen::MatrixXf>& lower);

 private:
  bool IsAlone(const std::vector<Eigen::Index>& subset) const;
  // The Gram matrix of these stimuli about a centre.
  void MakeGram(const std::vector<Eigen::Index>& stimuli, const Eigen::VectorXf& centre,
                Eigen::MatrixXf& lower);
  void AddParts(int high);

  const Eigen::MatrixXf& rows_;
  const Eigen::ArrayXd squares_;
  Eigen::MatrixXf gathered_;
  // Groups by which of the subsets their stimuli are in, as bits.
  std::array<std::vector<Eigen::Index>, 16> groups_;
  std::array<Eigen::MatrixXf, 4> parts_;  // of groups that agree in the two high bits
  std::vector<Eigen::MatrixXd> sums_;     // one a subset
};

}  // namespace iat

#endif  // IAT_SIMILARITY_SUBSET_GRAMS_H_
