#!/usr/bin/python3
"""Golden values of neural/reliability.h, neural/selection.h and neural/spike_counts.h.

Written with numpy and scipy alone, straight from the definitions:
  tests/golden/neural/make_reliability.py > tests/golden/neural/reliability.txt
Format: the first line says who made it; then blocks "name rows cols" and the rows.
"""
import sys
import warnings

import numpy as np
import scipy
import scipy.stats

rng = np.random.default_rng(20260)
warnings.simplefilter("ignore")
blocks = {}


def put(name, values):
    blocks[name] = np.atleast_2d(np.asarray(values, dtype=np.float64))


def reliability(values, splits):
    """values: trials x stimuli with NaN; splits: splits x trials of 0/1."""
    corrected = []
    for split in splits:
        a = np.nanmean(values[split == 1], axis=0)
        b = np.nanmean(values[split == 0], axis=0)
        both = np.isfinite(a) & np.isfinite(b)
        r = np.corrcoef(a[both], b[both])[0, 1] if both.sum() >= 2 else np.nan
        corrected.append(2 * r / (1 + r))
    return np.nanmean(corrected), int(np.isnan(corrected).sum())


# Trials as float32, as recordings hold them; 11 trials (odd), 40 stimuli.
trials, stimuli, num_splits = 11, 40, 60
splits = np.zeros((num_splits, trials), dtype=int)
for split in splits:
    split[rng.permutation(trials)[: trials // 2]] = 1
put("splits", splits)
signal = rng.gamma(2.0, 3.0, size=stimuli)
complete = (signal + rng.normal(0, 4, size=(trials, stimuli))).astype(np.float32)
holes = complete.copy()
holes[rng.random((trials, stimuli)) < 0.4] = np.nan
holes[3:, 7] = np.nan  # some splits have no trial of it in one half
counts = rng.poisson(0.05, size=(trials, stimuli)).astype(np.float32)  # mostly silent
noise = rng.normal(0, 1, size=(trials, stimuli)).astype(np.float32)
for name, values in dict(complete=complete, holes=holes, counts=counts, noise=noise).items():
    put(f"{name}_values", values)
    put(f"{name}_reliability", reliability(values.astype(np.float64), splits))

# Welch's test, as scipy has it.
for i, (n, m, shift) in enumerate([(2, 2, 0.0), (5, 40, 1.0), (30, 3, -2.0), (25, 25, 6.0)]):
    a = rng.poisson(4, n).astype(float) + shift
    b = rng.poisson(4, m).astype(float)
    if i == 0:
        a, b = np.array([1.0, 2.0]), np.array([4.0, 7.0])
    put(f"welch{i}_a", a)
    put(f"welch{i}_b", b)
    put(f"welch{i}_p", scipy.stats.ttest_ind(a, b, equal_var=False).pvalue)

# Percentiles and medians.
sizes = rng.integers(1, 60, size=9)
put("percentile_values", sizes)
put("percentile_results", [np.percentile(sizes, q) for q in (0, 25, 50, 75, 90, 100)])

# Spikes in bins, by searchsorted as the Allen SDK does it: both edges belong to a bin.
starts = np.cumsum(0.25 + rng.uniform(0, 2e-4, size=30)) + 7.123
edges = np.arange(26) * 0.01
domain = edges[None, :] + starts[:, None]
spikes = rng.uniform(7.0, 15.5, size=4000)
spikes = np.concatenate([spikes, rng.choice(domain.ravel(), 300)])  # exactly on edges
spikes.sort()
lower, upper = domain[:, :-1], domain[:, 1:]
first = np.searchsorted(spikes, lower.ravel())
both = (np.searchsorted(spikes, upper.ravel(), side="right") - first).reshape(lower.shape)
left = (np.searchsorted(spikes, upper.ravel()) - first).reshape(lower.shape)
put("histogram_starts", starts)
put("histogram_spikes", spikes)
put("histogram_both", both)
put("histogram_left", left)
put("histogram_total", np.searchsorted(spikes, domain[:, -1], side="right")
    - np.searchsorted(spikes, domain[:, 0]))

out = sys.stdout
out.write(f"# make_reliability.py, numpy {np.__version__}, scipy {scipy.__version__}\n")
for name, values in blocks.items():
    out.write(f"{name} {values.shape[0]} {values.shape[1]}\n")
    for row in values:
        out.write(" ".join("nan" if np.isnan(x) else repr(float(x)) for x in row) + "\n")
