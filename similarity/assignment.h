// The optimal assignment: pair rows with columns so that the paired costs sum to the
// least, each row and column in at most one pair and the shorter side all paired.
//
// Method   Shortest augmenting paths with potentials, one Dijkstra search a row
//          (Jonker & Volgenant); every matrix entry is read as it lies, nothing is
//          rounded to integers, so the sum is the optimum to rounding.
// Cost     O(r^2 c) for r <= c, at worst.
// Source   Jonker & Volgenant, Computing 38 (1987); Crouse, IEEE TAES 52 (2016), as
//          scipy.optimize.linear_sum_assignment.

#ifndef IAT_SIMILARITY_ASSIGNMENT_H_
#define IAT_SIMILARITY_ASSIGNMENT_H_

#include <Eigen/Core>
#include <vector>

namespace iat {

// The column paired with each row, or -1 for a row left over (more rows than columns).
// Costs must be finite. Of several optima, one that depends on the costs alone.
std::vector<Eigen::Index> OptimalAssignment(const Eigen::MatrixXd& cost);

}  // namespace iat

#endif  // IAT_SIMILARITY_ASSIGNMENT_H_
