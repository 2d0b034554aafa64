#!/usr/bin/env python3
"""Write the golden tensors of a model, computed by ONNX Runtime.

Every layer is run as a model of its own, on ONNX Runtime's own output of the
layer before. The run fails if the whole model, in one session, gives anything
else: the goldens then hold layer by layer and end to end.
"""

import argparse
import json
import pathlib
import sys

import numpy as np
import onnx

import ort_runner
from qlayers import find_layers

LEVEL = "all"   # the level at which ONNX Runtime uses its integer kernels


def file_name(tensor):
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in tensor) + ".npy"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--input", type=pathlib.Path, required=True,
                        help=".npy file, first axis counting the samples")
    parser.add_argument("--network", type=pathlib.Path,
                        help="network.json whose preprocessing the images need")
    parser.add_argument("--layer-samples", type=int,
                        help="samples to store layer by layer (default: all)")
    parser.add_argument("--output-dir", type=pathlib.Path, required=True)
    args = parser.parse_args()

    model = onnx.load(args.model)
    samples = np.load(args.input)
    layers = find_layers(model)
    last = layers[-1].output

    tensors = ort_runner.run_layers(model, samples[:args.layer_samples], LEVEL, args.network)
    whole = ort_runner.run(model, samples, LEVEL, "all-quantized", args.network)
    plain = ort_runner.run(model, samples, LEVEL, None, args.network)

    failed = False
    for name, value in tensors.items():
        differing = int((value != whole[name][:len(value)]).sum())
        if differing:
            print(f"{name}: {differing} of {value.size} elements differ between the "
                  "layer on its own and the whole model", file=sys.stderr)
            failed = True
    # Exposing intermediate tensors must not have changed the result.
    name = model.graph.output[0].name
    if not np.array_equal(ort_runner.run(model, samples, LEVEL, f"{last},{name}",
                                         args.network)[name], plain[name]):
        print(f"{name}: exposing tensors changed the output", file=sys.stderr)
        failed = True
    if failed:
        sys.exit(1)

    args.output_dir.mkdir(parents=True, exist_ok=True)
    # Reshaping changes no value, so it is run but needs no golden of its own.
    computed = [layer for layer in layers if not layer.reshapes]
    for tensor in {t: None for layer in computed for t in (*layer.inputs, layer.output)}:
        np.save(args.output_dir / file_name(tensor), tensors[tensor])
    index = [{"layer": layer.name, "input_tensor": layer.input, "output_tensor": layer.output,
              "input": file_name(layer.input), "output": file_name(layer.output),
              **({"second_input": file_name(layer.inputs[1])} if layer.inputs[1:] else {}),
              "level": LEVEL} for layer in computed]
    (args.output_dir / "golden.json").write_text(json.dumps(index, indent=2) + "\n")
    # End to end, for all samples: the quantised logits, the output, the class.
    np.save(args.output_dir / "logits.npy", whole[last])
    np.save(args.output_dir / "output.npy", plain[name])
    np.save(args.output_dir / "classes.npy", whole[last].argmax(axis=1).astype(np.uint8))
    print(f"{args.model.name}: {len(computed)} layers on {len(tensors[last])} samples, "
          f"end to end on {len(samples)}")


if __name__ == "__main__":
    main()
