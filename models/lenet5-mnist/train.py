#!/usr/bin/env python3
"""Train LeNet-5 on MNIST and quantise it to an int8 QDQ ONNX model.

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


class LeNet5(nn.Module):
    """LeNet-5 with ReLU and max pooling in place of tanh and averaging."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def activations(self, x):
        """The output of every layer whose range needs calibrating."""
        out = {}
        out["conv1"] = F.relu(self.conv1(x))
        out["conv2"] = F.relu(self.conv2(F.max_pool2d(out["conv1"], 2)))
        flat = F.max_pool2d(out["conv2"], 2).flatten(1)
        out["fc1"] = F.relu(self.fc1(flat))
        out["fc2"] = F.relu(self.fc2(out["fc1"]))
        out["fc3"] = self.fc3(out["fc2"])
        return out

    def forward(self, x):
        return self.activations(x)["fc3"]


CONV1 = {"kernel_shape": [5, 5], "strides": [1, 1], "pads": [2, 2, 2, 2]}
CONV2 = {"kernel_shape": [5, 5], "strides": [1, 1], "pads": [0, 0, 0, 0]}
POOL = {"kernel_shape": [2, 2], "strides": [2, 2]}
GEMM = {"transB": 1}

LAYERS = [
    qdq.Layer("conv1", "Conv", CONV1, relu=True),
    qdq.Layer("pool1", "MaxPool", POOL, codes_of="conv1"),
    qdq.Layer("conv2", "Conv", CONV2, relu=True),
    qdq.Layer("pool2", "MaxPool", POOL, codes_of="conv2"),
    qdq.Layer("flatten", "Flatten", {"axis": 1}, codes_of="conv2"),
    qdq.Layer("fc1", "Gemm", GEMM, relu=True),
    qdq.Layer("fc2", "Gemm", GEMM, relu=True),
    qdq.Layer("fc3", "Gemm", GEMM),
]


def network_of(net):
    weights = training.modules(net, ("conv1", "conv2", "fc1", "fc2", "fc3"))
    return qdq.Network("lenet5-mnist", "LeNet-5 for MNIST", (1, 28, 28),
                       [str(digit) for digit in range(10)], LAYERS, weights)


def main():
    args = training.parser(__doc__, HERE, training.MNIST,
                           "folder with the four uncompressed idx files", epochs=12).parse_args()
    train_set, test_set = training.load_mnist(args.data)
    training.make(args, train_set, test_set, LeNet5, network_of, seed=20, learning_rate=2e-3,
                  augment=[training.shifted])


if __name__ == "__main__":
    main()
