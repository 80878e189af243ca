// For every column x of a float32 matrix, its linear forms x'a_l and its diagonal
// quadratic forms sum_k x_k^2 b_kl at several l, in one pass over the matrix.
//
// A general matrix product copies the matrix into another order first, which costs
// several times what a handful of forms does.
//
// Shapes   x: size x columns.  a, b: size x forms.
//          linear, quadratic: columns x forms, at most `linear.rows()` columns of x.

#ifndef IAT_SIMILARITY_COLUMN_FORMS_H_
#define IAT_SIMILARITY_COLUMN_FORMS_H_

#include <Eigen/Core>

namespace iat {

void ColumnForms(const Eigen::MatrixXf& x, const Eigen::MatrixXf& a,
                 const Eigen::MatrixXf& b, Eigen::ArrayXXf& linear,
                 Eigen::ArrayXXf& quadratic);

}  // namespace iat

#endif  // IAT_SIMILARITY_COLUMN_FORMS_H_
