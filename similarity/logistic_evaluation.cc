#include "similarity/logistic_evaluation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <type_traits>

#include "similarity/linear_algebra.h"

namespace iat {
namespace {

constexpr Eigen::Index kTileRows = LogisticDesign::kTileRows;

// Stimuli whose losses are summed as one logarithm.
constexpr Eigen::Index kLossRows = 256;
static_assert(kTileRows % kLossRows == 0);

// log of the product of a packet's numbers: one logarithm, since float64 has the range
// where several do not have the time.
template <typename Scalar>
double LogOfProduct(
    const typename Eigen::internal::packet_traits<Scalar>::type& product) {
  std::array<Scalar, Eigen::internal::packet_traits<Scalar>::size> lanes;
  Eigen::internal::pstoreu(lanes.data(), product);
  double all = 1.0;
  for (const Scalar lane : lanes) all *= static_cast<double>(lane);
  return std::log(all);
}

// kLossRows stimuli of one column. Replaces margins by the gradient of the loss with
// respect to them, in place. With s the class's sign and u = s * margin:
//   loss = max(-u, 0) + log(1 + e),  e = exp(-|u|)
//   d loss / d margin = -s sigmoid(-u)
// log(1 + e) is summed as the log of a product of factors in [1, 2].
template <typename Scalar>
void LossPass(const Scalar* classes, Scalar* margins, LogisticSums& sums) {
  namespace packet = Eigen::internal;
  using Packet = typename packet::packet_traits<Scalar>::type;
  constexpr Eigen::Index kLanes = packet::packet_traits<Scalar>::size;
  static_assert(kLossRows % kLanes == 0);
  // 2 to the power of so many factors must be in range, and that of all in float64's.
  static_assert(kLossRows / kLanes <= (std::is_same_v<Scalar, float> ? 64 : 512));
  static_assert(kLossRows <= 512);
  const Packet zero = packet::pset1<Packet>(0), one = packet::pset1<Packet>(1),
               minus_one = packet::pset1<Packet>(-1), two = packet::pset1<Packet>(2);
  Packet hinge = zero, product = one, held_out_hinge = zero, held_out_product = one,
         variance = zero;
  for (Eigen::Index i = 0; i < kLossRows; i += kLanes) {
    const Packet c = packet::ploadu<Packet>(classes + i);
    const Packet kind = packet::pabs(c);
    const Packet learned = packet::pcmp_eq(kind, one);
    const Packet held_out = packet::pcmp_eq(kind, two);
    const Packet sign = packet::pmax(packet::pmin(c, one), minus_one);
    const Packet u = packet::pmul(sign, packet::ploadu<Packet>(margins + i));
    const Packet e = packet::pexp(packet::pnegate(packet::pabs(u)));
    const Packet one_plus = packet::padd(one, e);
    const Packet q = packet::pdiv(e, one_plus);
    const Packet excess = packet::pmax(packet::pnegate(u), zero);
    hinge = packet::padd(hinge, packet::pand(learned, excess));
    held_out_hinge = packet::padd(held_out_hinge, packet::pand(held_out, excess));
    product = packet::pmul(product, packet::pselect(learned, one_plus, one));
    held_out_product =
        packet::pmul(held_out_product, packet::pselect(held_out, one_plus, one));
    const Packet complement = packet::psub(one, q);
    variance = packet::padd(variance, packet::pand(learned, packet::pmul(q, complement)));
    const Packet wrong = packet::pselect(packet::pcmp_lt(u, zero), complement, q);
    packet::pstoreu(margins + i,
                    packet::pand(learned, packet::pnegate(packet::pmul(sign, wrong))));
  }
  sums.loss += static_cast<double>(packet::predux(hinge)) + LogOfProduct<Scalar>(product);
  sums.held_out_loss += static_cast<double>(packet::predux(held_out_hinge)) +
                        LogOfProduct<Scalar>(held_out_product);
  sums.curvature += static_cast<double>(packet::predux(variance));
}

void LossPassOfRows(const float* classes, float* margins, LogisticSums& sums) {
  LossPass(classes, margins, sums);
}
void LossPassOfRows(const float* classes, double* margins, LogisticSums& sums) {
  std::array<double, kLossRows> wide;
  std::copy_n(classes, kLossRows, wide.begin());
  LossPass(wide.data(), margins, sums);
}

// A column's margins of one tile, in place, become what the gradient is made of.
template <typename Scalar>
void PassTile(const LogisticPass& pass, Eigen::Index tile, Scalar* margins,
              LogisticSums& sums) {
  using Column = Eigen::Map<Eigen::Array<Scalar, Eigen::Dynamic, 1>>;
  const Eigen::Index first = tile * kTileRows;
  if (pass.curvature != nullptr) {
    const Eigen::Index rows = std::min(kTileRows, pass.curvature->size() - first);
    Column(margins, rows) *= pass.curvature->segment(first, rows).template cast<Scalar>();
    Column(margins + rows, kTileRows - rows).setZero();
    return;
  }
  for (Eigen::Index row = 0; row < kTileRows; row += kLossRows) {
    LossPassOfRows(pass.classes + first + row, margins + row, sums);
  }
  if (pass.weights == nullptr) return;
  // What the margins have become is p - 1 or p.
  const Eigen::Index rows = std::min(kTileRows, pass.weights->size() - first);
  const auto slope = Column(margins, rows).abs();
  pass.weights->segment(first, rows) =
      (slope * (Scalar{1} - slope)).template cast<float>();
}

}  // namespace

template <typename Scalar>
void EvaluateLogistic(const LogisticDesign& design, Eigen::Index first,
                      const std::vector<LogisticPass>& passes,
                      const Eigen::MatrixXd& points, std::vector<LogisticSums>& sums,
                      Eigen::MatrixXd& gradients) {
  using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
  const Eigen::Index size = design.num_coefficients(), m = points.cols();
  const Eigen::Index used = size - first;
  const Matrix point = points.bottomRows(used).template cast<Scalar>();
  Matrix margins(kTileRows, m), part(used, m);
  sums.assign(m, LogisticSums());
  gradients = Eigen::MatrixXd::Zero(size, m);
  for (Eigen::Index tile = 0; tile < design.num_tiles(); ++tile) {
    const Scalar* z = design.tile<Scalar>(tile) + first;
    MultiplyTile(true, kTileRows, m, used, z, size, point.data(), used, margins.data(),
                 kTileRows);
    for (Eigen::Index j = 0; j < m; ++j) {
      PassTile(passes[j], tile, margins.col(j).data(), sums[j]);
    }
    MultiplyTile(false, used, m, kTileRows, z, size, margins.data(), kTileRows,
                 part.data(), used);
    gradients.bottomRows(used) += part.template cast<double>();
  }
}

template void EvaluateLogistic<float>(const LogisticDesign&, Eigen::Index,
                                      const std::vector<LogisticPass>&,
                                      const Eigen::MatrixXd&, std::vector<LogisticSums>&,
                                      Eigen::MatrixXd&);
template void EvaluateLogistic<double>(const LogisticDesign&, Eigen::Index,
                                       const std::vector<LogisticPass>&,
                                       const Eigen::MatrixXd&, std::vector<LogisticSums>&,
                                       Eigen::MatrixXd&);

}  // namespace iat
