// The equations of an LSTM; the twin of lstm_step in lstm_jax/cells.py.
//
//   z = x W_x + h W_h + b,  cut into i, f, g, o
//   i, f, o = σ(z)   g = tanh(z)   c = f c + i g   h = o tanh(c)

/** Transpose a matrix (rows, columns), so that each output reads contiguous memory. */
export function transpose({ shape: [rows, columns], data }) {
  const transposed = new Float32Array(data.length);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) transposed[c * rows + r] = data[r * columns + c];
  return { shape: [columns, rows], data: transposed };
}

/** Compute Σ_k matrix[row, k] x[k], in four sums that a processor can add in parallel. */
export function dot(data, row, x) {
  const size = x.length;
  const start = row * size;
  const whole = size - (size % 4);
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let k = 0; k < whole; k += 4) {
    a += data[start + k] * x[k];
    b += data[start + k + 1] * x[k + 1];
    c += data[start + k + 2] * x[k + 2];
    d += data[start + k + 3] * x[k + 3];
  }
  for (let k = whole; k < size; k++) a += data[start + k] * x[k];
  return a + b + (c + d);
}

/** Build a layer from its stored arrays, kernels (D, 4H) and (H, 4H). */
export function makeLayer(inputKernel, recurrentKernel, bias) {
  return {
    width: recurrentKernel.shape[0],
    input: transpose(inputKernel).data,
    recurrent: transpose(recurrentKernel).data,
    bias: bias.data,
  };
}

export const zeroState = ({ width }) => ({
  h: new Float32Array(width),
  c: new Float32Array(width),
});

const sigmoid = (z) => 1 / (1 + Math.exp(-z));

/** Compute one step: the new h and c, and the gates i, f, g, o. The old state does not change. */
export function lstmStep(layer, state, x) {
  const { width, input, recurrent, bias } = layer;
  const make = () => new Float32Array(width);
  const [i, f, g, o, h, c] = [make(), make(), make(), make(), make(), make()];
  const z = (row) => dot(input, row, x) + dot(recurrent, row, state.h) + bias[row];
  for (let unit = 0; unit < width; unit++) {
    i[unit] = sigmoid(z(unit));
    f[unit] = sigmoid(z(width + unit));
    g[unit] = Math.tanh(z(2 * width + unit));
    o[unit] = sigmoid(z(3 * width + unit));
    c[unit] = f[unit] * state.c[unit] + i[unit] * g[unit];
    h[unit] = o[unit] * Math.tanh(c[unit]);
  }
  return { h, c, i, f, g, o };
}
