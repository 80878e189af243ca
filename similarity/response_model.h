// Regressions in which a target unit's response follows a linear predictor through a
// nonlinearity, all targets of a source at once.
//
//   eta   = (x - x_mean) w + b
//   w, b, extra = argmin  sum_i loss(y_i, eta_i, extra) / n + penalty ||w||^2 / 2
//   y_hat = mean(eta, extra)
//
// A ResponseModel gives loss and mean; `extra` is a further number that some models fit,
// as a deviation. glm_poisson_softplus and inverse_nonlinear are two of them.
//
// Penalty  In units of the mean loss, as the alpha of sklearn's PoissonRegressor. One a
//          target: the least Error over num_folds folds (stimulus i in fold i modulo
//          num_folds, each predicted from the others); a tie goes to the larger. A
//          target's path, from the largest penalty down, ends after two rises in a row.
// Method   L-BFGS (similarity/batch_lbfgs.h) for all targets in step: an iteration is two
//          products. A target is minimised in coordinates that its own Hessian, at a
//          point nearby, makes close to round; where it takes more than 20 evaluations
//          it gets another Hessian. The path of penalties is followed on all stimuli,
//          and each fold begins where that is, as far from it as at the penalty before.
//          Above 640 axes a Hessian costs too much, and the eigenbasis has to do, where
//          Hessians are close to diagonal.
// Accuracy Paths stop within about 1e-10 of the least mean loss, final fits within 1e-16,
//          which gives predictors to about 1e-8. Held-out errors need that much: along
//          directions that matter to few stimuli the loss is nearly flat.
// Cost     4 n p t flops an evaluation, about ten of them a penalty and fold; n p^2 a
//          Hessian (float32), of which a target has about ten. Memory: up to 256 MiB of
//          Hessians, whatever t is.

#ifndef IAT_SIMILARITY_RESPONSE_MODEL_H_
#define IAT_SIMILARITY_RESPONSE_MODEL_H_

#include <Eigen/Core>
#include <cstdint>
#include <vector>

#include "similarity/source_basis.h"

namespace iat {

class ResponseModel {
 public:
  virtual ~ResponseModel() = default;

  virtual bool has_extra() const { return false; }

  // Where a fit begins, w = 0.
  struct Start {
    double intercept = 0.0, extra = 0.0;
  };
  virtual Start StartOf(const Eigen::VectorXd& response) const = 0;

  // Sums over stimuli of one target.
  struct Sums {
    double loss = 0.0, extra_gradient = 0.0;
  };
  // Adds to `sums`, and replaces `eta` by the derivative of the loss by eta.
  virtual void AddLoss(Eigen::Index n, const double* response, double extra, double* eta,
                       Sums& sums) const = 0;
  // Second derivatives of the loss: replaces `eta` by those by eta (>= 0), and where the
  // model has an extra sets `mixed` to those by eta and it; returns the sum of those by
  // it twice.
  virtual double SetCurvatures(Eigen::Index n, const double* response, double extra,
                               double* eta, double* mixed) const = 0;

  // What a penalty is chosen by.
  virtual double Error(double response, double eta, double extra) const = 0;
  virtual double Mean(double eta, double extra) const = 0;
};

struct ResponseFit {
  Eigen::RowVectorXd source_mean;
  Eigen::MatrixXd weights;              // source units x targets
  Eigen::RowVectorXd intercept, extra;  // one a target
  Eigen::VectorXd penalty;
  int64_t num_at_edge = 0;  // choices at an end of the grid

  // Stimuli x targets.
  Eigen::MatrixXd Predict(const Eigen::MatrixXd& source,
                          const ResponseModel& model) const;
};

// `penalties`: at least one, above 0. `response` has the basis's stimuli and finite
// values.
ResponseFit FitResponses(const SourceBasis& basis, const Eigen::MatrixXd& response,
                         const ResponseModel& model, std::vector<double> penalties,
                         int64_t num_folds);

}  // namespace iat

#endif  // IAT_SIMILARITY_RESPONSE_MODEL_H_
