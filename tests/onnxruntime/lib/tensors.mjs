// Reading and writing of the two array formats the tests use: NumPy's .npy
// (version 1.0, little endian, C order) and MNIST's idx (unsigned bytes only).

import fs from 'node:fs';

// npy descriptor -> ONNX Runtime type name and the typed array that holds it.
const TYPES = {
  '|i1': { type: 'int8', array: Int8Array },
  '|u1': { type: 'uint8', array: Uint8Array },
  '<i4': { type: 'int32', array: Int32Array },
  '<i8': { type: 'int64', array: BigInt64Array },
  '<f4': { type: 'float32', array: Float32Array },
};

function readNpy(path, raw) {
  if (raw[6] !== 1) throw new Error(`${path}: only .npy version 1.0 is read`);
  const headerLength = raw.readUInt16LE(8);
  const header = raw.toString('latin1', 10, 10 + headerLength);
  const descr = /'descr': *'([^']+)'/.exec(header)?.[1];
  const fortran = /'fortran_order': *(True|False)/.exec(header)?.[1];
  const shape = /'shape': *\(([^)]*)\)/.exec(header)?.[1];
  if (!TYPES[descr] || fortran !== 'False' || shape === undefined) {
    throw new Error(`${path}: unsupported .npy header: ${header.trim()}`);
  }
  const dims = shape.split(',').map((s) => s.trim()).filter(Boolean).map(Number);
  // The copy gives the typed array a start that suits its element size.
  const bytes = Uint8Array.from(raw.subarray(10 + headerLength));
  const data = new TYPES[descr].array(bytes.buffer);
  if (data.length !== dims.reduce((a, b) => a * b, 1)) {
    throw new Error(`${path}: the data do not fill the shape (${shape})`);
  }
  return { type: TYPES[descr].type, dims, data };
}

function readIdx(path, raw) {
  if (raw[2] !== 0x08) throw new Error(`${path}: only idx files of unsigned bytes are read`);
  const rank = raw[3];
  const dims = [];
  for (let i = 0; i < rank; ++i) dims.push(raw.readUInt32BE(4 + 4 * i));
  const data = Uint8Array.from(raw.subarray(4 + 4 * rank));
  if (data.length !== dims.reduce((a, b) => a * b, 1)) {
    throw new Error(`${path}: the data do not fill the shape (${dims})`);
  }
  return { type: 'uint8', dims, data };
}

export function readTensor(path) {
  const raw = fs.readFileSync(path);
  if (raw.length > 10 && raw.toString('latin1', 0, 6) === '\x93NUMPY') return readNpy(path, raw);
  if (raw.length > 4 && raw[0] === 0 && raw[1] === 0) return readIdx(path, raw);
  throw new Error(`${path}: neither a .npy nor an idx file`);
}

export function writeNpy(path, { type, dims, data }) {
  const descr = Object.keys(TYPES).find((key) => TYPES[key].type === type);
  if (!descr) throw new Error(`${path}: cannot store ${type}`);
  const shape = dims.length === 1 ? `${dims[0]},` : dims.join(', ');
  let header = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape}), }`;
  // The format asks for a newline at the end and for data aligned to 64 bytes.
  header += ' '.repeat(63 - ((10 + header.length) % 64)) + '\n';
  const preamble = Buffer.alloc(10);
  preamble.write('\x93NUMPY\x01\x00', 'latin1');
  preamble.writeUInt16LE(header.length, 8);
  fs.writeFileSync(path, Buffer.concat([
    preamble, Buffer.from(header, 'latin1'),
    Buffer.from(data.buffer, data.byteOffset, data.byteLength)]));
}
