#!/usr/bin/env python3
"""Ours against scikit-learn, side by side, on the same arrays.

    python3 benchmarks/similarity/compare_with_sklearn.py BUILD_FOLDER \
        [--num-fit 8000] [--units 256] [--sklearn-targets 16] [--jobs 2]

Makes post-ReLU responses with a decaying spectrum (a source of rectified random
features of 40 latents, targets a rectified linear map of it plus noise), then for each
task prints our seconds, scikit-learn's, their ratio and the largest difference in R2.
scikit-learn's per-target loops are timed on --sklearn-targets targets and scaled up.
Needs scikit-learn; BLAS uses as many threads as --jobs for scikit-learn, one a job for
us.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build_folder", type=pathlib.Path)
    parser.add_argument("--num-fit", type=int, default=8000)
    parser.add_argument("--num-test", type=int, default=2000)
    parser.add_argument("--units", type=int, default=256)
    parser.add_argument("--sklearn-targets", type=int, default=16)
    parser.add_argument("--jobs", type=int, default=2)
    return parser.parse_args()


OPTIONS = parse()
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(OPTIONS.jobs)

import numpy as np  # noqa: E402  after the thread count is fixed
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV  # noqa: E402
from sklearn.metrics import r2_score  # noqa: E402


def responses(n, p, t):
    rng = np.random.default_rng(0)
    latent = rng.normal(size=(n, 40)) * (1.0 + np.arange(40.0)) ** -0.5
    x = np.maximum(latent @ rng.normal(size=(40, p)) + 0.3 * rng.normal(size=(n, p)), 0)
    y = x @ rng.normal(size=(p, t)) / np.sqrt(p)
    y = (y - y.mean(0)) / y.std(0) + 0.3 * rng.normal(size=(n, t))
    return x, np.maximum(y + rng.uniform(-1.0, 1.0, size=t), 0)


def ours(folder, mapping, penalties=()):
    o = OPTIONS
    command = [o.build_folder / "benchmarks/similarity/mapping_benchmark", folder, o.num_fit,
               o.num_test, o.units, o.units, o.jobs, mapping, *penalties]
    done = subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True,
                          env=dict(os.environ, OMP_NUM_THREADS="1"))
    load = lambda name: np.fromfile(folder / name, dtype=np.float64)
    predicted = load("predicted.f64").reshape(o.units, o.num_test).T
    return (float(done.stdout), predicted, load("ridge_penalty.f64"),
            load("logistic_penalty.f64"))


def report(task, our_seconds, their_seconds, difference):
    print(f"{task:42s} ours {our_seconds:8.2f} s   scikit-learn {their_seconds:8.2f} s   "
          f"ratio {their_seconds / our_seconds:7.1f}   largest R2 difference {difference:.1e}",
          flush=True)


def ridge(folder, x, y, x_test, y_test):
    seconds, predicted, _, _ = ours(folder, "ridge")
    grid = np.logspace(-6, 4, 20) * ((x - x.mean(0)) ** 2).sum() / x.shape[1]
    start = time.perf_counter()
    model = RidgeCV(alphas=grid, alpha_per_target=True).fit(x, y)
    theirs = model.predict(x_test)
    elapsed = time.perf_counter() - start
    gap = np.abs(r2_score(y_test, predicted, multioutput="raw_values")
                 - r2_score(y_test, theirs, multioutput="raw_values")).max()
    report("ridge, 20 penalties", seconds, elapsed, gap)


def logistic_ridge(folder, x, y, x_test, y_test, penalty):
    """penalty None: chosen inside the fit stimuli by us; scikit-learn then gets only the
    final fit at our choices (its own search would cost 21 more fits a target)."""
    chosen = () if penalty is None else (penalty,)
    seconds, predicted, ridge_penalty, logistic_penalty = ours(folder, "logistic_ridge", chosen)
    z = (x - x.mean(0)) / x.std(0)
    z_test = (x_test - x.mean(0)) / x.std(0)
    gaps = []
    start = time.perf_counter()
    for j in range(OPTIONS.sklearn_targets):
        active = y[:, j] > 0
        gate = LogisticRegression(C=1 / (2 * logistic_penalty[j]), max_iter=1000).fit(z, active)
        xa = x[active]
        grid = np.logspace(-6, 4, 20) * ((xa - xa.mean(0)) ** 2).sum() / x.shape[1]
        value = RidgeCV(alphas=grid).fit(xa, y[active, j])
        theirs = np.where(gate.predict_proba(z_test)[:, 1] >= 0.5, value.predict(x_test), 0)
        gaps.append(abs(r2_score(y_test[:, j], theirs) - r2_score(y_test[:, j], predicted[:, j])))
    elapsed = (time.perf_counter() - start) * OPTIONS.units / OPTIONS.sklearn_targets
    name = "selected C" if penalty is None else f"C = {1 / (2 * penalty):g}"
    report(f"logistic_ridge, {name}", seconds, elapsed, max(gaps))


def main():
    n = OPTIONS.num_fit
    x, y = responses(n + OPTIONS.num_test, OPTIONS.units, OPTIONS.units)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        np.asfortranarray(x).T.tofile(folder / "x.f64")
        np.asfortranarray(y).T.tofile(folder / "y.f64")
        data = (x[:n], y[:n], x[n:], y[n:])
        ridge(folder, *data)
        for penalty in (50.0, 0.5, None):  # C = 0.01, C = 1, chosen
            logistic_ridge(folder, *data, penalty)


if __name__ == "__main__":
    sys.exit(main())
