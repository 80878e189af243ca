#!/usr/bin/env python3
"""Golden values of the Poisson regression, the Tobit regression of inverse_nonlinear and
the Yeo-Johnson transform, from SciPy's minimiser and scikit-learn.

    python3 tests/golden/similarity/make_response_models.py

rewrites response_models.txt beside it.
"""

import pathlib

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_ndtr, ndtr
from sklearn.preprocessing import PowerTransformer

from formula import NUM_TARGET, formula, problem, write

PENALTY = 0.02
GRID = [1.0, 0.1, 0.01, 1e-3, 1e-4, 1e-5]
NUM_FOLDS = 3


def least(loss, start):
    """`loss` gives value and gradient. Restarts until BFGS moves no more."""
    best = minimize(loss, start, jac=True, method="BFGS", options={"gtol": 1e-12})
    for _ in range(5):
        best = minimize(loss, best.x, jac=True, method="BFGS", options={"gtol": 1e-12})
    return best.x


def softplus(eta):
    return np.logaddexp(0.0, eta)


def fit_poisson(z, y, penalty):
    def loss(v):
        eta = z @ v[:-1] + v[-1]
        rate = softplus(eta)
        slope = expit(eta) * (1 - y / rate)
        value = np.mean(rate - y * np.log(rate)) + penalty / 2 * v[:-1] @ v[:-1]
        return value, np.append(z.T @ slope / len(y) + penalty * v[:-1], slope.mean())
    return least(loss, np.append(np.zeros(z.shape[1]), np.log(np.expm1(y.mean()))))


def poisson_error(v, z, y):
    rate = softplus(z @ v[:-1] + v[-1])
    return np.sum(rate - y * np.log(rate))


def fit_tobit(z, y, penalty):
    active = y > 0

    def loss(v):
        w, b, sigma = v[:-2], v[-2], np.exp(v[-1])
        eta = z @ w + b
        error = (y - eta) / sigma
        d = eta / sigma
        log_below = log_ndtr(-d)
        mills = np.exp(-d**2 / 2 - log_below) / np.sqrt(2 * np.pi)
        value = np.where(active, v[-1] + (error**2 + (1e-6 / sigma) ** 2) / 2, -log_below)
        by_eta = np.where(active, -error, mills) / sigma
        by_log_sigma = np.where(active, 1 - error**2 - (1e-6 / sigma) ** 2, -mills * d)
        return (value.mean() + penalty / 2 * w @ w,
                np.concatenate([z.T @ by_eta / len(y) + penalty * w,
                                [by_eta.mean(), by_log_sigma.mean()]]))
    return least(loss, np.concatenate([np.zeros(z.shape[1]), [y.mean(), np.log(y.std())]]))


def tobit_mean(v, z):
    eta, sigma = z @ v[:-2] + v[-2], np.exp(v[-1])
    return eta * ndtr(eta / sigma) + sigma * np.exp(-(eta / sigma) ** 2 / 2) / np.sqrt(
        2 * np.pi)


def tobit_error(v, z, y):
    return np.sum((y - tobit_mean(v, z)) ** 2)


def fold_errors(fit, error, z, y):
    """Summed over folds, at every penalty of the grid."""
    fold = np.arange(len(y)) % NUM_FOLDS
    return [sum(error(fit(z[fold != f], y[fold != f], penalty), z[fold == f], y[fold == f])
                for f in range(NUM_FOLDS)) for penalty in GRID]


def skewed(rows):
    """Units of several shapes and scales."""
    x = formula(rows, 6, 9)
    return np.column_stack([np.exp(x[:, 0]), np.maximum(x[:, 1], 0), x[:, 2], 1e3 * x[:, 3]**2,
                            -1e-3 * np.exp(x[:, 4]), x[:, 5] - 0.3])


def main():
    x, y, x_test, _ = problem()
    z, z_test = (x - x.mean(0)) / x.std(0), (x_test - x.mean(0)) / x.std(0)
    out = {name: [] for name in ("poisson_raw", "poisson", "poisson_errors", "tobit",
                                 "tobit_errors")}
    for j in range(NUM_TARGET):
        v = fit_poisson(z, y[:, j], PENALTY)
        out["poisson_raw"].append(softplus(z_test @ v[:-1] + v[-1]))
        gain = y[:, j].mean()
        v = fit_poisson(z, y[:, j] / gain, PENALTY)
        out["poisson"].append(gain * softplus(z_test @ v[:-1] + v[-1]))
        out["poisson_errors"].append(
            fold_errors(fit_poisson, poisson_error, z, y[:, j] / gain))
        scale = np.sqrt(np.mean(y[:, j] ** 2))
        v = fit_tobit(z, y[:, j] / scale, PENALTY)
        out["tobit"].append(scale * tobit_mean(v, z_test))
        out["tobit_errors"].append(fold_errors(fit_tobit, tobit_error, z, y[:, j] / scale))
    out = {name: np.column_stack(values) for name, values in out.items()}

    units = skewed(200)
    scaled = units[:150] / units[:150].std(0)
    transformer = PowerTransformer("yeo-johnson", standardize=False).fit(scaled)
    out["yeo_johnson_lambda"] = transformer.lambdas_
    out["yeo_johnson"] = transformer.transform(units[150:] / units[:150].std(0))
    write(pathlib.Path(__file__).parent / "response_models.txt", "make_response_models.py",
          out)


if __name__ == "__main__":
    main()
