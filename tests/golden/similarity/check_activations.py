#!/usr/bin/env python3
"""R2 of ridge and LogisticRidge on saved activations, ours against scikit-learn.

    python3 tests/golden/similarity/check_activations.py SCORES_FOLDER ACTIVATIONS_FOLDER \
        [--cells 20] [--units 8]

Takes rows of compare_units.nc (evenly spread over the table) and a few units of each,
refits them with scikit-learn on the stimuli of splits.csv at the penalties we chose, and
prints the largest difference in R2 per mapping. Exits 1 above 1e-6. A hard gate turns on
rounding where p is within 1e-5 of the threshold: such test stimuli are compared at our
gate if either side of the threshold gives our R2; their number is printed.

Run by hand; needs scikit-learn, NumPy and h5py or netCDF4.
"""

import argparse
import collections
import csv
import itertools
import pathlib
import sys

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import r2_score

TOLERANCE = 1e-6
GATE_DOUBT = 1e-5
MAX_DOUBTFUL = 10


def read_variables(path, names=None):
    """name -> array, text decoded."""
    try:
        import h5py
        with h5py.File(path, "r") as file:
            wanted = names or [n for n, v in file.items() if isinstance(v, h5py.Dataset)]
            read = {n: file[n][()] for n in wanted}
    except ImportError:
        import netCDF4
        with netCDF4.Dataset(path) as file:
            file.set_auto_mask(False)
            read = {n: file[n][...] for n in (names or file.variables)}
    text = lambda a: np.array([s.decode() if isinstance(s, bytes) else s for s in a])
    return {n: text(a) if a.dtype == object else a for n, a in read.items()}


def read_splits(path):
    parts = collections.defaultdict(list)
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            parts[int(row["split_seed"]), row["part"]].append(row["stimulus_id"])
    return parts


class Activations:
    def __init__(self, folder):
        self.folder, self.cache = folder, {}

    def get(self, animal, layer, stage, ids):
        key = animal, layer, stage
        if key not in self.cache:
            name = f"{layer}_{stage}"
            read = read_variables(self.folder / f"{animal}.nc", [name, "stimulus_id"])
            rows = {s: i for i, s in enumerate(read["stimulus_id"])}
            self.cache[key] = read[name].astype(float), rows
        values, rows = self.cache[key]
        return values[[rows[s] for s in ids]]


def gated_r2(mapping, p, value, y, threshold, ours):
    """R2 at scikit-learn's gate, or at ours where a gate is in doubt."""
    if mapping == "logistic_ridge_soft":
        return r2_score(y, p * value), 0
    gate = p >= threshold
    doubtful = np.flatnonzero(np.abs(p - threshold) < GATE_DOUBT)
    best = r2_score(y, gate * value)
    for flips in itertools.product([False, True], repeat=min(len(doubtful), MAX_DOUBTFUL)):
        flipped = gate.copy()
        flipped[doubtful[:len(flips)]] ^= np.array(flips, dtype=bool)
        r2 = r2_score(y, flipped * value)
        if abs(r2 - ours) < abs(best - ours):
            best = r2
    return best, len(doubtful)


def refit(mapping, x, y, x_test, y_test, ridge_penalty, logistic_penalty, threshold, ours):
    if mapping in ("ridge", "ridge_clamped"):
        predicted = Ridge(alpha=ridge_penalty, solver="cholesky").fit(x, y).predict(x_test)
        if mapping == "ridge_clamped":
            predicted = np.maximum(predicted, 0)
        return r2_score(y_test, predicted), 0
    active = y > 0
    if not active.any():
        return r2_score(y_test, np.zeros_like(y_test)), 0
    if np.isnan(ridge_penalty):
        value = np.full(len(y_test), y[active].mean())
    else:
        value = Ridge(alpha=ridge_penalty, solver="cholesky").fit(
            x[active], y[active]).predict(x_test)
    if active.all():
        return r2_score(y_test, value), 0
    deviation = x.std(0)
    varies = deviation > 0
    z, z_test = ((a[:, varies] - x[:, varies].mean(0)) / deviation[varies]
                 for a in (x, x_test))
    model = LogisticRegression(C=1 / (2 * logistic_penalty), solver="newton-cholesky",
                               tol=1e-10, max_iter=1000).fit(z, active)
    p = model.predict_proba(z_test)[:, 1]
    return gated_r2(mapping, p, value, y_test, threshold, ours)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scores", type=pathlib.Path)
    parser.add_argument("activations", type=pathlib.Path)
    parser.add_argument("--cells", type=int, default=20)
    parser.add_argument("--units", type=int, default=8)
    options = parser.parse_args()
    table = read_variables(options.scores / "compare_units.nc")
    splits = read_splits(options.scores / "splits.csv")
    activations = Activations(options.activations)
    rows = [i for i, m in enumerate(table["mapping"]) if not m.endswith("_permuted")]
    rows = [rows[k] for k in np.unique(np.linspace(0, len(rows) - 1, options.cells).astype(int))]
    worst, counts, doubtful = collections.Counter(), collections.Counter(), 0
    for i in rows:
        mapping, seed = table["mapping"][i], int(table["split_seed"][i])
        take = lambda side, part: activations.get(
            table[f"{side}_animal"][i], table[f"{side}_layer"][i], table[f"{side}_stage"][i],
            splits[seed, part])
        x, x_test = take("source", "fit"), take("source", "test")
        y, y_test = take("target", "fit"), take("target", "test")
        scored = np.flatnonzero(~np.isnan(table["r2"][i]))
        for unit in scored[np.unique(np.linspace(0, len(scored) - 1, options.units).astype(int))]:
            threshold = table["gate_threshold"][i, unit]
            ours = table["r2"][i, unit]
            theirs, doubts = refit(mapping, x, y[:, unit], x_test, y_test[:, unit],
                                   table["ridge_penalty"][i, unit],
                                   table["logistic_penalty"][i, unit],
                                   0.5 if np.isnan(threshold) else threshold, ours)
            # Relative where R2 is far below 0: a nearly silent unit's denominator is tiny.
            gap = abs(ours - theirs) / max(1.0, abs(theirs))
            worst[mapping] = max(worst[mapping], gap)
            counts[mapping] += 1
            doubtful += doubts
    for mapping in sorted(counts):
        print(f"{mapping:24s} units {counts[mapping]:5d}   largest R2 difference "
              f"{worst[mapping]:.2e}")
    print(f"test stimuli with p within {GATE_DOUBT:g} of the gate: {doubtful}")
    return int(max(worst.values()) > TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
