"""The PyTorch twin of models/alexnet.h, and readers for what iat writes.

A trained network loads by load_state_dict, without renaming anything:

    tensors, metadata = read_safetensors("models/seed-000/weights.safetensors")
    model = AlexNet(float(metadata["width"]), metadata["architecture"] == "alexnet_bn")
    model.load_state_dict(tensors)
"""

import json
import math

import torch
from torch import nn

CONVOLUTIONS = [  # name, channels, kernel, stride, padding, pool
    ("conv1", 64, 11, 4, 2, True),
    ("conv2", 192, 5, 1, 2, True),
    ("conv3", 384, 3, 1, 1, False),
    ("conv4", 256, 3, 1, 1, False),
    ("conv5", 256, 3, 1, 1, True),
]
LAYERS = [row[0] for row in CONVOLUTIONS] + ["fc6", "fc7"]
STAGES = ["pre_relu", "post_relu"]


def scaled(channels, width):
    return max(1, math.floor(channels * width + 0.5))


class AlexNet(nn.Module):
    """AlexNet for 64 x 64 images without its last layer; forward returns fc7 after
    its ReLU."""

    def __init__(self, width=1.0, batch_norm=True):
        super().__init__()
        modules, channels = [], 3
        for _, full, kernel, stride, padding, pool in CONVOLUTIONS:
            out = scaled(full, width)
            modules.append(nn.Conv2d(channels, out, kernel, stride, padding))
            if batch_norm:
                modules.append(nn.BatchNorm2d(out))
            modules.append(nn.ReLU(inplace=True))
            if pool:
                modules.append(nn.MaxPool2d(3, 2))
            channels = out
        self.features = nn.Sequential(*modules)
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        modules, inputs = [], channels * 36
        self.num_features = scaled(4096, width)
        for _ in range(2):
            modules += [nn.Dropout(0.5), nn.Linear(inputs, self.num_features)]
            if batch_norm:
                modules.append(nn.BatchNorm1d(self.num_features))
            modules.append(nn.ReLU(inplace=True))
            inputs = self.num_features
        self.classifier = nn.Sequential(*modules)

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))

    def relus(self):
        """The ReLU module of each layer, from input to output."""
        found = [m for m in self.modules() if isinstance(m, nn.ReLU)]
        return dict(zip(LAYERS, found))


class Taps:
    """Records what goes into and comes out of every ReLU of an AlexNet. The ReLUs
    work in place, so both are copied."""

    def __init__(self, model):
        self.values = {}
        for layer, relu in model.relus().items():
            relu.register_forward_pre_hook(
                lambda _, x, layer=layer: self._take(layer, "pre_relu", x[0]))
            relu.register_forward_hook(
                lambda _, x, y, layer=layer: self._take(layer, "post_relu", y))

    def _take(self, layer, stage, value):
        self.values[layer, stage] = value.detach().clone()

    def hypercolumn(self, layer, stage):
        """All channels at the map's centre, images x channels."""
        value = self.values[layer, stage]
        if value.dim() == 4:
            value = value[:, :, value.shape[2] // 2, value.shape[3] // 2]
        return value


def read_safetensors(path):
    """Tensors by name, and the metadata."""
    types = {"F32": torch.float32, "F64": torch.float64, "I64": torch.int64}
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = bytearray(file.read())
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        flat = torch.frombuffer(data[begin:end], dtype=types[entry["dtype"]])
        tensors[name] = flat.reshape(entry["shape"]).clone()
    return tensors, metadata
