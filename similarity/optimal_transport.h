// Exact optimal transport between two small populations: how to carry what every source
// holds to where every target wants it, at the least total cost.
//
//   minimise sum_ij flow_ij cost_ij,   flow >= 0,
//   sum_j flow_ij = supply_i,   sum_i flow_ij = demand_j,   sum supply = sum demand
//
// Units    Supplies and demands are whole numbers, so the plan is exact: of all plans one
//          with the least cost has whole flows, and at most p + t - 1 of them.
// Method   Network simplex on a spanning tree of p + t nodes. Potentials are read off the
//          tree afresh where it changes, so that rounding does not pile up; supplies are
//          perturbed (p + 1 units each and one more), which keeps every flow of the tree
//          above 0: no pivot is degenerate, none can cycle, and the final tree is optimal
//          for the supplies as given.
// Cost     Memory of one cost matrix and an order of its entries; a pivot costs O(p + t)
//          and a scan of a block of costs.
// Source   Ahuja, Magnanti & Orlin, Network Flows (1993), chapter 11; Bonneel et al.,
//          SIGGRAPH Asia 2011, as POT's ot.emd.

#ifndef IAT_SIMILARITY_OPTIMAL_TRANSPORT_H_
#define IAT_SIMILARITY_OPTIMAL_TRANSPORT_H_

#include <Eigen/Core>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

namespace iat {

struct Flow {
  Eigen::Index source = 0, target = 0;
  int64_t amount = 0;  // above 0
};
struct TransportPlan {
  std::vector<Flow> flows;  // by source, then target
  double cost = 0.0;        // sum of amount * cost
};

// InvalidArgument: a cost that is not finite; a supply or demand below 1, or so large
// that their sum times p + 1 overflows; unequal sums; no sources or no targets.
absl::StatusOr<TransportPlan> OptimalTransport(const Eigen::MatrixXd& cost,
                                               const std::vector<int64_t>& supply,
                                               const std::vector<int64_t>& demand);

// Every source holds 1/p and every target wants 1/t: the plan as a p x t matrix with row
// sums 1/p and column sums 1/t. With p = t it is an optimal assignment, found as one.
absl::StatusOr<Eigen::MatrixXd> UniformTransport(const Eigen::MatrixXd& cost);

}  // namespace iat

#endif  // IAT_SIMILARITY_OPTIMAL_TRANSPORT_H_
