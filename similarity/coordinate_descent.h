// The elastic net of one target from Gram matrices alone, by coordinate descent.
//
//   minimise over w:  w'G w / 2 - c'w + l1 ||w||_1 + l2 ||w||^2 / 2
//
// Shapes   G: p x p, symmetric.  c, w: p.  g = c - G w, the correlations of the residual,
//          is carried along, so that a solution starts from that of a nearby penalty.
// Method   Covariance updates: a step in one coordinate costs p flops and leaves all of g
//          current. The sequential strong rule picks the coordinates that may be used;
//          they are swept until no step matters, then every other coordinate's optimality
//          is checked against g, and violators join. Where units are correlated, sweeps
//          alone take hundreds; so after each, all coordinates in use move to the optimum
//          that their signs allow, from a Cholesky factor that gains and loses rows with
//          them (UpdatedCholesky). Those that would change sign become 0; where that
//          would not lower the objective, all stop where the first becomes 0.
// Accuracy Solve stops when no step changes the objective by more than `tolerance`.
//          SolveExactly then fixes signs and solves for the coordinates in use by
//          Cholesky, which it keeps where all optimality conditions hold to rounding.
// Source   Friedman, Hastie & Tibshirani, J. Stat. Softw. 33 (2010); Tibshirani et al.,
//          J. R. Stat. Soc. B 74 (2012), for the strong rule; Lee et al., NIPS 19 (2006),
//          for moving all coordinates in use.

#ifndef IAT_SIMILARITY_COORDINATE_DESCENT_H_
#define IAT_SIMILARITY_COORDINATE_DESCENT_H_

#include <Eigen/Core>
#include <vector>

namespace iat {

struct ElasticNetPenalty {
  double l1 = 0.0, l2 = 0.0;
};

// The lower Cholesky factor of a principal submatrix of G + l2 I, brought up to date when
// coordinates come and go: a few k^2 flops each, for k coordinates, instead of k^3 / 3.
class UpdatedCholesky {
 public:
  // `gram` must outlive this; both triangles are read.
  explicit UpdatedCholesky(const Eigen::MatrixXd& gram);

  // The submatrix of `coordinates` (ascending), but for those that are combinations of
  // others to rounding, which are left out.
  void Match(const std::vector<Eigen::Index>& coordinates, double l2);
  // Rows of the submatrix, in the order that Solve takes and gives.
  const std::vector<Eigen::Index>& coordinates() const { return coordinates_; }
  void Solve(Eigen::VectorXd& vector) const;

 private:
  bool Refactor(const std::vector<Eigen::Index>& coordinates);
  void Append(Eigen::Index coordinate);
  void Remove(Eigen::Index row);

  const Eigen::MatrixXd& gram_;
  double l2_ = 0.0;
  std::vector<Eigen::Index> coordinates_;
  Eigen::MatrixXd lower_;  // the leading rows and columns of it
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
  void MoveTogether(const ElasticNetPenalty& penalty, Vector w, Vector g);
  bool Polish(const Eigen::VectorXd& c, const ElasticNetPenalty& penalty, Vector w,
              Vector g) const;

  const Eigen::MatrixXd& gram_;
  const Eigen::VectorXd smallest_diagonal_;
  UpdatedCholesky factor_;  // of the coordinates last in use, by whatever target
};

}  // namespace iat

#endif  // IAT_SIMILARITY_COORDINATE_DESCENT_H_
