#!/usr/bin/python3
"""Checks a trained network against its PyTorch twin: the twin loads the weights,
sees the first stimuli, and has to find what the activation file holds.

    python3 check_weights.py models/seed-000/weights.safetensors \\
        activations/held-out/seed-000.nc stimuli/held-out

The last is the packed folder of the stimuli (images.npy, index.csv). Compares the
hypercolumns of conv1 to conv5 before and after the ReLU on the first 100 stimuli of
the activation file, matched by id. Relative error: max |a - b| over the root mean
square of the tap. Exit code 1 above 1e-4, or when a tap is missing.

Needs PyTorch, numpy and netCDF4 (python3-torch, python3-netcdf4).
"""

import argparse
import csv
import os
import sys

import netCDF4
import numpy
import torch

from twin import LAYERS, STAGES, AlexNet, Taps, read_safetensors

TOLERANCE = 1e-4
MEAN = numpy.array([0.485, 0.456, 0.406], dtype=numpy.float32)
DEVIATION = numpy.array([0.229, 0.224, 0.225], dtype=numpy.float32)


def read_stimuli(folder, ids):
    """The packed images of these ids, n x 3 x 64 x 64, normalised."""
    pixels = numpy.load(os.path.join(folder, "images.npy"), mmap_mode="r")
    with open(os.path.join(folder, "index.csv"), newline="") as file:
        rows = {row["id"]: int(row["row"]) for row in csv.DictReader(file)}
    images = numpy.stack([pixels[rows[i]] for i in ids]).astype(numpy.float32) / 255
    return torch.from_numpy(((images - MEAN) / DEVIATION).transpose(0, 3, 1, 2).copy())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("weights", help="weights.safetensors")
    parser.add_argument("activations", help="activation file (.nc), scope hypercolumn")
    parser.add_argument("images", help="packed folder of the stimuli")
    parser.add_argument("--count", type=int, default=100, help="stimuli to compare")
    arguments = parser.parse_args()

    tensors, metadata = read_safetensors(arguments.weights)
    model = AlexNet(float(metadata["width"]), metadata["architecture"] == "alexnet_bn")
    model.load_state_dict(tensors)
    model.eval()
    taps = Taps(model)

    with netCDF4.Dataset(arguments.activations) as file:
        if file.weights_sha256 != metadata["sha256"]:
            sys.exit("%s was not made with %s" % (arguments.activations, arguments.weights))
        if file.scope != "hypercolumn":
            sys.exit("%s: scope is %s; expected hypercolumn"
                     % (arguments.activations, file.scope))
        ids = [str(i) for i in file["stimulus_id"][:arguments.count]]
        with torch.no_grad():
            model(read_stimuli(arguments.images, ids))
        print("%s, %d stimuli, PyTorch %s" % (file.animal, len(ids), torch.__version__))
        print("%-18s %6s %12s %12s" % ("tap", "units", "RMS", "relative"))
        worst = 0.0
        for layer in LAYERS[:5]:
            for stage in STAGES:
                ours = file["%s_%s" % (layer, stage)][:len(ids)].filled(numpy.nan)
                ours = ours.astype(numpy.float64)
                twins = taps.hypercolumn(layer, stage).double().numpy()
                if ours.shape != twins.shape:
                    sys.exit("%s/%s: %s in the file, %s in the twin"
                             % (layer, stage, ours.shape, twins.shape))
                rms = numpy.sqrt(numpy.mean(twins ** 2))
                relative = numpy.abs(ours - twins).max() / rms
                print("%-18s %6d %12.5g %12.3g"
                      % (layer + "/" + stage, ours.shape[1], rms, relative))
                # NaN, from a value that is missing, must not pass for small.
                worst = max(worst, relative if numpy.isfinite(relative) else numpy.inf)
    ok = worst <= TOLERANCE
    print("largest relative error %.3g: %s" % (worst, "ok" if ok else "ABOVE 1e-4"))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
