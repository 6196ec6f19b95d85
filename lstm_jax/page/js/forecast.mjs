// The forecaster of the sine; the twin of lstm_jax/models/forecaster.py and of `make_roll` in
// lstm_jax/train/tasks/series/roll.py: each forecast reads a window from the zero state, and a
// forecast that has no true value stands in the window in its place.

import { dot, lstmStep, makeLayer, transpose, zeroState } from "./lstm.mjs";

export function makeForecaster(tensors, { window, scaler, target_scaler: aimed }) {
  const of = (name) => tensors[`lstm.layers.0.${name}`];
  return {
    layer: makeLayer(of("input_kernel"), of("recurrent_kernel"), of("bias")),
    kernel: transpose(tensors.output_kernel).data,
    bias: tensors.output_bias.data[0],
    window,
    read: { mean: scaler.mean[0], scale: scaler.scale[0] },
    said: { mean: aimed.mean[0], scale: aimed.scale[0] },
  };
}

/** Say what comes after a window of values. */
export function forecastNext({ layer, kernel, bias, read, said }, values) {
  let state = zeroState(layer);
  for (const value of values) {
    const x = Float32Array.of((value - read.mean) / read.scale);
    state = lstmStep(layer, state, x);
  }
  return (dot(kernel, 0, state.h) + bias) * said.scale + said.mean;
}

/** Forecast every value from `window` on; from index `turn` on by reading its own forecasts. */
export function roll(model, values, turn) {
  const read = values.slice();
  const said = new Array(values.length).fill(null);
  for (let at = model.window; at < values.length; at++) {
    said[at] = forecastNext(model, read.slice(at - model.window, at));
    if (at >= turn) read[at] = said[at];
  }
  return said;
}
