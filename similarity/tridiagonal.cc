#include "similarity/tridiagonal.h"

#include <algorithm>

namespace iat {

TridiagonalFactor::TridiagonalFactor(const Tridiagonal& t, double penalty)
    : lower(t.off_diagonal), inverse_pivot(t.diagonal.size()) {
  double pivot = t.diagonal(0) + penalty;
  inverse_pivot(0) = 1.0 / pivot;
  for (Eigen::Index k = 1; k < inverse_pivot.size(); ++k) {
    lower(k - 1) = t.off_diagonal(k - 1) * inverse_pivot(k - 1);
    pivot = std::max(t.diagonal(k) + penalty - lower(k - 1) * t.off_diagonal(k - 1),
                     0.5 * penalty);
    inverse_pivot(k) = 1.0 / pivot;
  }
}

Eigen::VectorXd TridiagonalFactor::Solve(Eigen::VectorXd b) const {
  const Eigen::Index size = b.size();
  for (Eigen::Index k = 1; k < size; ++k) b(k) -= lower(k - 1) * b(k - 1);
  b.array() *= inverse_pivot.array();
  for (Eigen::Index k = size - 1; k-- > 0;) b(k) -= lower(k) * b(k + 1);
  return b;
}

double InverseTrace(const Tridiagonal& t, double penalty) {
  // 1 / (T + penalty I)^-1_kk is what eliminating from both ends leaves of the pivot.
  const Eigen::Index size = t.diagonal.size();
  Eigen::VectorXd from_below(size);  // what elimination from the end takes off pivot k
  double taken = 0.0;
  for (Eigen::Index k = size; k-- > 0;) {
    from_below(k) = taken;
    if (k == 0) break;
    const double pivot = std::max(t.diagonal(k) + penalty - taken, 0.5 * penalty);
    taken = t.off_diagonal(k - 1) * t.off_diagonal(k - 1) / pivot;
  }
  double trace = 0.0;
  taken = 0.0;
  for (Eigen::Index k = 0; k < size; ++k) {
    const double shifted = t.diagonal(k) + penalty;
    trace += 1.0 / std::max(shifted - taken - from_below(k), 0.5 * penalty);
    if (k + 1 == size) break;
    taken =
        t.off_diagonal(k) * t.off_diagonal(k) / std::max(shifted - taken, 0.5 * penalty);
  }
  return trace;
}

TridiagonalLeverages::TridiagonalLeverages(const std::vector<TridiagonalFactor>& factors)
    : size_(factors.front().inverse_pivot.size()),
      num_penalties_(static_cast<Eigen::Index>(factors.size())) {
  coefficients_.reserve(2 * size_ * num_penalties_);
  for (Eigen::Index first = 0; first < num_penalties_; first += kGroup) {
    const Eigen::Index last = std::min<Eigen::Index>(first + kGroup, num_penalties_);
    for (Eigen::Index k = 0; k < size_; ++k) {
      for (Eigen::Index l = first; l < last; ++l) {
        coefficients_.push_back(k > 0 ? static_cast<float>(-factors[l].lower(k - 1))
                                      : 0.0f);
        coefficients_.push_back(static_cast<float>(factors[l].inverse_pivot(k)));
      }
    }
  }
}

template <int kCount>
void TridiagonalLeverages::ComputeGroup(Eigen::Index first, Eigen::Index rows,
                                        const float* rotated, Eigen::Index stride,
                                        float* leverage) const {
  // Eigen's packets, so that multiply-adds are one instruction where the machine has it.
  using Packet = Eigen::internal::packet_traits<float>::type;
  using Eigen::internal::ploadu, Eigen::internal::pload1, Eigen::internal::pmadd,
      Eigen::internal::pmul, Eigen::internal::pstoreu;
  constexpr Eigen::Index kLanes = Eigen::internal::packet_traits<float>::size;
  static_assert(kRowMultiple % kLanes == 0);
  for (Eigen::Index i = 0; i < rows; i += kLanes) {
    const float* c = coefficients_.data() + 2 * size_ * first;
    Packet u[kCount], h[kCount];
    Packet x = ploadu<Packet>(rotated + i);
    for (int l = 0; l < kCount; ++l, c += 2) {
      u[l] = x;
      h[l] = pmul(pmul(x, pload1<Packet>(c + 1)), x);
    }
    for (Eigen::Index k = 1; k < size_; ++k) {
      x = ploadu<Packet>(rotated + i + k * stride);
      for (int l = 0; l < kCount; ++l, c += 2) {
        u[l] = pmadd(pload1<Packet>(c), u[l], x);
        h[l] = pmadd(pmul(u[l], pload1<Packet>(c + 1)), u[l], h[l]);
      }
    }
    for (int l = 0; l < kCount; ++l) pstoreu(leverage + (first + l) * rows + i, h[l]);
  }
}

void TridiagonalLeverages::Compute(Eigen::Index rows, const float* rotated,
                                   Eigen::Index stride, float* leverage) const {
  for (Eigen::Index first = 0; first < num_penalties_; first += kGroup) {
    switch (std::min<Eigen::Index>(kGroup, num_penalties_ - first)) {
      case 1:
        ComputeGroup<1>(first, rows, rotated, stride, leverage);
        break;
      case 2:
        ComputeGroup<2>(first, rows, rotated, stride, leverage);
        break;
      case 3:
        ComputeGroup<3>(first, rows, rotated, stride, leverage);
        break;
      case 4:
        ComputeGroup<4>(first, rows, rotated, stride, leverage);
        break;
      default:
        ComputeGroup<kGroup>(first, rows, rotated, stride, leverage);
    }
  }
}

}  // namespace iat
