// The worker, which holds the model and writes poems, so that the page stays responsive.
//
//   {weights, config, words}                 once; answered by {ready}
//   {slot, write: number, settings, gates}   {slot, write, step} for each symbol, then {..., done}
//   {slot, write: number, stop}              no more messages for this slot
//
// A newer message for a slot ends its older poem. Without `gates` a step has no states.

import { makeCharLM } from "./char_lm.mjs";
import { write } from "./poet.mjs";
import { readSafetensors } from "./safetensors.mjs";
import { makeVocabulary } from "./vocabulary.mjs";

let poet = null;
const latest = new Map();
let turn = Promise.resolve();

self.onmessage = ({ data }) => {
  if (data.weights) {
    const model = makeCharLM(readSafetensors(data.weights), data.config);
    poet = { model, vocabulary: makeVocabulary(data.words) };
    self.postMessage({ ready: true });
    return;
  }
  latest.set(data.slot, data.write);
  if (!data.stop) turn = turn.then(() => answer(data));
};

/** Let messages arrive between two symbols. */
const breathe = () => new Promise((resolve) => setTimeout(resolve));

async function answer({ slot, write: number, settings, gates }) {
  for (const step of write(poet.model, poet.vocabulary, settings)) {
    await breathe();
    if (latest.get(slot) !== number) return;
    self.postMessage({ slot, write: number, step: gates ? step : { ...step, states: undefined } });
  }
  self.postMessage({ slot, write: number, done: true });
}
