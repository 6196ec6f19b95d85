// Safetensors files: eight bytes with the length of a JSON header, the header, the arrays.

/** Read every array as a Float32Array: {name: {shape, data}}. */
export function readSafetensors(buffer) {
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  const tensors = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const [from, to] = entry.data_offsets.map((offset) => offset + 8 + length);
    tensors[name] = { shape: entry.shape, data: asFloats(buffer.slice(from, to), entry.dtype) };
  }
  for (const name of Object.keys(tensors).filter((name) => name.endsWith(SCALE))) {
    multiply(tensors[name.slice(0, -SCALE.length)], tensors[name]);
    delete tensors[name];
  }
  return tensors;
}

/** Ending of the names of scales; the twin of lstm_jax/models/quantization.py. */
const SCALE = ".scale";

/** Multiply a matrix, in place, by a scale for each of its rows or of its columns. */
function multiply({ shape, data }, scales) {
  const [rows, columns] = shape.slice(-2);
  const byRow = scales.shape.at(-1) === 1;
  for (let at = 0; at < data.length; at++) {
    const column = Math.floor(at / (rows * columns)) * columns + (at % columns);
    data[at] *= scales.data[byRow ? Math.floor(at / columns) : column];
  }
}

function asFloats(buffer, dtype) {
  if (dtype === "F32") return new Float32Array(buffer);
  if (dtype === "F16") {
    const halves = new Uint16Array(buffer);
    const floats = new Float32Array(halves.length);
    // A plain loop, because seven million function calls would take seconds.
    for (let at = 0; at < halves.length; at++) floats[at] = HALVES[halves[at]];
    return floats;
  }
  if (dtype === "I8") return Float32Array.from(new Int8Array(buffer));
  throw new Error(`no reader for weights of ${dtype}`);
}

/** All half-precision numbers, by their bits. */
const HALVES = Float32Array.from({ length: 65536 }, (_, bits) => {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = (bits & 1023) / 1024;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? (1 + fraction) * 2 ** (exponent - 15) : fraction * 2 ** -14);
});
