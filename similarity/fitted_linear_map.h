// A fitted mapping that is a linear map and what was chosen on the way to it.

#ifndef IAT_SIMILARITY_FITTED_LINEAR_MAP_H_
#define IAT_SIMILARITY_FITTED_LINEAR_MAP_H_

#include <utility>

#include "similarity/mapping.h"

namespace iat {

class FittedLinearMap : public FittedMapping {
 public:
  FittedLinearMap(LinearMap map, Chosen chosen)
      : map_(std::move(map)), chosen_(std::move(chosen)) {}
  absl::StatusOr<Eigen::MatrixXd> Predict(const Eigen::MatrixXd& source) const override {
    return map_.Predict(source);
  }
  const Chosen& chosen() const override { return chosen_; }

 private:
  const LinearMap map_;
  const Chosen chosen_;
};

}  // namespace iat

#endif  // IAT_SIMILARITY_FITTED_LINEAR_MAP_H_
