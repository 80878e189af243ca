// The elastic net of one target from Gram matrices alone, by coordinate descent.
//
//   minimise over w:  w'G w / 2 - c'w + l1 ||w||_1 + l2 ||w||^2 / 2
//
// Shapes   G: p x p, symmetric.  c, w: p.  g = c - G w, the correlations of the residual,
//          is carried along, so that a solution starts from that of a nearby penalty.
// Method   Covariance updates: a step in one coordinate costs p flops and leaves all of g
//          current. The sequential strong rule picks the coordinates that may be used;
//          they are swept until no step matters, the ones in use alone in between; then
//          every other coordinate's optimality is checked against g, and violators join.
// Accuracy Solve stops when no step changes the objective by more than `tolerance`.
//          SolveExactly then fixes signs and solves for the coordinates in use by
//          Cholesky, which it keeps where all optimality conditions hold to rounding.
// Source   Friedman, Hastie & Tibshirani, J. Stat. Softw. 33 (2010); Tibshirani et al.,
//          J. R. Stat. Soc. B 74 (2012), for the strong rule.

#ifndef IAT_SIMILARITY_COORDINATE_DESCENT_H_
#define IAT_SIMILARITY_COORDINATE_DESCENT_H_

#include <Eigen/Core>
#include <vector>

namespace iat {

struct ElasticNetPenalty {
  double l1 = 0.0, l2 = 0.0;
};

class CoordinateDescent {
 public:
  using Vector = Eigen::Ref<Eigen::VectorXd>;

  // `gram` must outlive this; both triangles are read. Coordinates whose diagonal is at
  // most `smallest_diagonal` (constant units, but for rounding) are never used.
  CoordinateDescent(const Eigen::MatrixXd& gram, Eigen::VectorXd smallest_diagonal);

  // w and g are those of a solution at l1 = previous_l1 (0 and c at the least l1 that
  // leaves w at 0), and become those at `penalty`.
  void Solve(const ElasticNetPenalty& penalty, double previous_l1, double tolerance,
             Vector w, Vector g);
  void SolveExactly(const Eigen::VectorXd& c, const ElasticNetPenalty& penalty,
                    double previous_l1, double tolerance, Vector w, Vector g);

 private:
  bool Usable(Eigen::Index k) const { return gram_(k, k) > smallest_diagonal_(k); }
  double Sweep(const std::vector<Eigen::Index>& coordinates,
               const ElasticNetPenalty& penalty, Vector w, Vector g) const;
  bool Polish(const Eigen::VectorXd& c, const ElasticNetPenalty& penalty, Vector w,
              Vector g) const;

  const Eigen::MatrixXd& gram_;
  const Eigen::VectorXd smallest_diagonal_;
};

}  // namespace iat

#endif  // IAT_SIMILARITY_COORDINATE_DESCENT_H_
