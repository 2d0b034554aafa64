// ONNX Runtime set up the same way for every script, and sample-wise feeding.

import fs from 'node:fs';
import * as ort from 'onnxruntime-web';

import { withOutputs } from './onnx_outputs.mjs';

// One thread keeps the order of float additions, and so the goldens, fixed.
ort.env.wasm.numThreads = 1;

export const LEVELS = ['disabled', 'basic', 'extended', 'all'];

export async function openModel(path, level, outputs = [], verbose = false) {
  if (!LEVELS.includes(level)) throw new Error(`--level must be one of ${LEVELS.join(', ')}`);
  const model = withOutputs(fs.readFileSync(path), outputs);
  return ort.InferenceSession.create(new Uint8Array(model), {
    executionProviders: ['wasm'],
    graphOptimizationLevel: level,
    // Where this is off, int8 convolutions are rewritten to uint8 first, which
    // fails at graph inputs and outputs: they would be computed in float32.
    extra: { session: { qdqisint8allowed: '1' } },
    logSeverityLevel: verbose ? 0 : 3,
    logVerbosityLevel: 0,
  });
}

/** float input = (pixel * scale - mean[c]) / std[c], as network.json defines it. */
export function preprocess(images, networkPath) {
  const { scale, mean, std } = JSON.parse(fs.readFileSync(networkPath, 'utf8')).preprocessing;
  const channels = mean.length;
  const dims = images.dims.length === 3
    ? [images.dims[0], 1, ...images.dims.slice(1)] : images.dims;   // idx has no channel axis
  if (dims[1] !== channels) throw new Error(`the images do not have ${channels} channel(s)`);
  const plane = dims.slice(2).reduce((a, b) => a * b, 1);
  const data = Float32Array.from(images.data, (pixel, i) => {
    const c = Math.floor(i / plane) % channels;
    return (pixel * scale - mean[c]) / std[c];
  });
  return { type: 'float32', dims, data };
}

function sampleOf({ type, dims: [, ...rest], data }, i) {
  const size = rest.reduce((a, b) => a * b, 1);
  return new ort.Tensor(type, data.slice(i * size, (i + 1) * size), [1, ...rest]);
}

/** Runs the samples (first axis) one at a time; the callback gets each result. */
export async function forEachSample(session, inputs, callback) {
  for (let i = 0; i < inputs[0].dims[0]; ++i) {
    const feeds = Object.fromEntries(
      session.inputNames.map((name, n) => [name, sampleOf(inputs[n], i)]));
    callback(await session.run(feeds), i);
  }
}
