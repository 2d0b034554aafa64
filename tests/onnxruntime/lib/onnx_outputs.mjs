// Exposes intermediate tensors of an ONNX model as graph outputs, without a
// protobuf library: only the few fields needed are walked.

// Field numbers from onnx.proto.
const MODEL_GRAPH = 7;
const GRAPH_NODE = 1;
const GRAPH_OUTPUT = 12;
const NODE_OUTPUT = 2;
const NODE_OP_TYPE = 4;
const VALUE_INFO_NAME = 1;

function readVarint(bytes, position) {
  let value = 0;
  let factor = 1;
  for (;;) {
    const byte = bytes[position++];
    if (byte === undefined) throw new Error('truncated protobuf message');
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return [value, position];
    factor *= 128;
  }
}

// The length-delimited fields of one message, as [field number, bytes].
function* lengthDelimited(bytes) {
  for (let position = 0; position < bytes.length;) {
    let key;
    let value;
    [key, position] = readVarint(bytes, position);
    switch (key & 7) {
      case 0: [value, position] = readVarint(bytes, position); break;
      case 1: position += 8; break;
      case 5: position += 4; break;
      case 2:
        [value, position] = readVarint(bytes, position);
        if (position + value > bytes.length) throw new Error('truncated protobuf message');
        yield [Math.floor(key / 8), bytes.subarray(position, position + value)];
        position += value;
        break;
      default: throw new Error(`protobuf wire type ${key & 7} is not supported`);
    }
  }
}

const fields = (bytes, number) =>
  [...lengthDelimited(bytes)].filter(([field]) => field === number).map(([, value]) => value);
const text = (bytes) => Buffer.from(bytes).toString('utf8');

function message(number, payload) {
  const length = [];
  let rest = payload.length;
  do {
    length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest);
  return Buffer.concat([Buffer.from([number * 8 + 2, ...length]), payload]);
}

// Operators whose outputs are quantised tensors. MaxPool, Flatten and Reshape
// are decided by their input: they also run on float tensors.
const QUANTISED = new Set(['QuantizeLinear', 'QLinearConv', 'QLinearMatMul', 'QLinearAdd',
  'QLinearAveragePool', 'QLinearGlobalAveragePool']);
const TRANSPARENT = new Set(['MaxPool', 'Flatten', 'Reshape']);
const NODE_INPUT = 1;

/** Names of all quantised tensors that the graph computes, in node order. */
export function quantisedTensors(model) {
  const names = new Set();
  for (const graph of fields(model, MODEL_GRAPH)) {
    for (const node of fields(graph, GRAPH_NODE)) {
      const op = fields(node, NODE_OP_TYPE).map(text)[0];
      const input = fields(node, NODE_INPUT).map(text)[0];
      if (QUANTISED.has(op) || (TRANSPARENT.has(op) && names.has(input))) {
        names.add(fields(node, NODE_OUTPUT).map(text)[0]);
      }
    }
  }
  return [...names];
}

/** A copy of the model with the named tensors as further graph outputs. */
export function withOutputs(model, names) {
  const present = new Set(fields(model, MODEL_GRAPH)
    .flatMap((graph) => fields(graph, GRAPH_OUTPUT))
    .map((info) => text(fields(info, VALUE_INFO_NAME)[0])));
  const added = names.filter((name) => !present.has(name))
    .map((name) => message(GRAPH_OUTPUT, message(VALUE_INFO_NAME, Buffer.from(name))));
  // A parser merges a repeated occurrence of an embedded message into the
  // first one, so appending a graph that has only outputs adds the outputs.
  // Their types are left out; ONNX Runtime infers them.
  return added.length
    ? Buffer.concat([model, message(MODEL_GRAPH, Buffer.concat(added))]) : model;
}
