// Characters <-> ids, and the two scripts; twins of lstm_jax/models/vocabulary.py and
// lstm_jax/text/script.py. lstm_jax/page/words.py makes the tables when the page is built.

import { makeReadings } from "./readings.mjs";

export const END = 0;
export const UNKNOWN = 1;

export function makeVocabulary(words) {
  const symbols = ["", "", ...words.characters];
  return {
    symbols,
    ids: new Map(symbols.map((symbol, id) => [symbol, id]).slice(2)),
    simplified: new Map([...cut(words.simplified, 1), ...cut(words.simplifiedPairs, 2)]),
    traditional: new Map([...cut(words.traditional, 1), ...cut(words.traditionalPairs, 2)]),
    readings: words.readings && makeReadings(symbols, words.readings),
  };
}

/** "aAbB" -> [["a", "A"], ["b", "B"]], or with a size of two, "abAB" -> [["ab", "AB"]] */
function* cut(text, size) {
  const all = [...text];
  for (let at = 0; at < all.length; at += 2 * size)
    yield [all.slice(at, at + size).join(""), all.slice(at + size, at + 2 * size).join("")];
}

export const encode = ({ ids }, text) => [...text].map((symbol) => ids.get(symbol) ?? UNKNOWN);

/** Return the characters that the model does not know, each once. */
export const unknownOf = ({ ids }, text) => [
  ...new Set([...text].filter((symbol) => !ids.has(symbol))),
];

/** Write a text in traditional script; a text that is already traditional does not change. */
export const toTraditional = ({ simplified, traditional }, text) =>
  convert(simplified, text) === text ? convert(traditional, text) : text;

export const toSimplified = ({ simplified }, text) => convert(simplified, text);

/** Convert a text from its beginning, by pairs if the table has them, else by characters. */
function convert(table, text) {
  const symbols = [...text];
  let converted = "";
  for (let at = 0; at < symbols.length; at++) {
    const pair = table.get(symbols[at] + symbols[at + 1]);
    converted += pair ?? table.get(symbols[at]) ?? symbols[at];
    if (pair) at += 1;
  }
  return converted;
}
