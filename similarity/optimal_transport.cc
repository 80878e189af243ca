#include "similarity/optimal_transport.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "similarity/assignment.h"

namespace iat {
namespace {

// A reduced cost above minus this share of the largest cost is rounding.
constexpr double kReducedCostTolerance = 1e-12;

// Nodes 0 ... p-1 are sources, p ... p+t-1 targets; node 0 is the root.
class NetworkSimplex {
 public:
  NetworkSimplex(const Eigen::MatrixXd& cost, const std::vector<int64_t>& supply,
                 const std::vector<int64_t>& demand)
      : cost_(cost),
        p_(static_cast<int>(cost.rows())),
        t_(static_cast<int>(cost.cols())),
        supply_(supply),
        demand_(demand),
        neighbours_(p_ + t_),
        parent_(p_ + t_, -1),
        depth_(p_ + t_, 0),
        flow_(p_ + t_, 0),
        potential_(p_ + t_, 0.0),
        tolerance_(kReducedCostTolerance * cost.cwiseAbs().maxCoeff()) {}

  TransportPlan Solve() {
    Start();
    for (int source = 0, target = 0; FindEntering(source, target);) {
      Pivot(source, target);
    }
    return Read();
  }

 private:
  bool IsSource(int node) const { return node < p_; }
  double Cost(int a, int b) const {
    return IsSource(a) ? cost_(a, b - p_) : cost_(b, a - p_);
  }

  // Cheapest arcs first. Every arc that is taken exhausts one node, so that p + t - 1 of
  // them span all nodes.
  void Start() {
    std::vector<int64_t> left(p_ + t_);
    for (int i = 0; i < p_; ++i) left[i] = supply_[i] * (p_ + 1) + 1;
    for (int j = 0; j < t_; ++j) left[p_ + j] = demand_[j] * (p_ + 1);
    left[p_ + t_ - 1] += p_;
    std::vector<int64_t> order(static_cast<int64_t>(p_) * t_);
    std::iota(order.begin(), order.end(), 0);
    const double* costs = cost_.data();
    std::sort(order.begin(), order.end(), [costs](int64_t a, int64_t b) {
      return costs[a] < costs[b] || (costs[a] == costs[b] && a < b);
    });
    std::vector<std::vector<int64_t>> amounts(p_ + t_);
    int num_arcs = 0;
    for (const int64_t arc : order) {
      const int source = static_cast<int>(arc % p_);
      const int target = p_ + static_cast<int>(arc / p_);
      const int64_t amount = std::min(left[source], left[target]);
      if (amount == 0) continue;
      left[source] -= amount;
      left[target] -= amount;
      for (const auto& [a, b] : {std::pair(source, target), std::pair(target, source)}) {
        neighbours_[a].push_back(b);
        amounts[a].push_back(amount);
      }
      if (++num_arcs == p_ + t_ - 1) break;
    }
    IAT_CHECK(num_arcs == p_ + t_ - 1, "a transport's first plan must span all nodes");
    // Hang the tree from the root.
    std::vector<int> stack = {0};
    while (!stack.empty()) {
      const int node = stack.back();
      stack.pop_back();
      for (size_t k = 0; k < neighbours_[node].size(); ++k) {
        const int child = neighbours_[node][k];
        if (child == parent_[node]) continue;
        Hang(child, node);
        flow_[child] = amounts[node][k];
        stack.push_back(child);
      }
    }
  }

  void Hang(int child, int parent) {
    parent_[child] = parent;
    depth_[child] = depth_[parent] + 1;
    potential_[child] = Cost(child, parent) - potential_[parent];
  }

  // The most negative reduced cost of the first block that has one.
  bool FindEntering(int& source, int& target) {
    const int64_t num_arcs = static_cast<int64_t>(p_) * t_;
    const int64_t block =
        std::max<int64_t>(16, static_cast<int64_t>(std::sqrt(num_arcs)));
    double lowest = -tolerance_;
    bool found = false;
    for (int64_t scanned = 0; scanned < num_arcs;) {
      for (int64_t k = 0; k < block && scanned < num_arcs; ++k, ++scanned) {
        const int i = next_source_, j = next_target_;
        if (++next_source_ == p_) {
          next_source_ = 0;
          if (++next_target_ == t_) next_target_ = 0;
        }
        const double reduced = cost_(i, j) - potential_[i] - potential_[p_ + j];
        if (reduced < lowest) {
          lowest = reduced;
          source = i;
          target = p_ + j;
          found = true;
        }
      }
      if (found) return true;
    }
    return false;
  }

  // Sends flow round the cycle that the arc closes, until an arc of it is empty, which
  // leaves the tree.
  void Pivot(int source, int target) {
    // On the source's side the arcs above sources lose flow, on the target's side those
    // above targets.
    int leaving = -1;
    bool leaving_on_source_side = false;
    int64_t amount = std::numeric_limits<int64_t>::max();
    int a = source, b = target;
    while (a != b) {
      const bool from_source_side = depth_[a] >= depth_[b];
      int& node = from_source_side ? a : b;
      if (IsSource(node) == from_source_side && flow_[node] < amount) {
        amount = flow_[node];
        leaving = node;
        leaving_on_source_side = from_source_side;
      }
      node = parent_[node];
    }
    const int meet = a;
    for (int node = source; node != meet; node = parent_[node]) {
      flow_[node] += IsSource(node) ? -amount : amount;
    }
    for (int node = target; node != meet; node = parent_[node]) {
      flow_[node] += IsSource(node) ? amount : -amount;
    }
    const int top = leaving_on_source_side ? source : target;
    const int anchor = leaving_on_source_side ? target : source;
    Unlink(leaving, parent_[leaving]);
    // Turn the parents between `top` and the cut round.
    int node = top, new_parent = anchor;
    int64_t new_flow = amount;
    while (true) {
      const int old_parent = parent_[node];
      const int64_t old_flow = flow_[node];
      parent_[node] = new_parent;
      flow_[node] = new_flow;
      if (node == leaving) break;
      new_parent = node;
      new_flow = old_flow;
      node = old_parent;
    }
    neighbours_[source].push_back(target);
    neighbours_[target].push_back(source);
    std::vector<int> stack = {top};
    Hang(top, anchor);
    while (!stack.empty()) {
      const int above = stack.back();
      stack.pop_back();
      for (const int child : neighbours_[above]) {
        if (child == parent_[above]) continue;
        Hang(child, above);
        stack.push_back(child);
      }
    }
  }

  void Unlink(int a, int b) {
    std::erase(neighbours_[a], b);
    std::erase(neighbours_[b], a);
  }

  // The final tree's flows at the supplies as given, from the leaves up.
  TransportPlan Read() const {
    std::vector<int> order(p_ + t_);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [this](int a, int b) { return depth_[a] > depth_[b]; });
    std::vector<int64_t> excess(p_ + t_);
    for (int i = 0; i < p_; ++i) excess[i] = supply_[i];
    for (int j = 0; j < t_; ++j) excess[p_ + j] = -demand_[j];
    TransportPlan plan;
    for (const int node : order) {
      if (parent_[node] < 0) continue;
      excess[parent_[node]] += excess[node];
      const int64_t amount = IsSource(node) ? excess[node] : -excess[node];
      IAT_CHECK(amount >= 0, "a transport's final plan must not flow backwards");
      if (amount == 0) continue;
      const int source = IsSource(node) ? node : parent_[node];
      const int target = IsSource(node) ? parent_[node] : node;
      plan.flows.push_back({source, target - p_, amount});
    }
    std::sort(plan.flows.begin(), plan.flows.end(), [](const Flow& x, const Flow& y) {
      return x.source < y.source || (x.source == y.source && x.target < y.target);
    });
    for (const Flow& flow : plan.flows) {
      plan.cost += static_cast<double>(flow.amount) * cost_(flow.source, flow.target);
    }
    return plan;
  }

  const Eigen::MatrixXd& cost_;
  const int p_, t_;
  const std::vector<int64_t>&supply_, &demand_;
  std::vector<std::vector<int>> neighbours_;  // in the tree
  std::vector<int> parent_, depth_;
  std::vector<int64_t> flow_;      // between a node and its parent
  std::vector<double> potential_;  // cost = potential + potential on the tree's arcs
  const double tolerance_;
  int next_source_ = 0, next_target_ = 0;
};

absl::Status CheckMasses(const std::vector<int64_t>& masses, absl::string_view what,
                         int64_t limit, int64_t& sum) {
  sum = 0;
  for (size_t i = 0; i < masses.size(); ++i) {
    if (masses[i] < 1 || masses[i] > limit - sum) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, " ", i, " is ", masses[i],
                       "; expected at least 1, and a sum of at most ", limit));
    }
    sum += masses[i];
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TransportPlan> OptimalTransport(const Eigen::MatrixXd& cost,
                                               const std::vector<int64_t>& supply,
                                               const std::vector<int64_t>& demand) {
  if (cost.size() == 0 || static_cast<Eigen::Index>(supply.size()) != cost.rows() ||
      static_cast<Eigen::Index>(demand.size()) != cost.cols()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "costs are ", cost.rows(), " x ", cost.cols(), " for ", supply.size(),
        " sources and ", demand.size(), " targets; expected one a source and target"));
  }
  if (!cost.allFinite()) {
    return absl::InvalidArgumentError("a cost of transport is not finite");
  }
  const int64_t limit = std::numeric_limits<int64_t>::max() / (cost.rows() + 1) - 1;
  int64_t total_supply = 0, total_demand = 0;
  IAT_RETURN_IF_ERROR(CheckMasses(supply, "supply", limit, total_supply));
  IAT_RETURN_IF_ERROR(CheckMasses(demand, "demand", limit, total_demand));
  if (total_supply != total_demand) {
    return absl::InvalidArgumentError(absl::StrCat("supplies sum to ", total_supply,
                                                   ", demands to ", total_demand,
                                                   "; expected equal sums"));
  }
  return NetworkSimplex(cost, supply, demand).Solve();
}

absl::StatusOr<Eigen::MatrixXd> UniformTransport(const Eigen::MatrixXd& cost) {
  const Eigen::Index p = cost.rows(), t = cost.cols();
  Eigen::MatrixXd plan = Eigen::MatrixXd::Zero(p, t);
  if (p == t && p > 0 && cost.allFinite()) {
    const std::vector<Eigen::Index> column_of_row = OptimalAssignment(cost);
    for (Eigen::Index i = 0; i < p; ++i) {
      plan(i, column_of_row[i]) = 1.0 / static_cast<double>(p);
    }
    return plan;
  }
  const int64_t divisor = std::gcd(p, t);
  IAT_ASSIGN_OR_RETURN(
      const TransportPlan whole,
      OptimalTransport(cost, std::vector<int64_t>(p, divisor > 0 ? t / divisor : 0),
                       std::vector<int64_t>(t, divisor > 0 ? p / divisor : 0)));
  const double total = static_cast<double>(p) * static_cast<double>(t / divisor);
  for (const Flow& flow : whole.flows) {
    plan(flow.source, flow.target) = static_cast<double>(flow.amount) / total;
  }
  return plan;
}

}  // namespace iat
