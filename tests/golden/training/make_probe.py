#!/usr/bin/python3
"""Writes probe.txt: what scikit-learn's multinomial LogisticRegression finds in the
formula problem below, for two penalties.

    python3 tests/golden/training/make_probe.py

linear_probe_test.cc builds the same problem.
"""

import os

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression

NUM_IMAGES, NUM_TEST, NUM_FEATURES, NUM_CLASSES = 90, 8, 7, 4
PENALTIES = [0.05, 0.001]  # per image


def problem():
    i = np.arange(NUM_IMAGES + NUM_TEST)[:, None]
    j = np.arange(NUM_FEATURES)[None, :]
    features = np.sin(1.7 * i + 2.3 * j + 0.31 * i * j) + 0.3 * np.cos(0.9 * i * (j + 1))
    c = np.arange(NUM_CLASSES)[None, :]
    weights = np.cos(1.1 * j.T * (c + 1) + 0.5 * c)
    noise = np.sin(12.9 * i + 78.2 * c)
    labels = np.argmax(features @ weights + 1.5 * noise, axis=1)
    return (features[:NUM_IMAGES], labels[:NUM_IMAGES], features[NUM_IMAGES:])


def main():
    features, labels, test = problem()
    assert set(labels) == set(range(NUM_CLASSES))
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "probe.txt"), "w") as out:
        out.write("# made by tests/golden/training/make_probe.py, scikit-learn %s, NumPy %s\n"
                  % (sklearn.__version__, np.__version__))
        out.write("labels %s\n" % " ".join(str(v) for v in labels))
        for penalty in PENALTIES:
            fit = LogisticRegression(C=1 / (2 * NUM_IMAGES * penalty), tol=1e-12,
                                     max_iter=100000).fit(features, labels)
            log_p = fit.predict_log_proba(features)
            loss = (-log_p[np.arange(NUM_IMAGES), labels].mean()
                    + penalty * (fit.coef_ ** 2).sum())
            out.write("loss %.17g %.17g\n" % (penalty, loss))
            for row in fit.predict_log_proba(test):
                out.write("row %s\n" % " ".join("%.17g" % v for v in row))


if __name__ == "__main__":
    main()
