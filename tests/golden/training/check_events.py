#!/usr/bin/env python3
"""Reads a run's event files with TensorBoard's own reader and compares them with
metrics.csv, value by value.

    python3 -m venv /tmp/tensorboard && /tmp/tensorboard/bin/pip install tensorboard
    /tmp/tensorboard/bin/python tests/golden/training/check_events.py runs/NAME/models/seed-000

Exit code 1 when a value is missing, left over, twice or another.
"""

import csv
import math
import os
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def main(folder):
    reader = EventAccumulator(folder, size_guidance={"scalars": 0, "tensors": 0})
    reader.Reload()
    with open(os.path.join(folder, "metrics.csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    wrong = compared = 0
    for tag in rows[0]:
        if tag in ("step", "epoch"):
            continue
        expected = [(int(row["step"]), float(row[tag])) for row in rows
                    if not math.isnan(float(row[tag]))]
        found = []
        if tag in reader.Tags()["scalars"]:
            found = [(event.step, event.value) for event in reader.Scalars(tag)]
        same = len(found) == len(expected) and all(
            step == wanted_step and abs(value - wanted) <= 1e-6 * abs(wanted)
            for (step, value), (wanted_step, wanted) in zip(found, expected))
        print("%-20s %5d values  %s" % (tag, len(found), "ok" if same else "DIFFERENT"))
        wrong += not same
        compared += len(found)
    if wrong or compared == 0:
        sys.exit("%d tags differ from metrics.csv" % wrong)


if __name__ == "__main__":
    main(*sys.argv[1:])
