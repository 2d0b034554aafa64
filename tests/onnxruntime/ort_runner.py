"""Runs models in ONNX Runtime, through run_model.mjs."""

import json
import pathlib
import subprocess
import tempfile

import numpy as np
import onnx

from qlayers import find_layers, submodel

HERE = pathlib.Path(__file__).resolve().parent


def run(model, array, level, outputs=None, network=None):
    """{tensor name: array} of the named outputs, or of the model's own."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        onnx.save(model, folder / "model.onnx")
        np.save(folder / "input.npy", array)
        command = ["node", HERE / "run_model.mjs", "--model", folder / "model.onnx",
                   "--input", folder / "input.npy", "--level", level, "--output-dir", folder]
        if outputs:
            command += ["--outputs", outputs]
        if network:
            command += ["--network", network]
        index = json.loads(subprocess.run(
            command, check=True, stdout=subprocess.PIPE).stdout)
        return {name: np.load(folder / file) for name, file in index.items()}


def run_layers(model, array, level, network=None):
    """Runs the model layer by layer, each on the previous layer's output.

    Returns all quantised tensors, with the quantised model input among them.
    """
    layers = find_layers(model)
    first = layers[0].input
    tensors = run(model, array, level, outputs=first, network=network)
    for layer in layers:
        result = run(submodel(model, layer), tensors[layer.input], level)
        tensors[layer.output] = result[layer.output]
    return tensors
