// The character model; the twin of lstm_jax/models/char_lm.py.
//
//   e = E[id]     h = LSTM(e)     logits = (h P) Eᵀ + b

import { dot, lstmStep, makeLayer, transpose, zeroState } from "./lstm.mjs";

export function makeCharLM(tensors, { num_layers: count, connections }) {
  if (connections) throw new Error(`no reader for layers with ${connections} connections`);
  const layers = Array.from({ length: count }, (_, index) => {
    const tensor = (name) => tensors[`lstm.layers.${index}.${name}`];
    return makeLayer(tensor("input_kernel"), tensor("recurrent_kernel"), tensor("bias"));
  });
  return {
    layers,
    embedding: tensors.embedding,
    projection: transpose(tensors.projection),
    bias: tensors.output_bias.data,
  };
}

export const initialState = (model) => model.layers.map(zeroState);

/** Read one character; return a state for each layer, which includes the gates. */
export function readCharacter(model, states, id) {
  const width = model.embedding.shape[1];
  let x = model.embedding.data.subarray(id * width, (id + 1) * width);
  return model.layers.map((layer, index) => {
    const state = lstmStep(layer, states[index], x);
    x = state.h;
    return state;
  });
}

/** Compute the logits of the next character, (V,). */
export function nextLogits({ projection, embedding, bias }, states) {
  const { h } = states[states.length - 1];
  const feature = Float32Array.from({ length: projection.shape[0] }, (_, row) =>
    dot(projection.data, row, h),
  );
  return Float32Array.from(bias, (b, id) => dot(embedding.data, id, feature) + b);
}
