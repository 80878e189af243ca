#!/usr/bin/env python3
"""Ours against scikit-learn, side by side in one run, on the same arrays and grids.

    python3 benchmarks/similarity/compare_with_sklearn.py BUILD_FOLDER \
        [--num-fit 8000] [--units 256] [--targets 256] [--sklearn-targets 16] \
        [--jobs 2] [--tasks ridge,family,logistic] [--himalaya]

Makes post-ReLU responses with a decaying spectrum (a source of rectified random
features of 40 latents, targets a rectified linear map of it plus noise). For each task
prints our seconds and scikit-learn's, their ratio, the largest difference in R2, and our
peak memory. Sizes worth a look: --units 64, 256, 2304 and --num-fit 500, 8000, 50000.

On a machine that does other work, seconds say little. So CPU seconds are printed too,
and the matrix-product peak that one CPU second gives, measured right before and after
each task: our CPU seconds times that peak are the "products" that the task costs, which
hardly depend on what else runs.

scikit-learn's per-target loops are timed on --sklearn-targets targets and scaled up. It
gets as many BLAS threads as --jobs; we get --jobs threads of our own, one BLAS thread
each. Needs scikit-learn; --himalaya needs himalaya from PyPI, in a virtual environment.
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
    parser.add_argument("--targets", type=int, help="of a pair; as many as units unless given")
    parser.add_argument("--sklearn-targets", type=int, default=16)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--num-animals", type=int, default=4)
    parser.add_argument("--tasks", default="ridge,family,logistic")
    parser.add_argument("--himalaya", action="store_true")
    options = parser.parse_args()
    options.targets = options.targets or options.units
    return options


OPTIONS = parse()
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(OPTIONS.jobs)

import numpy as np  # noqa: E402  after the thread count is fixed
from sklearn.linear_model import LogisticRegression, RidgeCV  # noqa: E402
from sklearn.metrics import r2_score  # noqa: E402


def source_and_latent(n, p, rng):
    latent = rng.normal(size=(n, 40)) * (1.0 + np.arange(40.0)) ** -0.5
    return latent, animal(latent, p, rng)


def animal(latent, p, rng):
    noise = 0.3 * rng.normal(size=(latent.shape[0], p))
    return np.maximum(latent @ rng.normal(size=(latent.shape[1], p)) + noise, 0)


def responses(n, p, t):
    rng = np.random.default_rng(0)
    _, x = source_and_latent(n, p, rng)
    y = x @ rng.normal(size=(p, t)) / np.sqrt(p)
    y = (y - y.mean(0)) / y.std(0) + 0.3 * rng.normal(size=(n, t))
    return x, np.maximum(y + rng.uniform(-1.0, 1.0, size=t), 0)


def store(path, matrix):
    np.asfortranarray(matrix).T.tofile(path)


def benchmark(*arguments):
    command = [OPTIONS.build_folder / "benchmarks/similarity/mapping_benchmark", *arguments]
    done = subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True,
                          env=dict(os.environ, OMP_NUM_THREADS="1"))
    return [[float(word) for word in line.split()] for line in done.stdout.splitlines()]


def float32_peak():
    """GFLOP for each CPU second."""
    return benchmark("peak", OPTIONS.jobs)[0][1]


def run_ours(*arguments):
    """Seconds, CPU seconds, MiB, and TFLOP that the CPU seconds could have multiplied."""
    before = float32_peak()
    [[seconds, cpu, memory]] = benchmark(*arguments)
    return seconds, cpu, memory, cpu * (before + float32_peak()) / 2e3


def cpu_and_wall(work):
    start, cpu_start = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - start, time.process_time() - cpu_start


def report(task, ours, their_wall, their_cpu, difference, peer="scikit-learn"):
    wall, cpu, memory, products = ours
    print(f"{task:34s} ours {wall:7.2f} s (CPU {cpu:7.2f} s, {memory:5.0f} MiB, "
          f"{products:6.3f} TFLOP of float32 peak)   {peer} {their_wall:8.2f} s "
          f"(CPU {their_cpu:8.2f} s)   ratio {their_wall / wall:6.1f} (CPU {their_cpu / cpu:6.1f})"
          f"   largest R2 difference {difference:.1e}", flush=True)


def pair(folder, mapping, penalties=()):
    o = OPTIONS
    ours = run_ours(folder, o.num_fit, o.num_test, o.units, o.targets, o.jobs, mapping, *penalties)
    load = lambda name: np.fromfile(folder / name, dtype=np.float64)
    predicted = load("predicted.f64").reshape(o.targets, o.num_test).T
    return ours, predicted, load("ridge_penalty.f64"), load("logistic_penalty.f64")


def penalty_grid(x, p):
    return np.logspace(-6, 4, 20) * ((x - x.mean(0)) ** 2).sum() / p


def raw_r2(y, predicted):
    return r2_score(y, predicted, multioutput="raw_values")


def ridge(folder, x, y, x_test, y_test):
    ours, predicted, _, _ = pair(folder, "ridge")
    grid = penalty_grid(x, x.shape[1])
    fit = lambda: RidgeCV(alphas=grid, alpha_per_target=True).fit(x, y).predict(x_test)
    theirs, wall, cpu = cpu_and_wall(fit)
    gap = np.abs(raw_r2(y_test, predicted) - raw_r2(y_test, theirs)).max()
    report("ridge, one pair", ours, wall, cpu, gap)
    if OPTIONS.himalaya:
        from himalaya.ridge import RidgeCV as HimalayaRidgeCV
        center, y_mean = x.mean(0), y.mean(0)
        fit = lambda: HimalayaRidgeCV(alphas=grid, cv=5).fit(x - center, y - y_mean).predict(
            x_test - center) + y_mean
        theirs, wall, cpu = cpu_and_wall(fit)
        gap = np.abs(raw_r2(y_test, predicted) - raw_r2(y_test, theirs)).max()
        report("ridge, one pair (5 folds there)", ours, wall, cpu, gap, "himalaya")


def family(folder):
    o = OPTIONS
    rng = np.random.default_rng(1)
    latent, first = source_and_latent(o.num_fit + o.num_test, o.units, rng)
    animals = [first] + [animal(latent, o.units, rng) for _ in range(o.num_animals - 1)]
    for index, values in enumerate(animals):
        store(folder / f"animal-{index}.f64", values)
    ours = run_ours("family", folder, o.num_fit, o.num_test, o.units, o.num_animals, o.jobs,
                    "ridge")
    pairs = o.num_animals * (o.num_animals - 1)
    x, y = animals[0][:o.num_fit], animals[1][:o.num_fit]
    grid = penalty_grid(x, o.units)
    fit = lambda: RidgeCV(alphas=grid, alpha_per_target=True).fit(x, y).predict(
        animals[0][o.num_fit:])
    _, wall, cpu = cpu_and_wall(fit)
    wall, cpu = wall * pairs, cpu * pairs
    report(f"ridge, {pairs} pairs of {o.num_animals} animals", ours, wall, cpu, 0.0)


def logistic_ridge(folder, x, y, x_test, y_test, penalty):
    """penalty None: chosen inside the fit stimuli by us; scikit-learn then gets only the
    final fit at our choices (its own search would cost 21 more fits a target)."""
    chosen = () if penalty is None else (penalty,)
    ours, predicted, _, logistic_penalty = pair(folder, "logistic_ridge", chosen)
    z = (x - x.mean(0)) / x.std(0)
    z_test = (x_test - x.mean(0)) / x.std(0)
    targets = min(OPTIONS.sklearn_targets, OPTIONS.targets)

    def fit():
        gaps = []
        for j in range(targets):
            active = y[:, j] > 0
            gate = LogisticRegression(C=1 / (2 * logistic_penalty[j]), max_iter=1000)
            gate.fit(z, active)
            value = RidgeCV(alphas=penalty_grid(x[active], x.shape[1]))
            value.fit(x[active], y[active, j])
            theirs = np.where(gate.predict_proba(z_test)[:, 1] >= 0.5, value.predict(x_test), 0)
            gaps.append(abs(r2_score(y_test[:, j], theirs) -
                            r2_score(y_test[:, j], predicted[:, j])))
        return max(gaps)

    gap, wall, cpu = cpu_and_wall(fit)
    scale = OPTIONS.targets / targets
    name = "selected C" if penalty is None else f"C = {1 / (2 * penalty):g}"
    report(f"logistic_ridge, {name}", ours, wall * scale, cpu * scale, gap)


def main():
    n = OPTIONS.num_fit
    tasks = OPTIONS.tasks.split(",")
    x, y = responses(n + OPTIONS.num_test, OPTIONS.units, OPTIONS.targets)
    wall_peak, cpu_peak = benchmark("peak", OPTIONS.jobs)[0]
    print(f"{n} fit stimuli, {OPTIONS.units} units, {OPTIONS.targets} targets; float32 products: {wall_peak:.0f} GFLOP/s on "
          f"{OPTIONS.jobs} threads, {cpu_peak:.0f} GFLOP for a CPU second", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        store(folder / "x.f64", x)
        store(folder / "y.f64", y)
        data = (x[:n], y[:n], x[n:], y[n:])
        if "ridge" in tasks:
            ridge(folder, *data)
        if "family" in tasks:
            family(folder)
        if "logistic" in tasks:
            for penalty in (50.0, 0.5, None):  # C = 0.01, C = 1, chosen
                logistic_ridge(folder, *data, penalty)


if __name__ == "__main__":
    sys.exit(main())
