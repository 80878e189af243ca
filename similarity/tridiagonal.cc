#include "similarity/tridiagonal.h"

#include <lapacke.h>

#include <algorithm>

#include "base/status.h"
#include "similarity/block_products.h"

namespace iat {
namespace {

// Columns that are solved side by side.
constexpr Eigen::Index kColumns = 16;
using ColumnGroup = Eigen::Array<double, kColumns, 1>;
using ColumnTile = Eigen::Array<double, kColumns, Eigen::Dynamic>;

// Some columns of b, one a row; zeros up to a whole tile.
void Load(const Eigen::MatrixXd& b, Eigen::Index first, ColumnTile& tile) {
  const Eigen::Index count = std::min(kColumns, b.cols() - first);
  if (count < kColumns) tile.setZero();
  tile.topRows(count) = b.middleCols(first, count).transpose().array();
}

void Eliminate(const TridiagonalFactor& factor, const ColumnTile& b, ColumnTile& x) {
  ColumnGroup last = b.col(0);
  x.col(0) = last;
  for (Eigen::Index k = 1; k < b.cols(); ++k) {
    last = b.col(k) - factor.lower(k - 1) * last;
    x.col(k) = last;
  }
}

}  // namespace

TridiagonalFactor::TridiagonalFactor(const TridiagonalForm& t, double penalty)
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

// Q = H_1 H_2 ..., where reflector H_k leaves the first k coordinates alone. From the
// last block to the first, so that each multiplies only what is no longer the identity:
// Q <- Q - V S (V'Q) with H_k ... H_l = I - V S V'.
Eigen::MatrixXd Axes(const Tridiagonal& t) {
  constexpr Eigen::Index kBlock = 64;
  const Eigen::Index num_reflectors = t.diagonal.size() - 1;
  Eigen::MatrixXd axes = Eigen::MatrixXd::Identity(t.diagonal.size(), t.diagonal.size());
  Eigen::MatrixXd v, s(kBlock, kBlock), right;
  const Eigen::Index num_blocks = (num_reflectors + kBlock - 1) / kBlock;
  for (Eigen::Index block = num_blocks; block-- > 0;) {
    const Eigen::Index first = block * kBlock, rows = num_reflectors - first;
    const Eigen::Index count = std::min(kBlock, rows);
    v = t.reflectors.block(first + 1, first, rows, count);
    v.topRows(count).triangularView<Eigen::StrictlyUpper>().setZero();
    v.topRows(count).diagonal().setOnes();
    const int info =
        LAPACKE_dlarft(LAPACK_COL_MAJOR, 'F', 'C', static_cast<int>(rows),
                       static_cast<int>(count), v.data(), static_cast<int>(rows),
                       t.reflector_scales.data() + first, s.data(), kBlock);
    IAT_CHECK(info == 0, "dlarft refused its arguments");
    auto square = axes.bottomRightCorner(rows, rows);
    right = Eigen::MatrixXd::Zero(count, rows);
    AddTransposedProduct(v, square, right);
    MultiplyByUpper(-1.0, s.topLeftCorner(count, count), right);
    AddProduct(v, right, square);
  }
  return axes;
}

Eigen::MatrixXd SolveColumns(const TridiagonalFactor& factor, const Eigen::MatrixXd& b) {
  const Eigen::Index size = b.rows();
  Eigen::MatrixXd solution(size, b.cols());
  if (size == 0) return solution;
  ColumnTile tile(kColumns, size), x(kColumns, size);
  for (Eigen::Index first = 0; first < b.cols(); first += kColumns) {
    Load(b, first, tile);
    Eliminate(factor, tile, x);
    ColumnGroup last = x.col(size - 1) * factor.inverse_pivot(size - 1);
    x.col(size - 1) = last;
    for (Eigen::Index k = size - 1; k-- > 0;) {
      last = x.col(k) * factor.inverse_pivot(k) - factor.lower(k) * last;
      x.col(k) = last;
    }
    const Eigen::Index count = std::min(kColumns, b.cols() - first);
    solution.middleCols(first, count) = x.topRows(count).transpose().matrix();
  }
  return solution;
}

TridiagonalForms QuadraticForms(const std::vector<TridiagonalFactor>& factors,
                                const Eigen::MatrixXd& b) {
  const Eigen::Index size = b.rows();
  TridiagonalForms forms{Eigen::MatrixXd::Zero(factors.size(), b.cols()),
                         Eigen::MatrixXd::Zero(factors.size(), b.cols())};
  if (size == 0) return forms;
  ColumnTile tile(kColumns, size), x(kColumns, size);
  for (Eigen::Index first = 0; first < b.cols(); first += kColumns) {
    const Eigen::Index count = std::min(kColumns, b.cols() - first);
    Load(b, first, tile);
    for (size_t l = 0; l < factors.size(); ++l) {
      const TridiagonalFactor& factor = factors[l];
      Eliminate(factor, tile, x);
      ColumnGroup last = x.col(size - 1) * factor.inverse_pivot(size - 1);
      ColumnGroup once = tile.col(size - 1) * last, twice = last.square();
      for (Eigen::Index k = size - 1; k-- > 0;) {
        last = x.col(k) * factor.inverse_pivot(k) - factor.lower(k) * last;
        once += tile.col(k) * last;
        twice += last.square();
      }
      const Eigen::Index row = static_cast<Eigen::Index>(l);
      forms.once.row(row).segment(first, count) = once.head(count).matrix().transpose();
      forms.twice.row(row).segment(first, count) = twice.head(count).matrix().transpose();
    }
  }
  return forms;
}

double InverseTrace(const TridiagonalForm& t, double penalty) {
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
