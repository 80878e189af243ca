#include "similarity/assignment.h"

#include <limits>

#include "base/status.h"

namespace iat {
namespace {

// At most as many rows as columns; the costs of one row lie side by side.
using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

class Augmenter {
 public:
  explicit Augmenter(const RowMajor& cost)
      : cost_(cost),
        row_potential_(cost.rows(), 0.0),
        column_potential_(cost.cols(), 0.0),
        row_of_column_(cost.cols(), -1),
        column_of_row_(cost.rows(), -1),
        path_(cost.cols()),
        distance_(cost.cols()) {}

  std::vector<Eigen::Index> Solve() {
    for (Eigen::Index row = 0; row < cost_.rows(); ++row) Augment(row);
    return column_of_row_;
  }

 private:
  // Pairs `start` along the cheapest alternating path to a free column.
  void Augment(Eigen::Index start) {
    const Eigen::Index num_columns = cost_.cols();
    std::vector<Eigen::Index> remaining(num_columns), seen_rows = {start}, seen_columns;
    for (Eigen::Index j = 0; j < num_columns; ++j) remaining[j] = j;
    std::fill(distance_.begin(), distance_.end(),
              std::numeric_limits<double>::infinity());
    double lowest = 0.0;
    Eigen::Index row = start, sink = -1;
    while (sink < 0) {
      const double* costs = cost_.row(row).data();
      size_t nearest = 0;
      double smallest = std::numeric_limits<double>::infinity();
      for (size_t k = 0; k < remaining.size(); ++k) {
        const Eigen::Index j = remaining[k];
        const double through =
            lowest + costs[j] - row_potential_[row] - column_potential_[j];
        if (through < distance_[j]) {
          distance_[j] = through;
          path_[j] = row;
        }
        // Among equals a free column ends the search.
        if (distance_[j] < smallest ||
            (distance_[j] == smallest && row_of_column_[j] < 0)) {
          smallest = distance_[j];
          nearest = k;
        }
      }
      lowest = smallest;
      const Eigen::Index column = remaining[nearest];
      remaining[nearest] = remaining.back();
      remaining.pop_back();
      if (row_of_column_[column] < 0) {
        sink = column;
      } else {
        seen_columns.push_back(column);
        row = row_of_column_[column];
        seen_rows.push_back(row);
      }
    }
    row_potential_[start] += lowest;
    for (size_t k = 1; k < seen_rows.size(); ++k) {
      row_potential_[seen_rows[k]] += lowest - distance_[column_of_row_[seen_rows[k]]];
    }
    for (const Eigen::Index j : seen_columns)
      column_potential_[j] -= lowest - distance_[j];
    for (Eigen::Index column = sink;;) {
      const Eigen::Index previous = path_[column];
      row_of_column_[column] = previous;
      std::swap(column_of_row_[previous], column);
      if (previous == start) return;
    }
  }

  const RowMajor& cost_;
  std::vector<double> row_potential_, column_potential_;
  std::vector<Eigen::Index> row_of_column_, column_of_row_;
  std::vector<Eigen::Index> path_;  // the row from which each column was reached
  std::vector<double> distance_;
};

}  // namespace

std::vector<Eigen::Index> OptimalAssignment(const Eigen::MatrixXd& cost) {
  IAT_CHECK(cost.allFinite(), "costs of an assignment must be finite");
  if (cost.rows() <= cost.cols()) {
    const RowMajor rows = cost;
    return Augmenter(rows).Solve();
  }
  const RowMajor rows = cost.transpose();
  const std::vector<Eigen::Index> row_of_column = Augmenter(rows).Solve();
  std::vector<Eigen::Index> column_of_row(cost.rows(), -1);
  for (size_t j = 0; j < row_of_column.size(); ++j) {
    column_of_row[row_of_column[j]] = static_cast<Eigen::Index>(j);
  }
  return column_of_row;
}

}  // namespace iat
