#!/usr/bin/python3
"""Writes losses.txt: for every objective ten losses over ten SGD steps of a tiny
AlexNet, and the gradient of conv1 at the first of them.

    python3 make_losses.py > losses.txt

Weights, images and noise indices come from formulas that golden_test.cc repeats,
so no binary file is needed. Everything is computed in float64 from float32 values:
what the C++ program's float32 has to come close to is the exact number. Losses are
written out from their definitions, not by library calls.
"""

import copy
import math
import platform
import sys

import numpy
import torch
from torch import nn

from twin import AlexNet

NUM_STEPS = 10
NUM_IMAGES = 40  # in the bank
BATCH = 16
TILES = 8
NUM_NOISE = 16
WIDTH = 1 / 16
EMBEDDING = 16
HIDDEN = 32
PROJECTION = 24
PREDICTION_HIDDEN = 12
DECODER = 16
QUEUE = 40
QUEUE_KEY = 600
BATCH_NORM_GROUPS = 2
DATA_SEED = 0
KEY_MOMENTUM = 0.9  # ten steps at the published 0.999 would show nothing
CLASSES = 5
# A narrow network with batch norm has gradients in the hundreds, so that this small
# rate changes losses by percents over ten steps. Where a ReLU or a pooling maximum
# switches for rounding's sake the gradient jumps; a larger rate would turn such a
# jump into a visible one of the loss.
LEARNING_RATE, MOMENTUM, WEIGHT_DECAY = 5e-7, 0.9, 5e-4
BANK_KEY, IMAGES_KEY = 500, 1000


def formula(shape, key, scale):
    """scale * (2 * fract(43758.5453 * sin(12.9898 * i + 78.233 * key)) - 1) for i =
    0, 1, ... in C order, rounded to float32: uniform noise anyone can repeat."""
    values = []
    for i in range(math.prod(shape)):
        x = 43758.5453 * math.sin(12.9898 * i + 78.233 * key)
        values.append(scale * (2 * (x - math.floor(x)) - 1))
    values = numpy.array(values, dtype=numpy.float64).astype(numpy.float32)
    return torch.from_numpy(values).reshape(shape).double()


def pictures(n, key):
    """TILES x TILES squares of one colour under some noise, n x 3 x 64 x 64."""
    tiles = formula((n, 3, TILES, TILES), key, 2.0)
    side = 64 // TILES
    return (tiles.repeat_interleave(side, 2).repeat_interleave(side, 3)
            + formula((n, 3, 64, 64), key, 0.5))


def fill(named_parameters):
    """Parameters in the order of their names; the key is the position."""
    for key, name in enumerate(sorted(named_parameters)):
        value = named_parameters[name]
        with torch.no_grad():
            if value.dim() > 1:
                fan_in = value.numel() // value.shape[0]
                value.copy_(formula(value.shape, key, 1 / math.sqrt(fan_in)))
            elif name.endswith("weight"):  # batch norm
                value.copy_(1 + formula(value.shape, key, 0.125))
            else:
                value.copy_(formula(value.shape, key, 0.125))


def normalise(x):
    return x / x.norm(dim=1, keepdim=True)


class InstanceRecognition(nn.Module):
    num_views = 1

    def __init__(self, num_features):
        super().__init__()
        self.head = nn.Linear(num_features, EMBEDDING)
        self.bank = normalise(formula((NUM_IMAGES, EMBEDDING), BANK_KEY, 1.0))

    def loss(self, model, images, step):
        v = normalise(self.head(model(images)))
        z = 2876934.2 / 1281167 * NUM_IMAGES
        rate = NUM_NOISE / NUM_IMAGES
        loss = 0
        self.update = []
        for i in range(BATCH):
            index = (BATCH * step + i) % NUM_IMAGES
            p = torch.exp(self.bank[index] @ v[i] / 0.07) / z
            loss = loss - torch.log(p / (p + rate + 1e-7))
            for j in range(NUM_NOISE):
                n = i * NUM_NOISE + j
                noise = (31 * n * n + 17 * n + 101 * step) % NUM_IMAGES
                q = torch.exp(self.bank[noise] @ v[i] / 0.07) / z
                loss = loss - torch.log(rate / (q + rate + 1e-7))
            self.update.append((index, v[i].detach()))
        return loss / BATCH

    def after_step(self, model):
        for index, v in self.update:
            mixed = 0.5 * self.bank[index] + 0.5 * v
            self.bank[index] = mixed / mixed.norm()


class SimClr(nn.Module):
    num_views = 2

    def __init__(self, num_features):
        super().__init__()
        self.hidden = nn.Linear(num_features, HIDDEN, bias=False)
        self.hidden_norm = nn.BatchNorm1d(HIDDEN)
        self.output = nn.Linear(HIDDEN, EMBEDDING, bias=False)
        self.output_norm = nn.BatchNorm1d(EMBEDDING)

    def loss(self, model, images, step):
        x = torch.relu(self.hidden_norm(self.hidden(model(images))))
        z = normalise(self.output_norm(self.output(x)))
        loss = 0
        for i in range(2 * BATCH):
            kernel = torch.exp(z @ z[i] / 0.1)
            others = kernel.sum() - kernel[i]
            loss = loss - torch.log(kernel[(i + BATCH) % (2 * BATCH)] / others)
        return loss / (2 * BATCH)


class RandomStream:
    """base/random.h: Philox4x32-10 under a key of seed and purpose."""

    def __init__(self, seed, purpose, a):
        key = self.mix(self.mix(seed) ^ self.fnv1a(purpose))
        self.key = (key & 0xffffffff, key >> 32)
        self.counter = [0, 0, a & 0xffffffff, a >> 32]
        self.words = []

    @staticmethod
    def mix(x):
        """SplitMix64."""
        full = (1 << 64) - 1
        x = (x + 0x9e3779b97f4a7c15) & full
        x = ((x ^ (x >> 30)) * 0xbf58476d1ce4e5b9) & full
        x = ((x ^ (x >> 27)) * 0x94d049bb133111eb) & full
        return x ^ (x >> 31)

    @staticmethod
    def fnv1a(text):
        value = 0xcbf29ce484222325
        for byte in text.encode():
            value = ((value ^ byte) * 0x100000001b3) & ((1 << 64) - 1)
        return value

    def next_u32(self):
        if not self.words:
            c, (k0, k1) = list(self.counter), self.key
            for _ in range(10):
                high0, low0 = divmod(0xd2511f53 * c[0], 1 << 32)
                high1, low1 = divmod(0xcd9e8d57 * c[2], 1 << 32)
                c = [high1 ^ c[1] ^ k0, low1, high0 ^ c[3] ^ k1, low0]
                k0, k1 = (k0 + 0x9e3779b9) % (1 << 32), (k1 + 0xbb67ae85) % (1 << 32)
            self.words = c
            self.counter[0] += 1
        return self.words.pop(0)

    def below(self, n):
        """Lemire's unbiased integer; what it rejects never happens for small n."""
        return (((self.next_u32() << 32) | self.next_u32()) * n) >> 64

    def permutation(self, n):
        values = list(range(n))
        for i in range(n, 1, -1):
            j = self.below(i)
            values[i - 1], values[j] = values[j], values[i - 1]
        return values


class Moco(nn.Module):
    num_views = 2

    def __init__(self, num_features):
        super().__init__()
        self.head = nn.Sequential(nn.Linear(num_features, HIDDEN), nn.ReLU(),
                                  nn.Linear(HIDDEN, EMBEDDING))
        self.queue = [row for row in normalise(formula((QUEUE, EMBEDDING), QUEUE_KEY, 1))]
        self.key = None  # copies of the network and the head, outside the module

    def loss(self, model, images, step):
        if self.key is None:
            self.key = [copy.deepcopy(model), copy.deepcopy(self.head)]
        q = normalise(self.head(self.in_groups(model, images[:BATCH])))
        order = RandomStream(DATA_SEED, "key order", step).permutation(BATCH)
        with torch.no_grad():
            shuffled = images[BATCH:][order]
            keys = normalise(self.key[1](self.in_groups(self.key[0], shuffled)))
            self.keys = keys[numpy.argsort(order)]
        loss = 0
        for i in range(BATCH):
            positive = torch.exp(q[i] @ self.keys[i] / 0.2)
            negatives = sum(torch.exp(q[i] @ row / 0.2) for row in self.queue)
            loss = loss - torch.log(positive / (positive + negatives))
        return loss / BATCH

    @staticmethod
    def in_groups(model, images):
        """Batch norm sees one group of neighbours at a time."""
        return torch.cat([model(group) for group in images.chunk(BATCH_NORM_GROUPS)])

    def after_step(self, model):
        with torch.no_grad():
            for key, now in zip(self.key, (model, self.head)):
                for old, new in zip(key.parameters(), now.parameters()):
                    old.copy_(KEY_MOMENTUM * old + (1 - KEY_MOMENTUM) * new)
        # The order within the queue changes no loss: drop the oldest, append.
        self.queue = self.queue[BATCH:] + [row for row in self.keys]


def projector(num_features, hidden_bias, output_bias, output_norm):
    d = PROJECTION
    layers = [nn.Linear(num_features, d, bias=hidden_bias), nn.BatchNorm1d(d), nn.ReLU(),
              nn.Linear(d, d, bias=hidden_bias), nn.BatchNorm1d(d), nn.ReLU(),
              nn.Linear(d, d, bias=output_bias)]
    return nn.Sequential(*layers, *([nn.BatchNorm1d(d)] if output_norm else []))


class SimSiam(nn.Module):
    num_views = 2

    def __init__(self, num_features):
        super().__init__()
        self.projector = projector(num_features, True, True, True)
        self.predictor = nn.Sequential(
            nn.Linear(PROJECTION, PREDICTION_HIDDEN), nn.BatchNorm1d(PREDICTION_HIDDEN),
            nn.ReLU(), nn.Linear(PREDICTION_HIDDEN, PROJECTION))

    def loss(self, model, images, step):
        z = [self.projector(model(view)) for view in (images[:BATCH], images[BATCH:])]
        p = [self.predictor(x) for x in z]
        loss = 0
        for mine, other in ((0, 1), (1, 0)):
            for i in range(BATCH):
                given = z[other][i].detach()
                loss = loss - 0.5 * (p[mine][i] @ given
                                     / (p[mine][i].norm() * given.norm())) / BATCH
        return loss


class BarlowTwins(nn.Module):
    num_views = 2

    def __init__(self, num_features):
        super().__init__()
        self.projector = projector(num_features, False, False, False)

    def loss(self, model, images, step):
        z = [self.projector(model(view)) for view in (images[:BATCH], images[BATCH:])]
        z = [(x - x.mean(0)) / torch.sqrt(x.var(0, unbiased=False) + 1e-5) for x in z]
        loss = 0
        for i in range(PROJECTION):
            for j in range(PROJECTION):
                c = z[0][:, i] @ z[1][:, j] / BATCH
                loss = loss + ((1 - c) ** 2 if i == j else 0.0051 * c ** 2)
        return loss


class VicReg(nn.Module):
    num_views = 2

    def __init__(self, num_features):
        super().__init__()
        self.projector = projector(num_features, True, False, False)

    def loss(self, model, images, step):
        z = [self.projector(model(view)) for view in (images[:BATCH], images[BATCH:])]
        loss = 25 * ((z[0] - z[1]) ** 2).sum() / (BATCH * PROJECTION)
        for x in z:
            for j in range(PROJECTION):
                deviation = torch.sqrt(x[:, j].var(unbiased=True) + 1e-4)
                loss = loss + 25 * 0.5 * torch.clamp(1 - deviation, min=0) / PROJECTION
            centred = x - x.mean(0)
            for i in range(PROJECTION):
                for j in range(PROJECTION):
                    if i != j:
                        covariance = centred[:, i] @ centred[:, j] / (BATCH - 1)
                        loss = loss + covariance ** 2 / PROJECTION
        return loss


def cross_entropy(logits, classes):
    return sum(torch.log(torch.exp(row - row[c]).sum())
               for row, c in zip(logits, classes)) / len(logits)


class RotNet(nn.Module):
    num_views = 1

    def __init__(self, num_features):
        super().__init__()
        self.head = nn.Linear(num_features, 4)

    def loss(self, model, images, step):
        turned = [images]
        for _ in range(3):  # counter-clockwise: the right column becomes the top row
            turned.append(turned[-1].transpose(2, 3).flip(2))
        logits = self.head(model(torch.cat(turned)))
        return cross_entropy(logits, [turn for turn in range(4) for _ in range(BATCH)])


class Autoencoder(nn.Module):
    num_views = 1

    def __init__(self, num_features):
        super().__init__()
        c = DECODER
        layers = [nn.Linear(num_features, c * 16), nn.BatchNorm1d(c * 16), nn.ReLU(),
                  nn.Unflatten(1, (c, 4, 4))]
        for _ in range(3):
            layers += [nn.ConvTranspose2d(c, c // 2, 4, 2, 1), nn.BatchNorm2d(c // 2),
                       nn.ReLU()]
            c //= 2
        layers.append(nn.ConvTranspose2d(c, 3, 4, 2, 1))
        self.decoder = nn.Sequential(*layers)

    def loss(self, model, images, step):
        hidden = model(images)
        error = ((self.decoder(hidden) - images) ** 2).sum() / images.numel()
        return 0.5 * error + 5e-4 * hidden.abs().sum() / hidden.numel()


class Supervised(nn.Module):
    num_views = 1

    def __init__(self, num_features):
        super().__init__()
        self.head = nn.Linear(num_features, CLASSES)

    def loss(self, model, images, step):
        classes = [(7 * i + 3 * step) % CLASSES for i in range(BATCH)]
        return cross_entropy(self.head(model(images)), classes)


def run(name, objective_class):
    model = AlexNet(WIDTH).double().train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.eval()
    objective = objective_class(model.num_features).double().train()
    parameters = {"model." + n: p for n, p in model.named_parameters()}
    parameters.update({"objective." + n: p for n, p in objective.named_parameters()})
    fill(parameters)
    optimizer = torch.optim.SGD(parameters.values(), lr=LEARNING_RATE, momentum=MOMENTUM,
                                weight_decay=WEIGHT_DECAY)
    for step in range(NUM_STEPS):
        images = pictures(objective.num_views * BATCH, IMAGES_KEY + step)
        loss = objective.loss(model, images, step)
        print(name, "loss", step, "%.12g" % loss.item())
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            gradient = model.features[0].weight.grad
            print(name, "conv1_gradient_norm", 0, "%.12g" % gradient.norm().item())
            for i in range(0, gradient.numel(), gradient.numel() // 5):
                print(name, "conv1_gradient", i, "%.12g" % gradient.flatten()[i].item())
        optimizer.step()
        if hasattr(objective, "after_step"):
            objective.after_step(model)


def main():
    print("# Made by make_losses.py with Python %s, PyTorch %s, numpy %s."
          % (platform.python_version(), torch.__version__, numpy.__version__))
    print("# objective, quantity, step or flat index, value")
    torch.set_num_threads(1)
    run("instance_recognition", InstanceRecognition)
    run("simclr", SimClr)
    run("moco_v2", Moco)
    run("simsiam", SimSiam)
    run("barlow_twins", BarlowTwins)
    run("vicreg", VicReg)
    run("rotnet", RotNet)
    run("autoencoder", Autoencoder)
    run("supervised", Supervised)


if __name__ == "__main__":
    sys.exit(main())
