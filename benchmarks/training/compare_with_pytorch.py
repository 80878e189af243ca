#!/usr/bin/python3
"""Ours against PyTorch and torchvision, side by side in one run: Instance Recognition
with full-width alexnet_bn, batch 128.

    benchmarks/training/compare_with_pytorch.py BUILD_FOLDER IMAGE_FOLDER
        [--count 2560] [--epochs 2] [--steps 6] [--only step|family]

step    the bare forward, backward and update on one batch in memory: images/s, share of
        the matrix-product peak measured in the same process, peak memory; one thread.
family  two seeds from JPEG files to weights, augmentation included, on two cores. Ours
        reads the folder, packs it and trains with two workers of one thread each. The
        twin decodes and augments with Pillow and torchvision (the reference's chain at
        64 pixels), in the better of two processes with one thread each or one process
        with two threads at a time, each with 0 or 1 DataLoader workers.

IMAGE_FOLDER holds JPEG files in class folders. Needs python3-torch and
python3-torchvision; both programs then stand on the same kernels.
"""

import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tests/golden/training"))
BATCH = 128
NUM_NOISE, TEMPERATURE, BANK_MOMENTUM = 4096, 0.07, 0.5
PARTITION_PER_IMAGE = 2876934.2 / 1281167.0


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build_folder", type=pathlib.Path)
    parser.add_argument("image_folder", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=2560, help="images of an epoch")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--steps", type=int, default=6, help="timed steps of the bare step")
    parser.add_argument("--only", choices=["step", "family"])
    parser.add_argument("--twin", help=argparse.SUPPRESS)  # a twin process's own job
    return parser.parse_args()


def peak_memory_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Trainer:
    """The twin: network, noise-contrastive memory bank, SGD as a user writes them."""

    def __init__(self, num_images, seed):
        import torch
        import twin
        torch.manual_seed(seed)
        self.torch = torch
        self.model = twin.AlexNet()
        self.head = torch.nn.Linear(self.model.num_features, 128)
        self.num_images = num_images
        bank = torch.empty(num_images, 128).uniform_(-1, 1)
        self.bank = torch.nn.functional.normalize(bank)
        parameters = list(self.model.parameters()) + list(self.head.parameters())
        self.optimizer = torch.optim.SGD(parameters, lr=0.003, momentum=0.9,
                                         weight_decay=5e-4)

    def step(self, images, indices):
        torch = self.torch
        v = torch.nn.functional.normalize(self.head(self.model(images)))
        noise = torch.randint(self.num_images, (len(images), NUM_NOISE))
        columns = torch.cat([indices[:, None], noise], 1)
        p = (v.mm(self.bank.t()).gather(1, columns) / TEMPERATURE).exp()
        p = p / (PARTITION_PER_IMAGE * self.num_images)
        rate = NUM_NOISE / self.num_images
        total = (p + rate + 1e-7).log()
        positive = p[:, 0].log() - total[:, 0]
        negative = torch.tensor(rate).log() - total[:, 1:]
        loss = -(positive.sum() + negative.sum()) / len(images)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            mixed = self.bank[indices] * BANK_MOMENTUM + v * (1 - BANK_MOMENTUM)
            self.bank[indices] = torch.nn.functional.normalize(mixed)


def twin_step(job):
    import torch
    torch.set_num_threads(1)
    trainer = Trainer(10_000, 0)
    images, indices = torch.randn(BATCH, 3, 64, 64), torch.randint(10_000, (BATCH,))
    seconds = []
    for step in range(job["steps"] + 2):
        start = time.perf_counter()
        trainer.step(images, indices)
        if step >= 2:
            seconds.append(time.perf_counter() - start)
    seconds = sorted(seconds)[len(seconds) // 2]
    return {"images_per_second": BATCH / seconds, "step_seconds": seconds,
            "peak_memory_mb": peak_memory_mb()}


class Images:
    """JPEG files with their positions, decoded and augmented when asked for."""

    def __init__(self, paths):
        from torchvision import transforms
        self.paths = paths
        self.chain = transforms.Compose([
            transforms.RandomResizedCrop(64, scale=(0.2, 1.0)),
            transforms.RandomGrayscale(0.2),
            transforms.ColorJitter(0.4, 0.4, 0.4, 0.4),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ])

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, i):
        from PIL import Image
        return self.chain(Image.open(self.paths[i]).convert("RGB")), i


def twin_family(job):
    import torch
    torch.set_num_threads(job["threads"])
    dataset = Images(job["paths"])
    for seed in job["seeds"]:
        trainer = Trainer(len(dataset), seed)
        loader = torch.utils.data.DataLoader(dataset, BATCH, shuffle=True, drop_last=True,
                                             num_workers=job["workers"],
                                             persistent_workers=job["workers"] > 0)
        for _ in range(job["epochs"]):
            for images, indices in loader:
                trainer.step(images, indices)
    return {"peak_memory_mb": peak_memory_mb()}


def run_twins(arguments, jobs):
    """Runs the jobs at once; wall seconds and what each says."""
    start = time.perf_counter()
    running = []
    for job in jobs:
        environment = dict(os.environ, OMP_NUM_THREADS=str(job.get("threads", 1)))
        running.append(subprocess.Popen(
            [sys.executable, __file__, str(arguments.build_folder),
             str(arguments.image_folder), "--twin", "-"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True))
    for process, job in zip(running, jobs):
        process.stdin.write(json.dumps(job))
        process.stdin.close()
    said = [json.loads(process.stdout.read()) for process in running]
    for process in running:
        if process.wait() != 0:
            sys.exit("a twin failed")
    return time.perf_counter() - start, said


def compare_steps(arguments):
    options = json.dumps({"batch": BATCH, "steps": arguments.steps, "threads": 1})
    binary = arguments.build_folder / "benchmarks/training/training_benchmark"
    ours = json.loads(subprocess.run([binary, options], check=True, text=True,
                                     stdout=subprocess.PIPE,
                                     env=dict(os.environ, OMP_NUM_THREADS="1")).stdout)
    _, (twin,) = run_twins(arguments, [{"do": "step", "steps": arguments.steps}])
    print("bare step, batch %d, one thread" % BATCH)
    print("  ours  %6.1f images/s  %4.0f MB  %.0f %% of %.0f GFLOP/s"
          % (ours["images_per_second"], ours["peak_memory_mb"],
             100 * ours["share_of_peak"], ours["matmul_gflops"]))
    print("  twin  %6.1f images/s  %4.0f MB"
          % (twin["images_per_second"], twin["peak_memory_mb"]))
    print("  ratio %6.2f" % (ours["images_per_second"] / twin["images_per_second"]))


CONFIG = """
[run]
name = "benchmark"
[family]
seeds = [0, 1]
[images]
paths = ["%s"]
count = %d
[training]
objective = "instance_recognition"
epochs = %d
batch_size = 128
knn_images = 0
checkpoint_every = 1000000
[stimuli.none]
source = "dead-leaves"
count = 10
"""


def compare_families(arguments):
    count, epochs = arguments.count, arguments.epochs
    paths = sorted(str(p) for p in arguments.image_folder.rglob("*")
                   if p.suffix.lower() in (".jpg", ".jpeg"))[:count]
    images = (len(paths) // BATCH) * BATCH * epochs * 2
    with tempfile.TemporaryDirectory() as scratch:
        config = pathlib.Path(scratch) / "benchmark.toml"
        config.write_text(CONFIG % (arguments.image_folder, count, epochs))
        start = time.perf_counter()
        subprocess.run([arguments.build_folder / "app/iat", "train", config, "--jobs", "2",
                        "--quiet", "--out", pathlib.Path(scratch) / "run"], check=True)
        ours = images / (time.perf_counter() - start)
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print("family of two seeds, from JPEG to weights, two cores")
    print("  ours                              %6.1f images/s  %4.0f MB a process"
          % (ours, memory))
    best = 0.0
    for workers in (0, 1):
        common = {"do": "family", "paths": paths, "epochs": epochs, "workers": workers}
        for name, jobs in [
                ("2 processes x 1 thread", [dict(common, seeds=[0], threads=1),
                                            dict(common, seeds=[1], threads=1)]),
                ("1 process x 2 threads", [dict(common, seeds=[0, 1], threads=2)])]:
            seconds, said = run_twins(arguments, jobs)
            rate = images / seconds
            best = max(best, rate)
            print("  twin, %s, %d workers  %6.1f images/s  %4.0f MB a process"
                  % (name, workers, rate, max(s["peak_memory_mb"] for s in said)),
                  flush=True)
    print("  ratio to its best                 %6.2f" % (ours / best))


def main():
    arguments = parse()
    if arguments.twin:
        job = json.loads(sys.stdin.read())
        print(json.dumps(twin_step(job) if job["do"] == "step" else twin_family(job)))
        return
    if arguments.only != "family":
        compare_steps(arguments)
    if arguments.only != "step":
        compare_families(arguments)


if __name__ == "__main__":
    main()
