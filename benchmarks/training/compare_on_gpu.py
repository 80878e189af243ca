#!/usr/bin/python3
"""Ours against PyTorch and torchvision on one GPU, side by side in one run: Instance
Recognition with full-width alexnet_bn, bfloat16 and channels last on both sides.

    benchmarks/training/compare_on_gpu.py IAT PACKED_FOLDER [--batch 256] [--epochs 3]
        [--workers 16] [--only ours|bare|loader]

ours    `iat train --device cuda`: the rate of the last half of the rows of metrics.csv,
        augmentation included.
bare    the twin's forward, backward and update on one batch that stays on the GPU: the
        fused SGD, torch.autocast, no image read.
loader  the twin end to end: torchvision's chain on Pillow images in DataLoader workers,
        memory pinned, copies that nobody waits for.

PACKED_FOLDER holds images.npy and index.csv (iat images pack). Needs a PyTorch that sees
a GPU, and torchvision for the last.
"""

import argparse
import csv
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import compare_with_pytorch as cpu_twin

CONFIG = """
[run]
name = "gpu"
[family]
seeds = [0]
num_untrained = 0
[images]
paths = [%s]
[training]
epochs = %d
batch_size = %d
log_every = 20
checkpoint_every = 1000000
knn_images = 0
"""


class GpuTrainer(cpu_twin.Trainer):
    """As a user moves the CPU's twin to a GPU."""

    def __init__(self, num_images, seed):
        super().__init__(num_images, seed)
        torch = self.torch
        self.model = self.model.cuda().to(memory_format=torch.channels_last)
        self.head, self.bank = self.head.cuda(), self.bank.cuda()
        parameters = list(self.model.parameters()) + list(self.head.parameters())
        self.optimizer = torch.optim.SGD(parameters, lr=0.003, momentum=0.9,
                                         weight_decay=5e-4, fused=True)

    def step(self, images, indices):
        torch = self.torch
        with torch.autocast("cuda", torch.bfloat16):
            features = self.model(images)
        v = torch.nn.functional.normalize(self.head(features.float()))
        noise = torch.randint(self.num_images, (len(images), cpu_twin.NUM_NOISE),
                              device="cuda")
        columns = torch.cat([indices[:, None], noise], 1)
        p = (v.mm(self.bank.t()).gather(1, columns) / cpu_twin.TEMPERATURE).exp()
        p = p / (cpu_twin.PARTITION_PER_IMAGE * self.num_images)
        rate = cpu_twin.NUM_NOISE / self.num_images
        total = (p + rate + 1e-7).log()
        positive = p[:, 0].log() - total[:, 0]
        negative = -total[:, 1:]
        loss = -(positive.sum() + negative.sum()) / len(images)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            mixed = (self.bank[indices] * cpu_twin.BANK_MOMENTUM
                     + v * (1 - cpu_twin.BANK_MOMENTUM))
            self.bank[indices] = torch.nn.functional.normalize(mixed)


def ours(arguments):
    with tempfile.TemporaryDirectory() as scratch:
        config = pathlib.Path(scratch) / "gpu.toml"
        config.write_text(CONFIG % (json.dumps(str(arguments.packed.resolve())),
                                    arguments.epochs, arguments.batch))
        out = pathlib.Path(scratch) / "run"
        subprocess.run([arguments.iat, "train", config, "--out", out, "--device", "cuda",
                        "--quiet"], check=True)
        with open(out / "models/seed-000/metrics.csv", newline="") as file:
            rows = list(csv.DictReader(file))
    rates = [float(row["images_per_second"]) for row in rows]
    print("ours    %9.0f images/s  loss %s -> %s" % (
        statistics.median(rates[len(rates) // 2:]), rows[0]["loss"], rows[-1]["loss"]))


def bare(arguments):
    import torch
    torch.backends.cudnn.benchmark = True
    trainer = GpuTrainer(100_000, 0)
    images = torch.randn(arguments.batch, 3, 64, 64, device="cuda").contiguous(
        memory_format=torch.channels_last)
    indices = torch.randint(100_000, (arguments.batch,), device="cuda")
    for _ in range(10):
        trainer.step(images, indices)
    torch.cuda.synchronize()
    start, steps = time.perf_counter(), 100
    for _ in range(steps):
        trainer.step(images, indices)
    torch.cuda.synchronize()
    print("bare    %9.0f images/s" % (
        steps * arguments.batch / (time.perf_counter() - start)))


class PackedImages(cpu_twin.Images):
    def __init__(self, packed):
        import numpy
        super().__init__(None)
        self.pixels = numpy.load(packed / "images.npy", mmap_mode="r")

    def __len__(self):
        return len(self.pixels)

    def __getitem__(self, i):
        from PIL import Image
        return self.chain(Image.fromarray(self.pixels[i])), i


def loader(arguments):
    import torch
    torch.backends.cudnn.benchmark = True
    dataset = PackedImages(arguments.packed)
    trainer = GpuTrainer(len(dataset), 0)
    batches = torch.utils.data.DataLoader(
        dataset, arguments.batch, shuffle=True, drop_last=True, pin_memory=True,
        num_workers=arguments.workers, persistent_workers=True)
    for epoch in range(2):  # the first starts the workers
        start = time.perf_counter()
        for images, indices in batches:
            trainer.step(images.cuda(non_blocking=True).contiguous(
                memory_format=torch.channels_last), indices.cuda(non_blocking=True))
        torch.cuda.synchronize()
        seconds = time.perf_counter() - start
    print("loader  %9.0f images/s  (%d workers)" % (
        len(batches) * arguments.batch / seconds, arguments.workers))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("iat", help="the iat command, built with a LibTorch for CUDA")
    parser.add_argument("packed", type=pathlib.Path)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--only", choices=["ours", "bare", "loader"])
    arguments = parser.parse_args()
    for part in (ours, bare, loader):
        if arguments.only in (None, part.__name__):
            part(arguments)
            sys.stdout.flush()


if __name__ == "__main__":
    main()
