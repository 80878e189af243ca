#!/usr/bin/python3
"""Writes state_dicts.txt: files that torch.save made, in base64, and what a tiny
AlexNet in one of them answers to formula images.

    python3 tests/golden/models/make_state_dicts.py

mixed_zip, mixed_legacy and mixed_protocol4 hold the same checkpoint with every kind
of tensor that a state dict may have; state_dict_file_test.cc builds the same values
itself. alexnet holds DataParallel's names in a checkpoint dictionary.
"""

import argparse
import base64
import collections
import io
import os
import sys

import numpy
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "training"))
from twin import LAYERS, STAGES, AlexNet, Taps  # noqa: E402


def saved(value, **options):
    file = io.BytesIO()
    torch.save(value, file, **options)
    return base64.b64encode(file.getvalue()).decode()


def mixed():
    whole = torch.arange(12, dtype=torch.float32)
    state = collections.OrderedDict()
    state["matrix"] = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    state["transposed"] = torch.arange(6, dtype=torch.float32).reshape(2, 3).t()
    state["shared"] = whole
    state["shared_part"] = whole[3:9:2]
    state["half"] = torch.tensor([0.5, -2.0], dtype=torch.float16)
    state["bfloat16"] = torch.tensor([1.5, -3.0], dtype=torch.bfloat16)
    state["double"] = torch.tensor([1 / 3], dtype=torch.float64)
    state["count"] = torch.tensor(2 ** 40, dtype=torch.int64)
    state["int32"] = torch.tensor([-7], dtype=torch.int32)
    state["bytes"] = torch.tensor([255], dtype=torch.uint8)
    state["flag"] = torch.tensor([True, False])
    state["empty"] = torch.empty(0, 3)
    state["parameter"] = torch.nn.Parameter(torch.tensor([4.0]))
    state._metadata = {"": {"version": 1}}
    return {"epoch": 3, "learning_rate": 0.1, "best": numpy.float64(0.75),
            "args": argparse.Namespace(lr=0.1, layers=[1, 2], name="run"),
            "losses": collections.defaultdict(list, {"train": [1.0, 0.5]}),
            "state_dict": state,
            "optimizer": {"state": {0: {"momentum_buffer": torch.ones(2)}},
                          "param_groups": [{"lr": 0.1, "params": [0]}]}}


def images(count):
    n, c, i, j = numpy.ogrid[:count, :3, :64, :64]
    values = numpy.sin(0.7 * n + 1.3 * c + 0.37 * i) + numpy.cos(0.23 * j + 0.011 * i * j)
    return torch.from_numpy(values.astype(numpy.float32))


def alexnet():
    torch.manual_seed(7)
    model = AlexNet(1 / 128, batch_norm=True)
    for module in model.modules():
        if isinstance(module, (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.05, 0.2)
            module.num_batches_tracked.fill_(11)
            with torch.no_grad():
                module.bias.uniform_(1.0, 4.0)
    model.eval()
    taps = Taps(model)
    with torch.no_grad():
        model(images(2))
    answers = {"%s/%s" % (layer, stage): taps.hypercolumn(layer, stage).flatten().tolist()
               for layer in LAYERS for stage in STAGES}
    assert all(any(values) for values in answers.values()), "a tap without any activity"
    state = torch.nn.DataParallel(model).state_dict()
    state["module.fc.weight"] = torch.zeros(10, 32)
    return {"epoch": 199, "arch": "alexnet_bn", "state_dict": state}, answers


def main():
    checkpoint, answers = alexnet()
    with open(os.path.join(HERE, "state_dicts.txt"), "w") as file:
        file.write("# made by tests/golden/models/make_state_dicts.py, PyTorch %s, NumPy %s\n"
                   % (torch.__version__, numpy.__version__))
        file.write("file mixed_zip %s\n" % saved(mixed()))
        file.write("file mixed_legacy %s\n"
                   % saved(mixed(), _use_new_zipfile_serialization=False))
        file.write("file mixed_protocol4 %s\n" % saved(mixed(), pickle_protocol=4))
        file.write("file alexnet %s\n" % saved(checkpoint))
        for tap, values in answers.items():
            file.write("values %s %s\n" % (tap, " ".join("%.9g" % v for v in values)))


if __name__ == "__main__":
    main()
