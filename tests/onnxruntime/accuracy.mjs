#!/usr/bin/env node
// Counts a classifier's correct answers in ONNX Runtime.
//
//   node accuracy.mjs --network N.json --images I --labels L
//        [--model M.onnx]     default: the model that N.json names
//        [--level LEVEL]      disabled, basic, extended or all (default)
//
// I and L are uint8 arrays, as .npy or as uncompressed MNIST idx files.

import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { forEachSample, openModel, preprocess } from './lib/session.mjs';
import { readTensor } from './lib/tensors.mjs';

const { values: args } = parseArgs({
  options: {
    network: { type: 'string' },
    images: { type: 'string' },
    labels: { type: 'string' },
    model: { type: 'string' },
    level: { type: 'string', default: 'all' },
  },
});
for (const name of ['network', 'images', 'labels']) {
  if (!args[name]) {
    console.error(`accuracy.mjs: --${name} is required`);
    process.exit(2);
  }
}

const model = args.model ?? path.join(
  path.dirname(args.network), JSON.parse(fs.readFileSync(args.network, 'utf8')).model);
const labels = readTensor(args.labels).data;
const images = preprocess(readTensor(args.images), args.network);
if (images.dims[0] !== labels.length) throw new Error('as many labels as images are needed');

const session = await openModel(model, args.level);
const output = session.outputNames[0];
let correct = 0;
await forEachSample(session, [images], (result, i) => {
  const scores = result[output].data;
  // The first of equal scores wins, as in numpy.argmax.
  if (scores.indexOf(Math.max(...scores)) === labels[i]) ++correct;
});
console.log(`${path.basename(model)}, level ${args.level}: ${correct}/${labels.length} correct `
  + `(${(100 * correct / labels.length).toFixed(2)} %)`);
