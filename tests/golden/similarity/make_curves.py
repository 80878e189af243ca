#!/usr/bin/env python3
"""Curves fitted and interpolated by SciPy, for tests/similarity/curve_fit_test.cc.

    /usr/bin/python3 tests/golden/similarity/make_curves.py > tests/golden/similarity/curves.txt
"""

import numpy as np
import scipy
from scipy.interpolate import PchipInterpolator
from scipy.optimize import curve_fit
from scipy.stats import t

SIZES = np.array([4, 7, 12, 20, 35, 60, 100, 180, 300, 500.0])
# A curve with wiggles, and spreads that differ.
I = np.arange(len(SIZES))
R2 = 0.28 * np.arctan(0.03 * SIZES) - 0.04 + 0.012 * np.sin(2.3 * I)
SPREAD = 0.006 + 0.004 * np.cos(1.1 * I) ** 2
# One that turns around, for the interpolation.
BUMPY = R2 + 0.08 * np.sin(1.7 * I)


def f(m, L, log_k, b):
    return L * np.arctan(np.exp(log_k) * m) + b


def g(n, a, c):
    return a * np.log(n) + c


def show(name, rows):
    rows = np.atleast_2d(rows)
    print(name, *rows.shape)
    for row in rows:
        print(*("%.17g" % x for x in row))


def fit(name, function, start):
    value, covariance = curve_fit(function, SIZES, R2, p0=start, sigma=SPREAD, absolute_sigma=False,
                                  xtol=1e-15, ftol=1e-15, gtol=1e-15, maxfev=100000)
    half = t.ppf(0.975, len(SIZES) - len(start)) * np.sqrt(np.diag(covariance))
    show(name, np.stack([value, value - half, value + half], axis=1))


print(f"numpy {np.__version__}, scipy {scipy.__version__}")
show("sizes", SIZES)
show("r2", R2)
show("spread", SPREAD)
show("bumpy", BUMPY)
fit("arctan", f, [0.3, np.log(0.02), 0.0])
fit("log", g, [0.05, 0.0])
places = np.exp(np.linspace(np.log(SIZES[0]), np.log(SIZES[-1]), 57))
show("places", places)
show("interpolated", PchipInterpolator(np.log(SIZES), BUMPY)(np.log(places)))
