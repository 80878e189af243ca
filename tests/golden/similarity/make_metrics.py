#!/usr/bin/env python3
"""Golden values of the metrics from NumPy and SciPy, each by a road of its own.

    python3 tests/golden/similarity/make_metrics.py            # rewrites metrics.txt
    python3 tests/golden/similarity/make_metrics.py --netrep   # also compares with netrep

CKA from centred kernels (debiased: U-centred ones), RSA from corrcoef and spearmanr, CCA from
principal angles, PWCCA from whitened covariances, shapes from an explicit best rotation, soft
matching from a linear program.
"""

import pathlib
import sys

import numpy as np
from scipy.linalg import orthogonal_procrustes, subspace_angles
from scipy.optimize import linear_sum_assignment, linprog
from scipy.stats import spearmanr

from formula import formula, write

# Stimuli, source units, target units: more stimuli than units, fewer, equally many units.
PROBLEMS = {"tall": (60, 8, 6), "wide": (20, 50, 35), "square": (40, 7, 7)}
ALPHAS = [0.0, 0.3, 1.0]


def problem(name):
    n, p, q = PROBLEMS[name]
    x = formula(n, p, 11)
    y = x @ formula(p, q, 12) / np.sqrt(p) + 0.8 * formula(n, q, 13)
    return x, y + np.linspace(-2.0, 2.0, q)


def centre(x):
    return x - x.mean(0)


def cka(x, y):
    n = len(x)
    h = np.eye(n) - 1.0 / n
    hsic = lambda k, l: np.trace(k @ h @ l @ h)
    k, l = x @ x.T, y @ y.T
    return hsic(k, l) / np.sqrt(hsic(k, k) * hsic(l, l))


def u_centre(k):
    """Szekely & Rizzo: off-diagonal rows of mean 0."""
    n = len(k)
    k = k.copy()
    np.fill_diagonal(k, 0.0)
    rows = k.sum(1) / (n - 2)
    k = k - rows[:, None] - rows[None, :] + k.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(k, 0.0)
    return k


def cka_debiased(x, y):
    k, l = u_centre(x @ x.T), u_centre(y @ y.T)
    return (k * l).sum() / np.sqrt((k * k).sum() * (l * l).sum())


def dissimilarities(x):
    return (1.0 - np.corrcoef(x))[np.triu_indices(len(x), 1)]


def rsa(x, y):
    return np.corrcoef(dissimilarities(x), dissimilarities(y))[0, 1]


def rsa_spearman(x, y):
    return spearmanr(dissimilarities(x), dissimilarities(y))[0]


def cca(x, y):
    return np.cos(subspace_angles(centre(x), centre(y))).mean()


def leading(x, share):
    u, s, _ = np.linalg.svd(centre(x), full_matrices=False)
    keep = np.searchsorted(np.cumsum(s ** 2) / np.sum(s ** 2), share) + 1
    return u[:, :keep] * s[:keep]


def svcca(x, y):
    return cca(leading(x, 0.9), leading(y, 0.9))


def inverse_root(c):
    values, vectors = np.linalg.eigh(c)
    return vectors / np.sqrt(values) @ vectors.T


def pwcca(x, y):
    if x.shape[1] > y.shape[1]:
        x, y = y, x
    x, y = centre(x), centre(y)
    whiten = inverse_root(x.T @ x)
    u, rho, _ = np.linalg.svd(whiten @ (x.T @ y) @ inverse_root(y.T @ y), full_matrices=False)
    variates = x @ whiten @ u
    weights = np.abs(variates.T @ x).sum(1)
    return (weights * rho).sum() / weights.sum()


def pad(x, width):
    return np.pad(x, ((0, 0), (0, width - x.shape[1])))


def unit_mean_eigenvalue(x):
    """Centred, the non-zero eigenvalues of x'x at a mean of 1."""
    x = centre(x)
    return x * np.sqrt(np.linalg.matrix_rank(x) / (x ** 2).sum())


def partially_whiten(x, alpha):
    values, vectors = np.linalg.eigh(x.T @ x)
    return x @ vectors * (alpha + (1 - alpha) / np.sqrt(np.maximum(values, 1e-7))) @ vectors.T


def shape_angular(x, y, alpha):
    width = max(x.shape[1], y.shape[1])
    x = partially_whiten(pad(unit_mean_eigenvalue(x), width), alpha)
    y = partially_whiten(pad(unit_mean_eigenvalue(y), width), alpha)
    rotation, _ = orthogonal_procrustes(x, y)
    return np.arccos((x @ rotation * y).sum() / np.linalg.norm(x) / np.linalg.norm(y))


def procrustes(x, y, raw):
    width = max(x.shape[1], y.shape[1])
    x, y = pad(centre(x), width), pad(centre(y), width)
    if not raw:
        x, y = x / np.linalg.norm(x), y / np.linalg.norm(y)
    rotation, _ = orthogonal_procrustes(x, y)
    return np.linalg.norm(x @ rotation - y)


def transport(cost):
    """Smallest sum of plan * cost with row sums 1/p and column sums 1/q."""
    p, q = cost.shape
    if p == q:
        return cost[linear_sum_assignment(cost)].mean()
    rows = np.kron(np.eye(p), np.ones(q))
    columns = np.kron(np.ones(p), np.eye(q))
    result = linprog(cost.ravel(), A_eq=np.vstack([rows, columns]),
                     b_eq=np.r_[np.full(p, 1 / p), np.full(q, 1 / q)], method="highs-ds")
    return result.fun


def soft_matching_distance(x, y, raw):
    x, y = centre(x), centre(y)
    if not raw:
        x, y = [z / np.sqrt((z ** 2).sum(0).mean()) for z in (x, y)]
    return np.sqrt(transport(((x[:, :, None] - y[:, None, :]) ** 2).sum(0)))


def soft_matching_correlation(x, y):
    p = x.shape[1]
    return 1.0 - transport(1.0 - np.corrcoef(x.T, y.T)[:p, p:])


def compare_with_netrep():
    from netrep.metrics import LinearMetric
    for name in PROBLEMS:
        x, y = [unit_mean_eigenvalue(z) for z in problem(name)]
        for alpha in ALPHAS:
            metric = LinearMetric(alpha=alpha, center_columns=True, zero_pad=True,
                                  score_method="angular")
            theirs = metric.fit_score(x, y)
            print(f"{name} alpha {alpha}: netrep {theirs:.12f}, "
                  f"difference {theirs - shape_angular(x, y, alpha):.1e}")


def main():
    out = {}
    for name in PROBLEMS:
        x, y = problem(name)
        out[f"{name}.cka"] = cka(x, y)
        out[f"{name}.cka_debiased"] = cka_debiased(x, y)
        out[f"{name}.rsa"] = rsa(x, y)
        out[f"{name}.rsa_spearman"] = rsa_spearman(x, y)
        for alpha in ALPHAS:
            out[f"{name}.shape_angular.{alpha:g}"] = shape_angular(x, y, alpha)
        out[f"{name}.procrustes_distance.unit"] = procrustes(x, y, raw=False)
        out[f"{name}.procrustes_distance.raw"] = procrustes(x, y, raw=True)
        out[f"{name}.soft_matching_distance.unit"] = soft_matching_distance(x, y, raw=False)
        out[f"{name}.soft_matching_distance.raw"] = soft_matching_distance(x, y, raw=True)
        out[f"{name}.soft_matching_correlation"] = soft_matching_correlation(x, y)
        if name != "wide":
            out[f"{name}.cca"] = cca(x, y)
            out[f"{name}.svcca"] = svcca(x, y)
            out[f"{name}.pwcca"] = pwcca(x, y)
            # The other way round: the smaller side decides the weights, whichever it is.
            out[f"{name}.pwcca.swapped"] = pwcca(y, x)
    write(pathlib.Path(__file__).parent / "metrics.txt", "make_metrics.py", out)
    if "--netrep" in sys.argv[1:]:
        compare_with_netrep()


if __name__ == "__main__":
    main()
