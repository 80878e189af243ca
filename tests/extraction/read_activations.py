#!/usr/bin/python3
"""An activation file as other people's software sees it.

    tests/extraction/read_activations.py IAT FILE.nc

Opens the file with xarray, h5py and ncdump and compares what they find; exports it as
.npy with `iat activations export` and compares every value; damages a chunk of a copy
and looks at what h5py and iat say. Prints a line a check; ends with 1 at the first that
fails, and with 77 and a word where a program is missing. Run by command_test.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

try:
    import h5py
    import numpy
    import xarray
except ImportError as error:
    print(error)
    sys.exit(77)
if shutil.which("ncdump") is None:
    print("no ncdump")
    sys.exit(77)

STAGES = ("pre_relu", "post_relu")


def check(holds, what):
    print("%s: %s" % ("ok" if holds else "FAILED", what))
    if not holds:
        sys.exit(1)


def same(a, b):
    return a.shape == b.shape and a.dtype == b.dtype and numpy.array_equal(a, b)


def export(iat, path, folder):
    return subprocess.run([iat, "activations", "export", path, "--format", "npy", "--out",
                           folder], capture_output=True, text=True)


def main():
    iat, path = sys.argv[1], pathlib.Path(sys.argv[2])
    with xarray.open_dataset(path) as opened:
        data = opened.load()
    taps = [name for name in data.data_vars
            if re.fullmatch("conv[1-5]_(%s)" % "|".join(STAGES), name)]
    check(len(taps) == 10, "xarray finds conv1 to conv5 before and after the ReLU")
    check(all(data[tap].dims == ("stimulus", tap[:5] + "_unit") for tap in taps),
          "dimensions have names")
    check(len(set(data["stimulus_id"].values)) == data.sizes["stimulus"],
          "every stimulus has its id")
    check(all(same(numpy.maximum(data[layer + "_pre_relu"].values, 0),
                   data[layer + "_post_relu"].values)
              for layer in sorted({tap[:5] for tap in taps})),
          "after the ReLU is max(before, 0)")

    with h5py.File(path) as file:
        check(all(same(file[tap][:], data[tap].values) for tap in taps),
              "h5py reads the same values")
        check([i.decode() for i in file["stimulus_id"][:]] ==
              data["stimulus_id"].values.tolist(), "and the same ids")
        check(all(file[tap].fletcher32 for tap in taps), "every chunk has a checksum")
        chunk = file[taps[-1]].id.get_chunk_info(0)

    header = subprocess.run(["ncdump", "-h", path], capture_output=True, text=True)
    check(header.returncode == 0 and all("float %s(stimulus, " % tap in header.stdout
                                         for tap in taps), "ncdump lists the taps")
    dump = subprocess.run(["ncdump", "-v", taps[0], "-p", "9,17", path],
                          capture_output=True, text=True)
    numbers = dump.stdout[dump.stdout.index("data:"):]
    numbers = numbers[numbers.index("=") + 1:numbers.rindex(";")]
    read = numpy.array([float(word) for word in numbers.replace(",", " ").split()],
                       dtype=numpy.float32)
    check(numpy.array_equal(read, data[taps[0]].values.ravel()),
          "and prints the same values")

    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        done = export(iat, path, scratch / "npy")
        check(done.returncode == 0, "iat exports .npy " + done.stderr)
        check(all(same(numpy.load(scratch / "npy" / (tap + ".npy")), data[tap].values)
                  for tap in taps), "numpy loads the same values")

        damaged = scratch / "damaged.nc"
        content = bytearray(path.read_bytes())
        content[chunk.byte_offset + chunk.size // 2] ^= 1
        damaged.write_bytes(content)
        with h5py.File(damaged) as file:
            try:
                file[taps[-1]][:]
                found = False
            except OSError:
                found = True
            check(found, "h5py refuses a chunk with one bit turned")
            check(same(file[taps[0]][:], data[taps[0]].values), "and reads the others")
        done = export(iat, damaged, scratch / "none")
        layer, stage = taps[-1].split("_", 1)
        named = "%s: cannot read %s/%s of stimuli 0 to " % (damaged, layer, stage)
        check(done.returncode == 1 and named in done.stderr and
              "the chunk is damaged" in done.stderr,
              "iat names file, tap and stimuli: " + done.stderr.strip())
    return 0


if __name__ == "__main__":
    sys.exit(main())
