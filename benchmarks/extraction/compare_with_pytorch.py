#!/usr/bin/python3
"""Hypercolumns of conv1 to conv5 before and after the ReLU, full-width alexnet_bn: ours
against a PyTorch twin with forward hooks, side by side in one run, one thread each.

    benchmarks/extraction/compare_with_pytorch.py BUILD_FOLDER [--count 500]
        [--batch 100] [--rounds 5]

The twin is what a user writes: the whole forward pass under no_grad, hooks that copy
what enters and leaves each ReLU, the centre of each map. "twin, convolutions only" stops
before the fully connected layers, which a careful user might do. Both sides read the
same decoded images in memory and write nothing; model loading is not counted. Rounds
alternate and processor time is counted, so that a busy machine is busy for both; medians
are compared. Values have to
agree to 1e-4 of each tap's root mean square.

Needs python3-torch and a build with -DIAT_BENCHMARKS=ON.
"""

import argparse
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tests/golden/training"))

import numpy  # noqa: E402
import torch  # noqa: E402

import twin  # noqa: E402

TOLERANCE = 1e-4
MEAN = numpy.array([0.485, 0.456, 0.406], dtype=numpy.float32)
DEVIATION = numpy.array([0.229, 0.224, 0.225], dtype=numpy.float32)


def write_set(folder, count):
    """A packed set of coloured noise with a natural spectrum."""
    folder.mkdir()
    generator = numpy.random.default_rng(1)
    frequency = numpy.hypot(*numpy.meshgrid(numpy.fft.fftfreq(64), numpy.fft.fftfreq(64)))
    frequency[0, 0] = numpy.inf
    spectrum = numpy.fft.fft2(generator.normal(size=(count, 3, 64, 64))) / frequency
    noise = numpy.fft.ifft2(spectrum).real
    noise *= 50 / noise.std()
    pixels = numpy.clip(noise + 120, 0, 255).astype(numpy.uint8)
    pixels = numpy.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
    numpy.save(folder / "images.npy", pixels)
    with open(folder / "index.csv", "w") as file:
        file.write("row,id,label\n")
        file.writelines("%d,noise-%d,-1\n" % (i, i) for i in range(count))
    return pixels


def run_twin(model, taps, pixels, batch, forward):
    """Images per second and the hypercolumns, batch by batch."""
    found, seconds = [], 0.0
    for begin in range(-batch, len(pixels) - batch + 1, batch):
        chunk = pixels[max(begin, 0):max(begin, 0) + batch]
        start = time.process_time()
        images = ((chunk.astype(numpy.float32) / 255 - MEAN) / DEVIATION)
        with torch.no_grad():
            forward(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()))
        values = [taps.hypercolumn(layer, stage).numpy().copy()
                  for layer in twin.LAYERS[:5] for stage in twin.STAGES]
        if begin >= 0:  # the first batch is run twice, to warm up
            seconds += time.process_time() - start
            found.append(values)
    return len(found) * batch / seconds, found


def read_ours(path, found):
    flat = numpy.fromfile(path, dtype=numpy.float32)
    ours, at = [], 0
    for values in found:
        batch = []
        for value in values:
            batch.append(flat[at:at + value.size].reshape(value.shape))
            at += value.size
        ours.append(batch)
    assert at == flat.size
    return ours


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build_folder", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    ours_program = arguments.build_folder / "benchmarks/extraction/extraction_benchmark"
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        weights, values = scratch / "weights.safetensors", scratch / "values"
        subprocess.run([ours_program, "make", "1", weights], check=True)
        pixels = write_set(scratch / "set", arguments.count)
        model = twin.AlexNet()
        model.load_state_dict(twin.read_safetensors(weights)[0])
        model.eval()
        taps = twin.Taps(model)
        rates = {"ours": [], "twin": [], "twin, convolutions only": []}
        for _ in range(arguments.rounds):
            done = subprocess.run([ours_program, weights, scratch / "set",
                                   str(arguments.batch), values], check=True,
                                  stdout=subprocess.PIPE, text=True)
            rates["ours"].append(float(done.stdout))
            rate, found = run_twin(model, taps, pixels, arguments.batch, model)
            rates["twin"].append(rate)
            rate, _ = run_twin(model, taps, pixels, arguments.batch, model.features)
            rates["twin, convolutions only"].append(rate)
        worst = 0.0
        for t in range(len(found[0])):
            theirs = numpy.concatenate([batch[t] for batch in found]).astype(float)
            ours = numpy.concatenate([batch[t] for batch in read_ours(values, found)])
            rms = numpy.sqrt(numpy.mean(theirs ** 2))
            worst = max(worst, numpy.abs(ours - theirs).max() / rms)
    print("PyTorch %s, batches of %d, one thread" % (torch.__version__, arguments.batch))
    median = {name: statistics.median(values) for name, values in rates.items()}
    for name, values in rates.items():
        print("%-24s %7.1f images/s  (%s)  ours / it %.2f"
              % (name, median[name], " ".join("%.0f" % v for v in values),
                 median["ours"] / median[name]))
    print("largest difference %.2g of a tap's root mean square" % worst)
    return 0 if worst <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
