#!/usr/bin/env python3
"""Our metrics against NumPy as a user writes them, side by side, on the same arrays.

    python3 benchmarks/similarity/compare_metrics_with_numpy.py BUILD_FOLDER \
        [--stimuli 4000] [--units 256]

For each metric prints our processor seconds, NumPy's, their ratio and the difference of the
values. One BLAS thread on both sides. Needs SciPy.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np  # noqa: E402  after the thread count is fixed

GOLDEN = pathlib.Path(__file__).parents[2] / "tests/golden/similarity"
sys.path.insert(0, str(GOLDEN))
sys.dont_write_bytecode = True
import make_metrics  # noqa: E402


def feature_space_cka(x, y):
    """What people write who know that p x q is smaller than n x n."""
    x, y = make_metrics.centre(x), make_metrics.centre(y)
    norm = lambda a, b: np.linalg.norm(a.T @ b)
    return norm(x, y) ** 2 / (norm(x, x) * norm(y, y))


METRICS = {
    "cka": feature_space_cka,
    "cka_debiased": make_metrics.cka_debiased,
    "rsa": make_metrics.rsa,
    "rsa_spearman": make_metrics.rsa_spearman,
    "cca": make_metrics.cca,
    "pwcca": make_metrics.pwcca,
    "shape_angular": lambda x, y: make_metrics.shape_angular(x, y, 1.0),
    "procrustes_distance": lambda x, y: make_metrics.procrustes(x, y, raw=False),
    "soft_matching_correlation": make_metrics.soft_matching_correlation,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build_folder", type=pathlib.Path)
    parser.add_argument("--stimuli", type=int, default=4000)
    parser.add_argument("--units", type=int, default=256)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    latent = rng.normal(size=(options.stimuli, 40)) * (1.0 + np.arange(40.0)) ** -0.5
    x, y = [np.maximum(latent @ rng.normal(size=(40, options.units))
                       + 0.3 * rng.normal(size=(options.stimuli, options.units)), 0)
            for _ in range(2)]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        np.save(folder / "x.npy", x)
        np.save(folder / "y.npy", y)
        program = options.build_folder / "benchmarks/similarity/metric_benchmark"
        done = subprocess.run([program, folder / "x.npy", folder / "y.npy", *METRICS],
                              check=True, capture_output=True, text=True)
    for line in done.stdout.splitlines():
        metric, value, seconds = line.split()
        start = time.process_time()
        theirs = METRICS[metric](x, y)
        elapsed = time.process_time() - start
        print(f"{metric:26s} ours {float(seconds):8.3f} s   NumPy {elapsed:8.3f} s   "
              f"ratio {elapsed / float(seconds):6.1f}   difference "
              f"{abs(float(value) - theirs):.1e}", flush=True)


if __name__ == "__main__":
    main()
