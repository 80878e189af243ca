#!/usr/bin/env python3
"""Seconds of every mapping on one pair of animals, and of scikit-learn where it has the
same, on the same arrays and grids.

    python3 benchmarks/similarity/time_mappings.py BUILD_FOLDER \
        [--num-fit 8000] [--units 256] [--sklearn-targets 4] [MAPPING ...]

Makes post-ReLU responses: hidden values of 40 dimensions and noise, rectified on both
sides. One thread for both. scikit-learn's per-target loops are timed on --sklearn-targets
targets and scaled up. Prints CPU seconds, which say more than the clock's on a shared
machine, the ratio, the median R2 and the largest difference in R2.
"""

import argparse
import os
import pathlib
import subprocess
import tempfile
import time

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np  # noqa: E402  after the thread count is fixed
from sklearn.cross_decomposition import PLSRegression  # noqa: E402
from sklearn.linear_model import ElasticNetCV, LinearRegression  # noqa: E402
from sklearn.metrics import r2_score  # noqa: E402

MAPPINGS = ["ols", "pls", "procrustes", "one_to_one", "one_to_one_assigned", "soft_matching",
            "percentile", "lasso", "elastic_net", "glm_poisson_softplus", "inverse_nonlinear",
            "ridge"]


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build_folder", type=pathlib.Path)
    parser.add_argument("mappings", nargs="*", default=MAPPINGS)
    parser.add_argument("--num-fit", type=int, default=8000)
    parser.add_argument("--num-test", type=int, default=2000)
    parser.add_argument("--units", type=int, default=256)
    parser.add_argument("--sklearn-targets", type=int, default=4)
    return parser.parse_args()


def responses(n, units):
    rng = np.random.default_rng(0)
    latent = rng.normal(size=(n, 40)) * (1.0 + np.arange(40.0)) ** -0.5
    hidden = latent @ rng.normal(size=(40, units)) + 0.3 * rng.normal(size=(n, units))
    y = hidden @ rng.normal(size=(units, units)) / np.sqrt(units)
    y = y / y.std(0) + 0.3 * rng.normal(size=(n, units))
    return np.maximum(hidden, 0), np.maximum(y + rng.uniform(-1.0, 1.0, size=units), 0)


def elastic_net(l1_ratio):
    def fit(x, y, x_test, targets):
        folds = np.arange(len(x)) % 5
        cv = [(np.flatnonzero(folds != f), np.flatnonzero(folds == f)) for f in range(5)]
        xc = x - x.mean(0)
        predicted = []
        for j in range(targets):
            largest = np.abs(xc.T @ (y[:, j] - y[:, j].mean())).max() / len(x) / l1_ratio
            model = ElasticNetCV(l1_ratio=l1_ratio, alphas=largest * np.logspace(0, -4, 20),
                                 cv=cv)
            predicted.append(model.fit(x, y[:, j]).predict(x_test))
        return np.column_stack(predicted)
    return fit, True


SKLEARN = {  # a function, and whether its cost grows with the number of targets
    "ols": (lambda x, y, x_test, _: LinearRegression().fit(x, y).predict(x_test), False),
    "pls": (lambda x, y, x_test, _: PLSRegression(25, scale=False).fit(x, y).predict(x_test),
            False),
    "lasso": elastic_net(1.0),
    "elastic_net": elastic_net(0.5),
}


def ours(options, folder, mapping):
    command = [options.build_folder / "benchmarks/similarity/mapping_benchmark", folder,
               options.num_fit, options.num_test, options.units, options.units, 1, mapping]
    done = subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True)
    predicted = np.fromfile(folder / "predicted.f64").reshape(options.units, options.num_test)
    return float(done.stdout.split()[1]), predicted.T


def main():
    options = parse()
    n, units = options.num_fit, options.units
    x, y = responses(n + options.num_test, units)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for letter, matrix in (("x", x), ("y", y)):
            np.asfortranarray(matrix).T.tofile(folder / f"{letter}.f64")
        print(f"{'mapping':22}{'ours s':>9}{'sklearn s':>11}{'ratio':>8}{'median R2':>11}"
              f"{'max dR2':>10}")
        for mapping in options.mappings:
            seconds, predicted = ours(options, folder, mapping)
            r2 = r2_score(y[n:], predicted, multioutput="raw_values")
            line = f"{mapping:22}{seconds:9.2f}"
            if mapping not in SKLEARN:
                print(f"{line}{'':19}{np.median(r2):11.4f}", flush=True)
                continue
            fit, per_target = SKLEARN[mapping]
            targets = options.sklearn_targets if per_target else units
            start = time.process_time()
            theirs = fit(x[:n], y[:n], x[n:], targets)
            theirs_seconds = (time.process_time() - start) * units / targets
            their_r2 = r2_score(y[n:, :targets], theirs, multioutput="raw_values")
            print(f"{line}{theirs_seconds:11.2f}{theirs_seconds / seconds:8.1f}"
                  f"{np.median(r2):11.4f}{np.abs(r2[:targets] - their_r2).max():10.1e}",
                  flush=True)


if __name__ == "__main__":
    main()
