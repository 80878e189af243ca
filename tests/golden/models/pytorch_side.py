#!/usr/bin/python3
"""PyTorch's part of weight_import_test.cc.

    pytorch_side.py write FOLDER           a checkpoint of a quarter-width AlexNet as a
                                           training script saves it (checkpoint.pth.tar),
                                           images and activations as raw float32
    pytorch_side.py check OURS.pt OUT.pt   loads what iat exported, without any other
                                           code (weights_only), into the twin, strictly;
                                           saves it again
"""

import os
import sys

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "training"))
sys.path.insert(0, HERE)
from make_state_dicts import images  # noqa: E402
from twin import LAYERS, STAGES, AlexNet, Taps  # noqa: E402

WIDTH = 0.25


def write(folder):
    torch.manual_seed(3)
    for name, batch_norm in (("alexnet_bn", True), ("alexnet", False)):
        model = AlexNet(WIDTH, batch_norm)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
        # A few steps, so that weights, statistics and momentum are no defaults.
        for _ in range(2):
            optimizer.zero_grad()
            model(images(8)).square().mean().backward()
            optimizer.step()
        torch.save({"epoch": 2, "arch": name,
                    "state_dict": torch.nn.DataParallel(model).state_dict(),
                    "optimizer": optimizer.state_dict()},
                   os.path.join(folder, name + ".pth.tar"))
        model.eval()
        taps = Taps(model)
        with torch.no_grad():
            model(images(4))
        for layer in LAYERS:
            for stage in STAGES:
                taps.values[layer, stage].contiguous().numpy().tofile(
                    os.path.join(folder, "%s-%s-%s.f32" % (name, layer, stage)))


def check(ours, out):
    state = torch.load(ours, weights_only=True)
    model = AlexNet(WIDTH, batch_norm="features.1.running_mean" in state)
    model.load_state_dict(state, strict=True)
    torch.save(model.state_dict(), out)


if __name__ == "__main__":
    {"write": write, "check": check}[sys.argv[1]](*sys.argv[2:])
