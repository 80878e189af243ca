#!/usr/bin/python3
"""Peak memory of an extraction against the number of stimuli.

    benchmarks/extraction/memory.py IAT [--counts 2000 200000] [--width 0.25]
        [--source white-noise] [--jobs 1] [--scratch FOLDER]

Trains one small network, then makes and extracts `count` generated stimuli, hypercolumns
of conv1 to conv5 before and after the ReLU, in a run folder that is deleted afterwards.
Peak memory is the largest resident set (getrusage) of any process of the command: the
command itself, which generates the stimuli, and its workers. Exits 1 when the last count
needs over 10 % more than the first.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ALLOWED = 1.10

CONFIG = """
[run]
name = "memory"
[family]
seeds = [0]
[images]
source = "dead-leaves"
count = 64
seed = 1
[model]
width = %(width)g
[training]
objective = "instance_recognition"
instance_recognition.num_noise = 16
epochs = 1
batch_size = 32
[stimuli.many]
source = "%(source)s"
count = %(count)d
seed = 2
"""


def run(command):
    """Peak resident megabytes of the command's largest process, its processor and wall
    seconds."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit("%s ended with %d" % (" ".join(map(str, command)), process.returncode))
    return (usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime,
            time.monotonic() - start)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("iat", type=pathlib.Path)
    parser.add_argument("--counts", type=int, nargs="+", default=[2000, 200000])
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--source", default="white-noise")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--scratch", type=pathlib.Path)
    arguments = parser.parse_args()
    peaks = []
    for count in arguments.counts:
        folder = pathlib.Path(tempfile.mkdtemp(dir=arguments.scratch))
        try:
            config = folder / "memory.toml"
            config.write_text(CONFIG % {"width": arguments.width, "count": count,
                                        "source": arguments.source})
            common = [config, "--out", folder / "run", "--jobs", str(arguments.jobs),
                      "--quiet"]
            run([arguments.iat, "train"] + common)
            peak, processor, wall = run([arguments.iat, "extract"] + common)
            files = sum(f.stat().st_size for f in (folder / "run/activations").rglob("*.nc"))
        finally:
            shutil.rmtree(folder)
        peaks.append(peak)
        print("%7d stimuli: %6.1f MB at most, %.0f s of processor time, %.0f s, "
              "activations %.0f MB" % (count, peak, processor, wall, files / 1e6),
              flush=True)
    print("last / first %.3f" % (peaks[-1] / peaks[0]))
    return 0 if peaks[-1] <= ALLOWED * peaks[0] else 1


if __name__ == "__main__":
    sys.exit(main())
