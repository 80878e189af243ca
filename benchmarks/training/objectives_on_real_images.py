#!/usr/bin/python3
"""Trains every objective for a few minutes on real images and prints the table of
docs/objectives.md.

    IAT_DATA=/path/to/data benchmarks/training/objectives_on_real_images.py \\
        build/release/app/iat /tmp/objectives [OBJECTIVE ...]

One network after the other (seed 0), each in a run folder of its own, on every tenth
class of Tiny ImageNet (20 classes, all four parts, 9,994 images). kNN: the weighted vote
of 200 neighbours, fc7, 1,000 held-out images against the others; the interval is 95 %
for a share of 1,000. Losses are means over the first and the last epoch; the effective
rank is that of the last batch's embeddings, and "collapsed" stands beside it if any epoch
ended below the alarm. Seconds are of processor time, so that a busy machine changes
images/s little. A run folder that is there is continued, or read if it is complete (its
images/s are then of no use).
"""

import argparse
import csv
import math
import os
import resource
import subprocess
import sys
import tarfile
import tempfile

FOLDER = os.path.dirname(os.path.abspath(__file__))

BATCH_SIZE = 64  # of objectives.toml
TRAINING_IMAGES = 8994

# Keys of [training] beside objectives.toml.
ADAM = {"optimizer": "adam", "learning_rate": 1e-3, "weight_decay": 1e-6}
VIEWS = {"augmentation.min_crop_area": 0.3}
NO_DROPOUT = {"dropout": False}
SETTINGS = {
    "supervised": {"epochs": 4, "learning_rate": 0.02, **VIEWS},
    "instance_recognition": {"epochs": 24, **ADAM, "learning_rate": 5e-4, "warmup_epochs": 1},
    "simclr": {"epochs": 20, **ADAM, "warmup_epochs": 1, "simclr.temperature": 0.2, **VIEWS},
    "barlow_twins": {"epochs": 16, **NO_DROPOUT, **ADAM, "warmup_epochs": 0.5,
                     "barlow_twins.projection_size": 256,
                     "barlow_twins.redundancy_weight": 0.03, **VIEWS},
    "vicreg": {"epochs": 16, **NO_DROPOUT, **ADAM, "warmup_epochs": 0.5,
               "vicreg.projection_size": 256, **VIEWS},
    "moco_v2": {"epochs": 16, **NO_DROPOUT, "learning_rate": 0.03, "weight_decay": 1e-4,
                "warmup_epochs": 1, "moco_v2.queue_size": 2048,
                "moco_v2.key_momentum": 0.996, "moco_v2.hidden_size": 512, **VIEWS},
    "simsiam": {"epochs": 40, "batch_size": 256, **NO_DROPOUT, "learning_rate": 0.03,
                "weight_decay": 5e-4, "warmup_epochs": 1, "simsiam.projection_size": 512,
                "simsiam.prediction_hidden_size": 128, "simsiam.predictor_rate": 10.0,
                **VIEWS},
    "autoencoder": {"epochs": 8, **NO_DROPOUT, **ADAM, "weight_decay": 0.0, "warmup_epochs": 1,
                    "autoencoder.decoder_channels": 64, **VIEWS},
    "rotnet": {"epochs": 60, "batch_size": 256, **NO_DROPOUT, "learning_rate": 0.03,
               "augmentation.min_crop_area": 0.5},
}


def toml(value):
    if isinstance(value, bool):
        return str(value).lower()
    return '"%s"' % value if isinstance(value, str) else repr(value)


def pack(binary, out):
    """Every tenth class of the four archives, packed once in OUT/images."""
    os.environ["IAT_OBJECTIVES"] = out
    images = os.path.join(out, "images")
    if os.path.exists(os.path.join(images, "index.csv")):
        return
    data = os.environ["IAT_DATA"]
    with open(os.path.join(data, "classes.csv"), newline="") as file:
        names = [row["wnid"] for row in csv.DictReader(file)][::10]
    with tempfile.TemporaryDirectory(dir=out) as folder:
        for part in range(4):
            with tarfile.open(os.path.join(data, "train64_part%d.tar.gz" % part)) as tar:
                tar.extractall(folder, [member for member in tar if member.isfile()
                                        and member.name.split("/")[-2] in names])
        subprocess.run([binary, "images", "pack", os.path.join(folder, "train64"),
                        "--out", images], check=True)


def run(binary, out, objective, settings):
    batch_size = settings.get("batch_size", BATCH_SIZE)
    keys = {"objective": objective, **settings,
            "log_every": TRAINING_IMAGES // batch_size}  # an epoch
    command = [binary, "train", os.path.join(FOLDER, "objectives.toml"), "--out",
               os.path.join(out, objective), "--jobs", "1", "--device", "cpu"]
    for key, value in keys.items():
        command += ["--set", "training.%s=%s" % (key, toml(value))]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    return command, seconds


def read_metrics(out, objective, animal):
    path = os.path.join(out, objective, "models", animal, "metrics.csv")
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("binary", help="the iat command")
    parser.add_argument("out", help="folder for the run folders")
    parser.add_argument("objectives", nargs="*", default=list(SETTINGS))
    arguments = parser.parse_args()
    pack(arguments.binary, arguments.out)
    lines = []
    for objective in arguments.objectives:
        settings = SETTINGS[objective]
        command, seconds = run(arguments.binary, arguments.out, objective, settings)
        rows = read_metrics(arguments.out, objective, "seed-000")
        steps, knn = int(rows[-1]["step"]), float(rows[-1]["knn_weighted_top1"])
        collapsed = any(float(row["embedding_deviation"]) < 0.05
                        or float(row["effective_rank"]) < 1.5 for row in rows)
        rank = "%.1f%s" % (float(rows[-1]["effective_rank"]), ", collapsed" * collapsed)
        images = steps * settings.get("batch_size", BATCH_SIZE)
        half = 1.96 * math.sqrt(knn * (1 - knn) / 1000)
        lines.append("| `%s` | %s | %d | %.4g → %.4g | %s | %.1f ± %.1f | %.0f |" % (
            objective, ", ".join("`%s = %s`" % (k, toml(v)) for k, v in settings.items()),
            steps, float(rows[0]["loss"]), float(rows[-1]["loss"]),
            rank, 100 * knn, 100 * half, images / seconds))
        print(" ".join(command), file=sys.stderr)
        print(lines[-1], flush=True)
    print("\n| objective | keys of `[training]` | steps | loss, first and last epoch "
          "| effective rank | kNN top-1, % | images/s |")
    print("| --- " * 7 + "|")
    print("\n".join(lines))


if __name__ == "__main__":
    sys.exit(main())
