#!/usr/bin/env python3
"""Train a multilayer perceptron on MNIST and quantise it to an int8 QDQ ONNX model.

Everything in this folder except this script and README.md is produced here,
in one run:

  model-fp32.onnx   the trained network, before quantisation
  model.onnx        the same network after post-training quantisation
  network.json      the description that Sagitta loads
  test/             1,000 official test images and their labels
  calibration/      2,000 training images and their labels
"""

import pathlib
import sys

from torch import nn
from torch.nn import functional as F

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))
import qdq  # noqa: E402
import training  # noqa: E402


SIZES = {"fc1": (784, 256), "fc2": (256, 128), "fc3": (128, 10)}


class Perceptron(nn.Module):
    """Three dense layers with ReLU between them."""

    def __init__(self):
        super().__init__()
        for name, (inputs, outputs) in SIZES.items():
            self.add_module(name, nn.Linear(inputs, outputs))

    def activations(self, x):
        """The output of every layer whose range needs calibrating."""
        out = {}
        out["fc1"] = F.relu(self.fc1(x.flatten(1)))
        out["fc2"] = F.relu(self.fc2(out["fc1"]))
        out["fc3"] = self.fc3(out["fc2"])
        return out

    def forward(self, x):
        return self.activations(x)["fc3"]


LAYERS = [
    qdq.Layer("flatten", "Flatten", {"axis": 1}, codes_of="input"),
    qdq.Layer("fc1", "Gemm", {"transB": 1}, relu=True),
    qdq.Layer("fc2", "Gemm", {"transB": 1}, relu=True),
    qdq.Layer("fc3", "Gemm", {"transB": 1}),
]


def network_of(net):
    return qdq.Network("mlp-mnist", "Multilayer perceptron for MNIST", (1, 28, 28),
                       [str(digit) for digit in range(10)], LAYERS, training.modules(net, SIZES))


def main():
    args = training.parser(__doc__, HERE, training.MNIST,
                           "folder with the four uncompressed idx files", epochs=12).parse_args()
    train_set, test_set = training.load_mnist(args.data)
    training.make(args, train_set, test_set, Perceptron, network_of, seed=3, learning_rate=1e-3,
                  augment=[training.shifted])


if __name__ == "__main__":
    main()
