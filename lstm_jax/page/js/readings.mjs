// Tones and rhymes of characters; the twin of readings.py and tones.py in lstm_jax/text/forms.

export const [LEVEL, OBLIQUE] = ["平", "仄"];

/**
 * Take the table of lstm_jax/page/words.py: rhymes as [level, characters], patterns by form.
 * Give of each symbol the rhymes it is of, by their numbers, and the tones that it may have.
 */
export function makeReadings(symbols, { rhymes, patterns }) {
  const of = new Map();
  rhymes.forEach(([, characters], number) => {
    for (const one of characters) of.set(one, [...(of.get(one) ?? []), number]);
  });
  const level = rhymes.map(([isLevel]) => isLevel);
  const rhymesOf = symbols.map((symbol) => of.get(symbol) ?? []);
  const tones = rhymesOf.map((own) => new Set(own.map((one) => (level[one] ? LEVEL : OBLIQUE))));
  return { patterns, level, rhymesOf, tones };
}

/** Whether a symbol may stand where a tone is wanted; 中 is either, and so is the end of a line. */
export const mayStand = ({ tones }, id, wanted) =>
  (wanted !== LEVEL && wanted !== OBLIQUE) || tones[id].has(wanted);
