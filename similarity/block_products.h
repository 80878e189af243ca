// Products of matrices or blocks of them, read where they lie and added to a sum: what
// grows from size to size is neither copied nor cleared.
//
// One BLAS thread is assumed, as in similarity/linear_algebra.h.

#ifndef IAT_SIMILARITY_BLOCK_PRODUCTS_H_
#define IAT_SIMILARITY_BLOCK_PRODUCTS_H_

#include <Eigen/Core>

namespace iat {

using MatrixView = Eigen::Ref<const Eigen::MatrixXd>;

// sum += A * B. Shapes must fit.
void AddProduct(const MatrixView& a, const MatrixView& b,
                Eigen::Ref<Eigen::MatrixXd> sum);
// sum += A' * B.
void AddTransposedProduct(const MatrixView& a, const MatrixView& b,
                          Eigen::Ref<Eigen::MatrixXd> sum);
// lower += the lower triangle of A * A' where `outer`, else of A' * A.
void AddLowerGram(const MatrixView& a, bool outer, Eigen::Ref<Eigen::MatrixXd> lower);
// matrix = factor * upper * matrix; what lies below upper's diagonal is not read: half
// the work of a product.
void MultiplyByUpper(double factor, const MatrixView& upper, Eigen::MatrixXd& matrix);

}  // namespace iat

#endif  // IAT_SIMILARITY_BLOCK_PRODUCTS_H_
