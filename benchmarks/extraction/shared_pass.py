#!/usr/bin/python3
"""Ten networks in one pass over JPEG stimuli against ten passes of their own.

    benchmarks/extraction/shared_pass.py IAT STIMULI... [--mosaic WIDTH HEIGHT]
        [--count 1000] [--models 10] [--rounds 1] [--scratch FOLDER]

STIMULI are what [stimuli.NAME] paths takes: archives or folders of JPEG files. With
--mosaic (archives, python3-pil) they are first made into larger JPEG files, tiles of the
pictures side by side at quality 90, since sets of small pictures decode in no time.

Every measured command is `iat extract` in a fresh run folder, --jobs 1: decoding,
preprocessing and hypercolumns of conv1 to conv5 before and after the ReLU, full-width
alexnet_bn. The networks are copies of one, which has learned for a step: time does not
depend on what they have learned. Their import is not counted. Processor time is user and
system time of the command and its workers; a busy machine stretches wall time, of both
sides alike when they alternate: rounds do.
"""

import argparse
import io
import os
import pathlib
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time

TRAIN = """
[run]
name = "one"
[family]
seeds = [0]
[images]
source = "dead-leaves"
count = 32
seed = 1
[training]
objective = "instance_recognition"
instance_recognition.num_noise = 16
epochs = 1
batch_size = 32
"""

EXTRACT = """
[run]
name = "pass"
[family]
seeds = []
imported = [%(weights)s]
[images]
source = "dead-leaves"
count = 32
seed = 1
[stimuli.jpeg]
paths = [%(paths)s]
count = %(count)d
"""


def run(command):
    """Processor and wall seconds."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               text=True)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit("%s: %s" % (" ".join(map(str, command)), errors))
    return usage.ru_utime + usage.ru_stime, time.monotonic() - start


def mosaics(paths, width, height, count, target):
    """A tar of `count` JPEG files, tiles of the archives' pictures; bytes a file."""
    import PIL.Image
    columns, rows = -(-width // 64), -(-height // 64)
    tiles = []
    for path in paths:
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile():
                    picture = PIL.Image.open(archive.extractfile(member))
                    tiles.append(picture.convert("RGB").resize((64, 64)))
                if len(tiles) == 1000:
                    break
    total = 0
    with tarfile.open(target, "w") as archive:
        for i in range(count):
            picture = PIL.Image.new("RGB", (64 * columns, 64 * rows))
            for t in range(columns * rows):
                picture.paste(tiles[(i * 37 + t * 11) % len(tiles)],
                              (t % columns * 64, t // columns * 64))
            encoded = io.BytesIO()
            picture.crop((0, 0, width, height)).save(encoded, "JPEG", quality=90)
            member = tarfile.TarInfo("stimuli/mosaic-%05d.jpg" % i)
            member.size = encoded.tell()
            total += member.size
            encoded.seek(0)
            archive.addfile(member, encoded)
    return total / count


def quoted(paths):
    return ", ".join('"%s"' % path for path in paths)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("iat", type=pathlib.Path)
    parser.add_argument("stimuli", type=pathlib.Path, nargs="+")
    parser.add_argument("--mosaic", type=int, nargs=2)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--models", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--scratch", type=pathlib.Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as scratch:
        scratch = pathlib.Path(scratch)
        paths = [path.resolve() for path in arguments.stimuli]
        if arguments.mosaic:
            size = mosaics(paths, *arguments.mosaic, arguments.count, scratch / "big.tar")
            paths = [scratch / "big.tar"]
            print("mosaics of %d x %d, %.0f kB a file" % (*arguments.mosaic, size / 1000))
        (scratch / "one.toml").write_text(TRAIN)
        run([arguments.iat, "train", scratch / "one.toml", "--out", scratch / "one",
             "--quiet"])
        weights = scratch / "one/models/seed-000/weights.safetensors"

        def extract(name, num_models):
            """Seconds of one command for `num_models` networks."""
            folder = scratch / name
            config = scratch / (name + ".toml")
            config.write_text(EXTRACT % {"weights": quoted([weights] * num_models),
                                         "paths": quoted(paths),
                                         "count": arguments.count})
            common = [config, "--out", folder, "--quiet", "--jobs", "1"]
            run([arguments.iat, "train"] + common)
            seconds = run([arguments.iat, "extract"] + common)
            subprocess.run(["rm", "-r", folder], check=True)
            return seconds

        ratios = {"processor": [], "wall": []}
        for r in range(arguments.rounds):
            # The shared pass in the middle of the others: both see the same machine.
            alone = [extract("alone-%d-%d" % (r, m), 1)
                     for m in range(arguments.models // 2)]
            together = extract("together-%d" % r, arguments.models)
            alone += [extract("alone-%d-%d" % (r, m), 1)
                      for m in range(arguments.models // 2, arguments.models)]
            images = arguments.models * arguments.count
            for k, kind in enumerate(ratios):
                separate = sum(seconds[k] for seconds in alone)
                ratios[kind].append(together[k] / separate)
                print("%s time a network and stimulus: %.2f ms in one pass, %.2f ms in "
                      "%d passes, ratio %.2f"
                      % (kind, 1e3 * together[k] / images, 1e3 * separate / images,
                         arguments.models, ratios[kind][-1]), flush=True)
        if arguments.rounds > 1:
            print("median ratio: " + ", ".join(
                "%s %.2f" % (kind, statistics.median(values))
                for kind, values in ratios.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
