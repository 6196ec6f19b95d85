// Answers one question of a test about the page's engine: JSON in on stdin, JSON out on stdout.
//   {weights: path, config, words, ask: "logits" | "poems" | "uniforms" | "sine" | "classes" | ...}

import { readFileSync } from "node:fs";
import {
  initialState,
  makeCharLM,
  nextLogits,
  readCharacter,
} from "../../lstm_jax/page/js/char_lm.mjs";
import { massesOf } from "../../lstm_jax/page/js/filters.mjs";
import { makeForecaster, roll } from "../../lstm_jax/page/js/forecast.mjs";
import { advance, makePlan, maskLogits, start } from "../../lstm_jax/page/js/forms.mjs";
import { faultOf, isCharacter } from "../../lstm_jax/page/js/order.mjs";
import { write } from "../../lstm_jax/page/js/poet.mjs";
import { readSafetensors } from "../../lstm_jax/page/js/safetensors.mjs";
import { DEFAULTS, fromFragment, temperaturesOf } from "../../lstm_jax/page/js/settings.mjs";
import { foldIn, makeKey, uniform } from "../../lstm_jax/page/js/threefry.mjs";
import {
  encode,
  makeVocabulary,
  toSimplified,
  toTraditional,
} from "../../lstm_jax/page/js/vocabulary.mjs";

const question = JSON.parse(readFileSync(0, "utf-8"));
const floats = (values) => Array.from(values, (value) => (Number.isFinite(value) ? value : null));

function tensors() {
  const { buffer, byteOffset, byteLength } = readFileSync(question.weights);
  return readSafetensors(buffer.slice(byteOffset, byteOffset + byteLength));
}

const ANSWERS = {
  logits({ texts, config, words }) {
    const [model, vocabulary] = [makeCharLM(tensors(), config), makeVocabulary(words)];
    return texts.map((text) => {
      let states = initialState(model);
      return [0, ...encode(vocabulary, text)].map((id) => {
        states = readCharacter(model, states, id);
        return floats(nextLogits(model, states));
      });
    });
  },
  poems({ settings, config, words }) {
    const [model, vocabulary] = [makeCharLM(tensors(), config), makeVocabulary(words)];
    const began = process.cpuUsage();
    let count = 0;
    const poems = settings.map((one) => {
      const steps = [...write(model, vocabulary, one)];
      count += steps.length;
      return steps.map(({ id }) => vocabulary.symbols[id]).join("");
    });
    return { poems, rate: (1e6 * count) / process.cpuUsage(began).user };
  },
  uniforms: ({ seeds, steps }) =>
    seeds.map((seed) => steps.map((step) => uniform(foldIn(foldIn(makeKey(seed), 0), step)))),
  masses: ({ logits, temperature, topP }) =>
    floats(
      massesOf(
        Float32Array.from(logits, (x) => x ?? -Infinity),
        temperature,
        topP,
      ),
    ),
  characters: ({ symbols }) => symbols.map(isCharacter),
  /** What may follow each beginning of the poems, marks and all; the end is "". */
  followers({ order, poems, words }) {
    const vocabulary = makeVocabulary(words);
    const plan = makePlan(vocabulary, order);
    return poems.map((poem) => {
      let place = start(plan, 1, encode(vocabulary, order.prompt));
      return [0, ...encode(vocabulary, poem)].map((id) => {
        place = advance(plan, place, id);
        const logits = new Float32Array(vocabulary.symbols.length);
        maskLogits(plan, place, logits);
        return vocabulary.symbols.filter((_, id) => logits[id] === 0);
      });
    });
  },
  faults({ orders, words }) {
    const { readings } = makeVocabulary(words);
    return orders.map((order) => faultOf(order, 120, readings)?.[0] ?? null);
  },
  /** What a link says, and the temperatures at which the page then writes. */
  links: ({ links }) =>
    links.map((link) => {
      const { settings, refused } = fromFragment(link);
      return { settings, refused, temperatures: temperaturesOf({ ...DEFAULTS, ...settings }) };
    }),
  scripts({ words, texts }) {
    const vocabulary = makeVocabulary(words);
    return texts.map((text) => [toTraditional(vocabulary, text), toSimplified(vocabulary, text)]);
  },
  sine: ({ description, values, turn }) =>
    roll(makeForecaster(tensors(), description), values, turn),
};

process.stdout.write(JSON.stringify(ANSWERS[question.ask](question)));
