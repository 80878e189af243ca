#!/usr/bin/env python3
"""A whole ridge curve: ours from shared work against scikit-learn refitting every point.

    python3 benchmarks/similarity/compare_curves_with_sklearn.py BUILD_FOLDER

For each axis runs `subsample_benchmark` (12 sizes x 10 subsamples, one thread) and, on
arrays of the same shapes, scikit-learn's RidgeCV(alpha_per_target=True) with as many
penalties on every point of one subsample, scaled to ten. Both choose a penalty for each
target by leave-one-out inside the subset; ours takes its test scores too. The two take
turns for --rounds, so that other programs on the machine slow both alike. Prints CPU
seconds of both and their ratio, of each round and of the medians.
"""

import argparse
import os
import pathlib
import re
import statistics
import subprocess
import time

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np  # noqa: E402  after the thread count is fixed
from sklearn.linear_model import RidgeCV  # noqa: E402

NUM_SIZES, NUM_SAMPLES, NUM_PENALTIES = 12, 10, 20
# axis, fit stimuli, test stimuli, source units, target units
WORLDS = [("units", 4000, 1000, 1152, 128), ("stimuli", 4000, 1000, 256, 256)]


def log_sizes(smallest, most):
    return np.unique(np.round(np.geomspace(smallest, most, NUM_SIZES)).astype(int))


def refit(axis, num_fit, num_test, num_source, num_target, seed):
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(num_fit + num_test, 60)) * np.arange(1, 61) ** -0.5
    mix = lambda p: np.maximum(latent @ rng.normal(size=(60, p)), 0)  # noqa: E731
    x, y = mix(num_source), mix(num_target)
    start = time.process_time()
    most = num_fit if axis == "stimuli" else num_source
    order = rng.permutation(most)
    for size in log_sizes(8 if axis == "stimuli" else 4, most):
        rows = order[:size] if axis == "stimuli" else np.arange(num_fit)
        columns = order[:size] if axis == "units" else np.arange(num_source)
        fit = x[np.ix_(rows, columns)]
        centred = fit - fit.mean(0)
        scale = (centred ** 2).sum() / len(columns)
        model = RidgeCV(alphas=scale * np.geomspace(1e-6, 1e4, NUM_PENALTIES),
                        alpha_per_target=True)
        model.fit(fit, y[rows])
        model.predict(x[num_fit:, columns])
    return (time.process_time() - start) * NUM_SAMPLES


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build_folder", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--axis", choices=["units", "stimuli"], help="default: both")
    options = parser.parse_args()
    program = options.build_folder / "benchmarks/similarity/subsample_benchmark"
    for world in WORLDS:
        if options.axis not in (None, world[0]):
            continue
        rounds = []
        for seed in range(options.rounds):
            # The separate roads once, for their times and the difference in R2.
            refitted = "1" if seed == 0 else "0"
            printed = subprocess.run(
                [program, *map(str, world), str(NUM_SIZES), str(NUM_SAMPLES), refitted],
                check=True, capture_output=True, text=True).stdout
            if seed == 0:
                print(printed, end="")
            ours = float(re.search(r"nested +([0-9.]+) CPU s", printed).group(1))
            rounds.append((ours, refit(*world, seed)))
            print("nested    %9.2f CPU s, sklearn %9.2f  %6.1f times"
                  % (*rounds[-1], rounds[-1][1] / ours), flush=True)
        ours, theirs = (statistics.median(column) for column in zip(*rounds))
        print("medians   %9.2f CPU s, sklearn %9.2f  %6.1f times"
              % (ours, theirs, theirs / ours), flush=True)


if __name__ == "__main__":
    main()
