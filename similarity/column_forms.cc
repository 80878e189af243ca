#include "similarity/column_forms.h"

#include <algorithm>

#include "base/status.h"

namespace iat {
namespace {

// Forms that share a pass over a column: two sums each, in as many registers.
constexpr int kGroup = 4;

template <int kCount>
void FormsOfGroup(const Eigen::MatrixXf& x, const float* a, const float* b,
                  Eigen::Index first, Eigen::ArrayXXf& linear,
                  Eigen::ArrayXXf& quadratic) {
  // Eigen's packets, so that multiply-adds are one instruction where the machine has it.
  namespace packet = Eigen::internal;
  using Packet = packet::packet_traits<float>::type;
  constexpr Eigen::Index kLanes = packet::packet_traits<float>::size;
  const Eigen::Index size = x.rows(), whole = size / kLanes * kLanes;
  for (Eigen::Index i = 0; i < linear.rows(); ++i) {
    const float* column = x.col(i).data();
    Packet once[kCount], twice[kCount];
    for (int l = 0; l < kCount; ++l) once[l] = twice[l] = packet::pset1<Packet>(0.0f);
    for (Eigen::Index k = 0; k < whole; k += kLanes) {
      const Packet value = packet::ploadu<Packet>(column + k);
      const Packet square = packet::pmul(value, value);
      for (int l = 0; l < kCount; ++l) {
        once[l] = packet::pmadd(packet::ploadu<Packet>(a + l * size + k), value, once[l]);
        twice[l] =
            packet::pmadd(packet::ploadu<Packet>(b + l * size + k), square, twice[l]);
      }
    }
    for (int l = 0; l < kCount; ++l) {
      float sum = packet::predux(once[l]), sum_of_squares = packet::predux(twice[l]);
      for (Eigen::Index k = whole; k < size; ++k) {
        sum += a[l * size + k] * column[k];
        sum_of_squares += b[l * size + k] * column[k] * column[k];
      }
      linear(i, first + l) = sum;
      quadratic(i, first + l) = sum_of_squares;
    }
  }
}

}  // namespace

void ColumnForms(const Eigen::MatrixXf& x, const Eigen::MatrixXf& a,
                 const Eigen::MatrixXf& b, Eigen::ArrayXXf& linear,
                 Eigen::ArrayXXf& quadratic) {
  IAT_CHECK(a.rows() == x.rows() && b.rows() == x.rows() && a.cols() == b.cols() &&
                linear.cols() == a.cols() && quadratic.cols() == a.cols() &&
                linear.rows() <= x.cols() && quadratic.rows() == linear.rows(),
            "forms of other shapes");
  for (Eigen::Index first = 0; first < a.cols(); first += kGroup) {
    const float *group_a = a.col(first).data(), *group_b = b.col(first).data();
    switch (std::min<Eigen::Index>(kGroup, a.cols() - first)) {
      case 1:
        FormsOfGroup<1>(x, group_a, group_b, first, linear, quadratic);
        break;
      case 2:
        FormsOfGroup<2>(x, group_a, group_b, first, linear, quadratic);
        break;
      case 3:
        FormsOfGroup<3>(x, group_a, group_b, first, linear, quadratic);
        break;
      default:
        FormsOfGroup<kGroup>(x, group_a, group_b, first, linear, quadratic);
    }
  }
}

}  // namespace iat
