// Tones and rhymes of characters; the twin of readings.py and tones.py in lstm_jax/text/forms.

export const [LEVEL, OBLIQUE] = ["平", "仄"];

/**
 * Look up the rhymes of each symbol, by their numbers, and the tones that it may have. The tables
 * come from lstm_jax/page/words.py: rhymes as [level, characters], and patterns by form.
 */
export function makeReadings(symbols, { rhymes, patterns }) {
  const numbers = new Map();
  rhymes.forEach(([, characters], number) => {
    for (const symbol of characters) numbers.set(symbol, [...(numbers.get(symbol) ?? []), number]);
  });
  const level = rhymes.map(([isLevel]) => isLevel);
  const rhymesOf = symbols.map((symbol) => numbers.get(symbol) ?? []);
  const toneOf = (rhyme) => (level[rhyme] ? LEVEL : OBLIQUE);
  const tones = rhymesOf.map((own) => new Set(own.map(toneOf)));
  return { patterns, level, rhymesOf, tones };
}

/** Return whether a symbol fits a tone; 中 is either tone, and the end of a line has none. */
export const mayStand = ({ tones }, id, tone) =>
  (tone !== LEVEL && tone !== OBLIQUE) || tones[id].has(tone);
