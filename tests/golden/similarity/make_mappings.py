#!/usr/bin/env python3
"""Golden values of ridge and LogisticRidge from scikit-learn at tolerance 1e-10.

    python3 tests/golden/similarity/make_mappings.py

rewrites mappings.txt beside it.
"""

import pathlib

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, r2_score

from formula import NUM_TARGET, problem, write

PENALTIES = [1e-3, 0.1, 1.0, 10.0, 300.0]  # one a target, relative to trace / p
LOGISTIC_GRID = [500.0, 50.0, 5.0, 0.5, 0.05, 0.005, 0.0005]
NUM_FOLDS = 3


def grid(x):
    centred = x - x.mean(0)
    return np.logspace(-6, 4, 20) * (centred ** 2).sum() / x.shape[1]


def leave_one_out_choice(x, y):
    """Brute force: refit without each stimulus."""
    errors = []
    for penalty in grid(x):
        total = 0.0
        for i in range(len(x)):
            keep = np.arange(len(x)) != i
            model = Ridge(alpha=penalty).fit(x[keep], y[keep])
            total += (y[i] - model.predict(x[i:i + 1])[0]) ** 2
        errors.append(total)
    return grid(x)[int(np.argmin(errors))], errors


def logistic(z, labels, penalty):
    # Not lbfgs: it stops once the loss changes by less than 2e-9, whatever tol says, and
    # leaves probabilities off by 2e-5.
    return LogisticRegression(C=1 / (2 * penalty), solver="newton-cholesky", tol=1e-10,
                              max_iter=1000).fit(z, labels)


def folds(labels, num_folds):
    fold = np.empty(len(labels), dtype=int)
    for value in (False, True):
        rows = np.flatnonzero(labels == value)
        fold[rows] = np.arange(len(rows)) % num_folds
    return fold


def logistic_choice(z, labels):
    fold = folds(labels, NUM_FOLDS)
    losses, held_out = [], []
    for penalty in LOGISTIC_GRID:
        p = np.empty(len(labels))
        for f in range(NUM_FOLDS):
            model = logistic(z[fold != f], labels[fold != f], penalty)
            p[fold == f] = model.predict_proba(z[fold == f])[:, 1]
        losses.append(log_loss(labels, p, normalize=False))
        held_out.append(p)
    best = int(np.argmin(losses))
    return LOGISTIC_GRID[best], losses, held_out[best]


def main():
    x, y, x_test, y_test = problem()
    scale = ((x - x.mean(0)) ** 2).sum() / x.shape[1]
    out = {"relative_penalties": PENALTIES}
    out["ridge_predictions"] = np.column_stack(
        [Ridge(alpha=PENALTIES[j] * scale).fit(x, y[:, j]).predict(x_test)
         for j in range(NUM_TARGET)])
    choices = [leave_one_out_choice(x, y[:, j]) for j in range(NUM_TARGET)]
    out["leave_one_out_penalties"] = [choice for choice, _ in choices]
    out["leave_one_out_errors"] = np.column_stack([errors for _, errors in choices])

    z, z_test = (x - x.mean(0)) / x.std(0), (x_test - x.mean(0)) / x.std(0)
    for name in ("logistic_penalties", "active_ridge_penalties", "gate_thresholds"):
        out[name] = []
    probabilities, losses, r2 = [], [], {"hard": [], "soft": [], "tuned": []}
    for j in range(NUM_TARGET):
        active = y[:, j] > 0
        penalty, path, held_out = logistic_choice(z, active)
        p = logistic(z, active, penalty).predict_proba(z_test)[:, 1]
        ridge_penalty, _ = leave_one_out_choice(x[active], y[active, j])
        ridge = Ridge(alpha=ridge_penalty).fit(x[active], y[active, j])
        value = ridge.predict(x_test)
        out_of_sample = ridge.predict(x)
        for i in np.flatnonzero(active):
            keep = active.copy()
            keep[i] = False
            refit = Ridge(alpha=ridge_penalty).fit(x[keep], y[keep, j])
            out_of_sample[i] = refit.predict(x[i:i + 1])[0]
        taus = np.arange(1, 10) / 10
        errors = [((y[:, j] - (held_out >= tau) * out_of_sample) ** 2).sum() for tau in taus]
        tau = taus[int(np.argmin(errors))]
        out["logistic_penalties"].append(penalty)
        out["active_ridge_penalties"].append(ridge_penalty)
        out["gate_thresholds"].append(tau)
        probabilities.append(p)
        losses.append(path)
        r2["hard"].append(r2_score(y_test[:, j], (p >= 0.5) * value))
        r2["soft"].append(r2_score(y_test[:, j], p * value))
        r2["tuned"].append(r2_score(y_test[:, j], (p >= tau) * value))
    out["probabilities"] = np.column_stack(probabilities)
    out["logistic_losses"] = np.column_stack(losses)
    for gate, values in r2.items():
        out[f"r2_{gate}"] = values
    write(pathlib.Path(__file__).parent / "mappings.txt", "make_mappings.py", out)


if __name__ == "__main__":
    main()
