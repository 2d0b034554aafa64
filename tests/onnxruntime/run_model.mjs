#!/usr/bin/env node
// Runs a model in ONNX Runtime, sample by sample, and stores tensors as .npy.
//
//   node run_model.mjs --model M.onnx --input X.npy [--input Y.npy] --output-dir D
//        [--network N.json]   preprocess uint8 images as this file says
//        [--level LEVEL]      disabled, basic, extended or all (default)
//        [--outputs LIST]     comma-separated tensors, or "all-quantized";
//                             default: the model's own outputs
//        [--verbose]          let ONNX Runtime log what its optimisers do
//
// Prints a JSON object {tensor name: file name}. The first axis of every
// stored tensor counts the samples.

import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { quantisedTensors } from './lib/onnx_outputs.mjs';
import { forEachSample, openModel, preprocess } from './lib/session.mjs';
import { readTensor, writeNpy } from './lib/tensors.mjs';

const { values: args } = parseArgs({
  options: {
    model: { type: 'string' },
    input: { type: 'string', multiple: true },
    'output-dir': { type: 'string' },
    network: { type: 'string' },
    level: { type: 'string', default: 'all' },
    outputs: { type: 'string' },
    verbose: { type: 'boolean', default: false },
  },
});
for (const name of ['model', 'input', 'output-dir']) {
  if (!args[name]) {
    console.error(`run_model.mjs: --${name} is required`);
    process.exit(2);
  }
}

let names = [];
if (args.outputs === 'all-quantized') names = quantisedTensors(fs.readFileSync(args.model));
else if (args.outputs) names = args.outputs.split(',');

let inputs = args.input.map(readTensor);
if (args.network) inputs = inputs.map((input) => preprocess(input, args.network));

const session = await openModel(args.model, args.level, names, args.verbose);
if (!args.outputs) names = [...session.outputNames];

const results = Object.fromEntries(names.map((name) => [name, []]));
await forEachSample(session, inputs, (result) => {
  for (const name of names) results[name].push(result[name]);
});

fs.mkdirSync(args['output-dir'], { recursive: true });
const index = {};
for (const name of names) {
  const [first] = results[name];
  const size = first.data.length;
  const data = new first.data.constructor(size * results[name].length);
  results[name].forEach((tensor, i) => data.set(tensor.data, i * size));
  // Tensor names may contain characters that file names should not.
  index[name] = `${name.replace(/[^A-Za-z0-9._-]/g, '_')}.npy`;
  writeNpy(path.join(args['output-dir'], index[name]),
    { type: first.type, dims: [results[name].length, ...first.dims.slice(1)], data });
}
console.log(JSON.stringify(index));
