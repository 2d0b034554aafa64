"""Runs models in ONNX Runtime, through run_model.mjs."""

import json
import pathlib
import subprocess
import tempfile

import numpy as np
import onnx

from qlayers import find_layers, submodel

HERE = pathlib.Path(__file__).resolve().parent


def run(model, arrays, level, outputs=None, network=None):
    """{tensor name: array} of the named outputs, or of the model's own.

    `arrays`: one for each input of the model; a single one may stand alone.
    """
    if isinstance(arrays, np.ndarray):
        arrays = [arrays]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        onnx.save(model, folder / "model.onnx")
        command = ["node", HERE / "run_model.mjs", "--model", folder / "model.onnx",
                   "--level", level, "--output-dir", folder]
        for i, array in enumerate(arrays):
            np.save(folder / f"input{i}.npy", array)
            command += ["--input", folder / f"input{i}.npy"]
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
        result = run(submodel(model, layer), [tensors[name] for name in layer.inputs], level)
        tensors[layer.output] = result[layer.output]
    return tensors
