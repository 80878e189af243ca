"""Inputs of the golden tests, the same numbers as FormulaMatrix in
tests/similarity/synthetic.h."""

import numpy as np


def formula(rows, cols, salt):
    i = np.arange(rows, dtype=np.int64)[:, None]
    j = np.arange(cols, dtype=np.int64)[None, :]
    a = (i * 7919 + j * 104729 + salt * 611953 + i * j * 31) % 100003
    b = (i * i * 13 + j * j * 17 + salt) % 100019
    return np.sin(a.astype(float)) + 0.5 * np.sin(b.astype(float))


# Fit and test stimuli, source and target units of the golden problem.
NUM_FIT, NUM_TEST, NUM_SOURCE, NUM_TARGET = 160, 60, 12, 5


def problem():
    """x_fit, y_fit, x_test, y_test; targets are after a ReLU."""
    x = formula(NUM_FIT + NUM_TEST, NUM_SOURCE, 1)
    weights = formula(NUM_SOURCE, NUM_TARGET, 2)
    noise = formula(NUM_FIT + NUM_TEST, NUM_TARGET, 3)
    y = np.maximum(x @ weights + 1.5 * noise + np.linspace(-2.0, 2.0, NUM_TARGET), 0.0)
    return x[:NUM_FIT], y[:NUM_FIT], x[NUM_FIT:], y[NUM_FIT:]


def write(path, script, arrays):
    """name rows cols, then the numbers of the array row by row."""
    import sklearn
    with open(path, "w") as file:
        file.write(f"# made by tests/golden/similarity/{script}, "
                   f"scikit-learn {sklearn.__version__}, NumPy {np.__version__}\n")
        for name, array in arrays.items():
            array = np.atleast_2d(np.asarray(array, dtype=float))
            file.write(f"{name} {array.shape[0]} {array.shape[1]}\n")
            for row in array:
                file.write(" ".join(f"{value:.17g}" for value in row) + "\n")
