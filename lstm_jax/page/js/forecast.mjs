// The forecaster of the sine; the twin of lstm_jax/models/forecaster.py and of `make_roll` in
// lstm_jax/train/tasks/series/roll.py: each forecast reads a window from the zero state, and where
// the window has no true value, the forecast takes its place.

import { dot, lstmStep, makeLayer, transpose, zeroState } from "./lstm.mjs";

export function makeForecaster(tensors, { window, scaler, target_scaler: targetScaler }) {
  const tensor = (name) => tensors[`lstm.layers.0.${name}`];
  return {
    layer: makeLayer(tensor("input_kernel"), tensor("recurrent_kernel"), tensor("bias")),
    kernel: transpose(tensors.output_kernel).data,
    bias: tensors.output_bias.data[0],
    window,
    input: { mean: scaler.mean[0], scale: scaler.scale[0] },
    output: { mean: targetScaler.mean[0], scale: targetScaler.scale[0] },
  };
}

/** Forecast the value after a window of values. */
export function forecastNext({ layer, kernel, bias, input, output }, values) {
  let state = zeroState(layer);
  for (const value of values) {
    const x = Float32Array.of((value - input.mean) / input.scale);
    state = lstmStep(layer, state, x);
  }
  return (dot(kernel, 0, state.h) + bias) * output.scale + output.mean;
}

/** Forecast every value from `window` on, reading its own forecasts from index `turn` on. */
export function roll(model, values, turn) {
  const inputs = values.slice();
  const forecasts = new Array(values.length).fill(null);
  for (let at = model.window; at < values.length; at++) {
    forecasts[at] = forecastNext(model, inputs.slice(at - model.window, at));
    if (at >= turn) inputs[at] = forecasts[at];
  }
  return forecasts;
}
