#!/usr/bin/env python3
"""Golden values of the noise-corrected score and of per-image consistency, from NumPy.

    /usr/bin/python3 tests/golden/neural/make_noise_correction.py   # rewrites the .txt files

Trials are formulas with missing trials planted; the C++ test builds the same arrays.
Correlations come from numpy.corrcoef, ridge from the normal equations, Spearman from
scipy.stats, z-scores and cosines written out.
"""

import pathlib
import sys

import numpy as np
from scipy.stats import spearmanr

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "similarity"))
from formula import formula  # noqa: E402

NUM_TRIALS, NUM_FIT, NUM_TEST, NUM_SOURCE, NUM_TARGET = 7, 24, 16, 6, 4
SOURCE_ORDER = [3, 0, 6, 1, 5, 2, 4]
TARGET_ORDER = [2, 5, 0, 4, 6, 3, 1]
RELATIVE_PENALTY = 0.3
NUM_ANIMALS, NUM_IMAGES, NUM_UNITS = 3, 20, 9


def write(path, arrays):
    import scipy
    with open(path, "w") as file:
        file.write(f"# made by tests/golden/neural/make_noise_correction.py, "
                   f"NumPy {np.__version__}, SciPy {scipy.__version__}\n")
        for name, array in arrays.items():
            array = np.atleast_2d(np.asarray(array, dtype=float))
            file.write(f"{name} {array.shape[0]} {array.shape[1]}\n")
            for row in array:
                file.write(" ".join(f"{value:.17g}" for value in row) + "\n")


def trials(signal, salt, noise):
    """trial x stimulus x unit; every 11th value of a trial was not recorded."""
    stacked = []
    for t in range(NUM_TRIALS):
        values = signal + noise * formula(*signal.shape, salt + t)
        i, j = np.indices(signal.shape)
        values[(i + 3 * j + 5 * t) % 11 == 0] = np.nan
        stacked.append(values)
    return np.array(stacked)


def halves(stacked, order):
    first = np.full(stacked.shape[1:], np.nan)
    second = first.copy()
    for i in range(first.shape[0]):
        for j in range(first.shape[1]):
            values = stacked[order, i, j]
            values = values[~np.isnan(values)]
            k = len(values) // 2
            first[i, j], second[i, j] = values[:k].mean(), values[k:].mean()
    return first, second


def spearman_brown(r):
    return 2 * r / (1 + r)


def correlations(a, b):
    return np.array([np.corrcoef(a[:, j], b[:, j])[0, 1] for j in range(a.shape[1])])


def corrected(m1, m2, t1, t2, numerator=None):
    with np.errstate(invalid="ignore"):
        mapped = spearman_brown(correlations(m1, m2))
        target = spearman_brown(correlations(t1, t2))
        top = correlations(m1, t2) if numerator is None else numerator
        score = top / np.sqrt(mapped * target)
    score[(mapped <= 0) | (target <= 0)] = np.nan
    return mapped, target, score


def ridge(x, y, x_test):
    """One penalty for all targets: RELATIVE_PENALTY times trace(Xc'Xc)/p."""
    xc, yc = x - x.mean(0), y - y.mean(0)
    gram = xc.T @ xc
    penalty = RELATIVE_PENALTY * np.trace(gram) / x.shape[1]
    weights = np.linalg.solve(gram + penalty * np.eye(x.shape[1]), xc.T @ yc)
    return (x_test - x.mean(0)) @ weights + y.mean(0)


def noise_correction():
    n = NUM_FIT + NUM_TEST
    latent = formula(n, NUM_SOURCE, 21)
    signal = latent @ formula(NUM_SOURCE, NUM_TARGET, 22)
    signal[:, -1] = 0.0  # a unit without signal, whose score may not be defined
    s = trials(latent, 100, 0.8)
    t = trials(signal, 200, 1.5)
    s1, s2 = halves(s, SOURCE_ORDER)
    t1, t2 = halves(t, TARGET_ORDER)
    out = {"s1": s1, "s2": s2, "t1": t1, "t2": t2, "source_mean": np.nanmean(s, 0),
           "target_mean": np.nanmean(t, 0)}
    fit, test = slice(0, NUM_FIT), slice(NUM_FIT, n)
    w1, w2 = formula(NUM_SOURCE, NUM_TARGET, 23), formula(NUM_SOURCE, NUM_TARGET, 22)
    fixed = (s1[test] @ (w2 + 0.2 * w1), s2[test] @ w2)
    out["fixed.mapped"], out["fixed.target"], out["fixed.score"] = corrected(
        *fixed, t1[test], t2[test])
    m1, m2 = ridge(s1[fit], t1[fit], s1[test]), ridge(s2[fit], t2[fit], s2[test])
    out["ridge.mapped"], out["ridge.target"], out["ridge.score"] = corrected(
        m1, m2, t1[test], t2[test])
    m = ridge(out["source_mean"][fit], out["target_mean"][fit], out["source_mean"][test])
    _, _, out["ridge.all_trials"] = corrected(
        m1, m2, t1[test], t2[test], correlations(m, out["target_mean"][test]))
    out["consistency"] = spearman_brown(correlations(t1, t2))
    write(HERE / "noise_correction.txt", out)


def consistency():
    shared = formula(NUM_IMAGES, NUM_UNITS, 31)
    similarity = []
    for a in range(NUM_ANIMALS):
        x = shared @ formula(NUM_UNITS, NUM_UNITS, 32 + a) + formula(
            NUM_IMAGES, NUM_UNITS, 40 + a)
        x[:, 0] = 2.5  # never varies
        x[:, 1] = np.maximum(x[:, 1], 0)  # ties
        x = x[:, x.std(0) > 0]
        z = (x - x.mean(0)) / x.std(0)
        z /= np.linalg.norm(z, axis=1, keepdims=True)
        similarity.append(z @ z.T)
    pairs = [(0, 1), (0, 2), (1, 2)]
    by_image = np.array([[
        spearmanr(np.delete(similarity[a][i], i), np.delete(similarity[b][i], i))[0]
        for a, b in pairs
    ] for i in range(NUM_IMAGES)])
    mean = by_image.mean(1)
    reference = formula(NUM_IMAGES, 1, 50)[:, 0]
    write(HERE / "consistency.txt", {
        "similarity.0": similarity[0],
        "of_pair": by_image,
        "mean": mean,
        # Means of rank correlations tie exactly but for rounding.
        "spearman": spearmanr(np.round(mean, 12), reference)[0],
        "pearson": np.corrcoef(mean, reference)[0, 1],
    })


noise_correction()
consistency()
