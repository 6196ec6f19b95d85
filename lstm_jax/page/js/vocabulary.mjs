// Characters <-> ids, and the two scripts; twins of lstm_jax/models/vocabulary.py and
// lstm_jax/text/script.py. The scripts' table is made when the page is built.

export const END = 0;
export const UNKNOWN = 1;

export function makeVocabulary({ characters, simplified, traditional }) {
  const symbols = ["", "", ...characters];
  return {
    symbols,
    ids: new Map(symbols.map((symbol, id) => [symbol, id]).slice(2)),
    simplified: new Map(pairs(simplified)),
    traditional: new Map(pairs(traditional)),
  };
}

/** "aAbB" -> [["a", "A"], ["b", "B"]] */
function pairs(text) {
  const all = [...text];
  return all.filter((_, at) => at % 2 === 0).map((from, at) => [from, all[2 * at + 1]]);
}

export const encode = ({ ids }, text) => [...text].map((symbol) => ids.get(symbol) ?? UNKNOWN);

/** The characters that the model does not know, each once. */
export const unknownOf = ({ ids }, text) => [
  ...new Set([...text].filter((symbol) => !ids.has(symbol))),
];

/** Write a text in traditional script; one that has a traditional character stays as it is. */
export function toTraditional({ simplified, traditional }, text) {
  const symbols = [...text];
  if (symbols.some((symbol) => simplified.has(symbol))) return text;
  return symbols.map((symbol) => traditional.get(symbol) ?? symbol).join("");
}

export const toSimplified = ({ simplified }, text) =>
  [...text].map((symbol) => simplified.get(symbol) ?? symbol).join("");
