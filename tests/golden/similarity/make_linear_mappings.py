#!/usr/bin/env python3
"""Golden values of the linear mappings and the solvers behind them, from scikit-learn and
SciPy.

    python3 tests/golden/similarity/make_linear_mappings.py

rewrites linear_mappings.txt beside it.
"""

import pathlib

import numpy as np
from scipy.linalg import orthogonal_procrustes
from scipy.optimize import linear_sum_assignment, linprog
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import ElasticNet, ElasticNetCV, LinearRegression, Ridge

from formula import NUM_TARGET, formula, problem, write

NUM_COMPONENTS = 4
NUM_FOLDS = 5
RELATIVE_PENALTIES = [0.5, 0.1, 0.03, 0.01, 1e-3]  # one a target, of the largest
L1_RATIO = 0.3
PERCENTILE = 60.0
PERCENTILE_RIDGE = 3.0


def folds(n):
    fold = np.arange(n) % NUM_FOLDS
    return [(np.flatnonzero(fold != f), np.flatnonzero(fold == f)) for f in range(NUM_FOLDS)]


def pls(x, y, components):
    # Not max_iter as it comes: the power iteration stops short of the singular vector.
    return PLSRegression(components, scale=False, max_iter=100000, tol=1e-28).fit(x, y)


def chosen_components(x, y, most):
    """Squared errors over folds for 0, 1, ... components, every target by itself."""
    errors = np.zeros((most + 1, y.shape[1]))
    for fit, out in folds(len(x)):
        errors[0] += ((y[out] - y[fit].mean(0)) ** 2).sum(0)
        for k in range(1, most + 1):
            errors[k] += ((y[out] - pls(x[fit], y[fit], k).predict(x[out])) ** 2).sum(0)
    return errors.argmin(0)


def unit_scales(x, y):
    """Sources and targets in the units in which our elastic net is scikit-learn's."""
    return x / np.sqrt(x.var(0).mean()), y / y.std(0)


def largest_penalty(x, y, l1_ratio):
    return np.abs((x - x.mean(0)).T @ (y - y.mean(0))).max(0) / (len(x) * l1_ratio)


def elastic_nets(x, y, x_test, l1_ratio):
    penalties = largest_penalty(x, y, l1_ratio) * RELATIVE_PENALTIES
    predictions = []
    for j in range(NUM_TARGET):
        model = ElasticNet(alpha=penalties[j], l1_ratio=l1_ratio, tol=1e-14, max_iter=10**6)
        predictions.append(model.fit(x, y[:, j]).predict(x_test))
    return np.column_stack(predictions)


def fold_errors(x, y, l1_ratio):
    """Mean squared error over folds at every penalty of the grid, penalties x targets."""
    errors = []
    for j in range(NUM_TARGET):
        grid = largest_penalty(x, y[:, [j]], l1_ratio) * np.logspace(0, -4, 20)
        model = ElasticNetCV(l1_ratio=l1_ratio, alphas=grid, cv=folds(len(x)), tol=1e-12,
                             max_iter=10**6)
        errors.append(model.fit(x, y[:, j]).mse_path_.mean(1))
    return np.column_stack(errors)


def percentile_ridge(x, y, x_test):
    predictions = []
    for j in range(NUM_TARGET):
        r = np.array([np.corrcoef(x[:, i], y[:, j])[0, 1] for i in range(x.shape[1])])
        chosen = r >= np.percentile(r, PERCENTILE)
        penalty = PERCENTILE_RIDGE * ((x - x.mean(0))[:, chosen] ** 2).sum() / chosen.sum()
        model = Ridge(alpha=penalty).fit(x[:, chosen], y[:, j])
        predictions.append(model.predict(x_test[:, chosen]))
    return np.column_stack(predictions)


def correlations(x, y):
    x, y = x - x.mean(0), y - y.mean(0)
    return (x / np.linalg.norm(x, axis=0)).T @ (y / np.linalg.norm(y, axis=0))


def lines(x, y, x_test, rows, columns):
    """Targets `columns` as lines of sources `rows`; the others are their means."""
    predicted = np.tile(y.mean(0), (len(x_test), 1))
    for i, j in zip(rows, columns):
        slope, intercept = np.polyfit(x[:, i], y[:, j], 1)
        predicted[:, j] = slope * x_test[:, i] + intercept
    return predicted


def transport(cost):
    """The least cost of a plan with row sums 1/p and column sums 1/t."""
    p, t = cost.shape
    sums = np.zeros((p + t, p * t))
    for i in range(p):
        sums[i, i * t:(i + 1) * t] = 1
    for j in range(t):
        sums[p + j, j::t] = 1
    masses = np.r_[np.full(p, 1 / p), np.full(t, 1 / t)]
    solution = linprog(cost.ravel(), A_eq=sums, b_eq=masses, method="highs")
    return solution.fun, solution.x.reshape(p, t)


def soft_matching(x, y, x_test):
    r = correlations(x, y)
    _, plan = transport(1 - r)
    centred = x - x.mean(0)
    weights = plan * r / np.linalg.norm(centred, axis=0)[:, None]
    predicted = np.empty((len(x_test), y.shape[1]))
    for j in range(y.shape[1]):
        slope, intercept = np.polyfit(centred @ weights[:, j], y[:, j], 1)
        predicted[:, j] = slope * ((x_test - x.mean(0)) @ weights[:, j]) + intercept
    return predicted


def procrustes(x, y, x_test):
    """Of the same width; the narrower side padded with units that never respond."""
    width = max(x.shape[1], y.shape[1])
    xc, yc = x - x.mean(0), y - y.mean(0)
    xp = np.pad(xc, ((0, 0), (0, width - xc.shape[1])))
    yp = np.pad(yc, ((0, 0), (0, width - yc.shape[1])))
    q = orthogonal_procrustes(xp, yp)[0][:x.shape[1], :y.shape[1]]
    scale = ((xc @ q) * yc).sum() / ((xc @ q) ** 2).sum()
    return scale * (x_test - x.mean(0)) @ q + y.mean(0)


def main():
    x, y, x_test, _ = problem()
    square = formula(len(x) + len(x_test), x.shape[1], 5)[:len(x)] + x
    out = {}
    out["ols"] = LinearRegression().fit(x, y).predict(x_test)
    few = 9  # fewer stimuli than units
    out["ols_few"] = LinearRegression().fit(x[:few], y[:few]).predict(x_test)
    out["pls"] = pls(x, y, NUM_COMPONENTS).predict(x_test)
    out["pls_chosen"] = chosen_components(x, y, x.shape[1])
    out["lasso"] = elastic_nets(x, y, x_test, 1.0)
    scaled_x, scaled_y = unit_scales(x, y)
    scaled_test = x_test * (scaled_x[0, 0] / x[0, 0])
    out["elastic_net"] = y.std(0) * elastic_nets(scaled_x, scaled_y, scaled_test, L1_RATIO)
    out["lasso_errors"] = fold_errors(x, y, 1.0)
    out["elastic_net_errors"] = fold_errors(scaled_x, scaled_y, L1_RATIO)
    out["percentile"] = percentile_ridge(x, y, x_test)
    out["procrustes"] = procrustes(x, y, x_test)
    out["procrustes_square"] = procrustes(x, square, x_test)
    r = correlations(x, y)
    out["one_to_one"] = lines(x, y, x_test, r.argmax(0), range(NUM_TARGET))
    rows, columns = linear_sum_assignment(-r)
    out["one_to_one_assigned"] = lines(x, y, x_test, rows, columns)
    rows, columns = linear_sum_assignment(-r.T)  # more targets than sources
    out["one_to_one_reversed"] = lines(y, x, y[:10], rows, columns)
    out["soft_matching"] = soft_matching(x, y, x_test)
    for name, (rows, columns) in {"wide": (17, 40), "tall": (40, 17), "even": (30, 30),
                                  "shared": (24, 36)}.items():
        cost = formula(rows, columns, 7)
        out[f"assignment_{name}"] = cost[linear_sum_assignment(cost)].sum()
        out[f"transport_{name}"] = transport(cost)[0]
    write(pathlib.Path(__file__).parent / "linear_mappings.txt", "make_linear_mappings.py",
          out)


if __name__ == "__main__":
    main()
