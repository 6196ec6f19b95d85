// A poem, symbol by symbol; the twin of `stream` in lstm_jax/text/language.py and of `decode` in
// lstm_jax/text/sampling.py. Symbol t of a poem is drawn with
//
//   uniform(foldIn(foldIn(makeKey(seed), 0), t))
//
// so that the first poem of a seed is the same in both.

import { initialState, nextLogits, readCharacter } from "./char_lm.mjs";
import { draw, massesOf } from "./filters.mjs";
import { advance, makePlan, maskLogits, start } from "./forms.mjs";
import { closedMood } from "./order.mjs";
import { foldIn, makeKey, uniform } from "./threefry.mjs";
import { encode, END, UNKNOWN } from "./vocabulary.mjs";

export const MAX_LENGTH = 120;
const SHOWN = 6;

/**
 * Yield each symbol that is read or written: {id, given, chance, others, states}. The states are
 * those after the symbol was read; `others` are [id, probability] of the likeliest symbols in its
 * place. The end of the poem comes last, without states.
 */
export function* write(model, vocabulary, settings) {
  const { prompt, mood, seed, temperature, topP } = settings;
  const before = [END, ...encode(vocabulary, closedMood(mood))];
  const plan = makePlan(vocabulary, settings);
  const promptIds = encode(vocabulary, prompt);
  let place = plan && start(plan, before.length, promptIds);
  let states = initialState(model);
  const read = (id) => {
    states = readCharacter(model, states, id);
    if (plan) place = advance(plan, place, id);
  };
  before.forEach(read);
  for (const id of promptIds) {
    read(id);
    yield { id, given: true, chance: null, others: [], states };
  }
  const key = foldIn(makeKey(seed), 0);
  for (let t = 0; t < MAX_LENGTH; t++) {
    const logits = nextLogits(model, states);
    logits[UNKNOWN] = -Infinity; // read but never written
    if (plan) maskLogits(plan, place, logits);
    const masses = massesOf(logits, temperature, topP);
    const id = draw(masses, uniform(foldIn(key, t)));
    const drawn = { id, given: false, ...likeliest(masses, id) };
    if (id === END) return yield drawn;
    read(id);
    yield { ...drawn, states };
  }
}

function likeliest(masses, id) {
  const whole = masses.reduce((sum, mass) => sum + mass, 0);
  const best = [];
  masses.forEach((mass, other) => {
    if (best.length === SHOWN && mass <= masses[best[SHOWN - 1]]) return;
    const at = best.findIndex((b) => masses[b] < mass);
    best.splice(at < 0 ? best.length : at, 0, other);
    if (best.length > SHOWN) best.pop();
  });
  const shown = best.filter((other) => masses[other] > 0);
  return {
    chance: masses[id] / whole,
    others: shown.map((other) => [other, masses[other] / whole]),
  };
}
