// What can be ordered of a poem, and what is wrong with it; the twin of order.py in
// lstm_jax/text/forms.

export const FULL_STOPS = "。！？";
export const MARKS = `${FULL_STOPS}，；：、`;

/** "5x4" -> {characters: 5, lines: 4}; null for what is no form. */
export function parseForm(text) {
  const found = /^([0-9]{1,3})x([0-9]{1,3})$/.exec(text);
  const [characters, lines] = found ? found.slice(1).map(Number) : [0, 0];
  return characters && lines ? { characters, lines } : null;
}

export const lengthOf = ({ characters, lines }) => (characters + 1) * lines;

export const isCharacter = (symbol) => /^[\p{L}\p{N}]$/u.test(symbol);

/** The number of lines, and the characters that some of them begin with, by the line's number. */
export function linesOf({ form, acrostic, acrosticBy }) {
  const step = acrosticBy === "couplet" ? 2 : 1;
  const heads = new Map([...acrostic].map((head, number) => [number * step, head]));
  const shape = parseForm(form);
  return { shape, heads, lines: shape ? shape.lines : heads.size * step };
}

/** Give the line that is read before a poem, as a whole line. */
export const closedMood = (mood) => (!mood || MARKS.includes([...mood].pop()) ? mood : `${mood}。`);

/**
 * Find what is wrong with an order: a text's key and what it speaks of; null if nothing is.
 * `most` is the longest poem, `readings` the tones and rhymes of characters.
 */
export function faultOf(order, most, readings) {
  const { form, acrostic, prompt, rhyme, tones } = order;
  const { shape, heads, lines } = linesOf(order);
  if (form && !shape) return ["fault.form", { form }];
  if (shape && lengthOf(shape) > most) return ["fault.long", { form, most }];
  const strange = [...acrostic].find((symbol) => !isCharacter(symbol));
  if (strange) return ["fault.head", { character: strange }];
  if (shape && Math.max(0, ...heads.keys()) >= lines) return ["fault.heads", { form }];
  if (rhyme || tones) {
    if (!shape) return ["fault.noForm", {}];
    if (rhyme && lines < 4) return ["fault.noRhyme", { form }];
    if (tones && !readings.patterns[form]) return ["fault.noPattern", { form }];
  }
  return lines ? promptFault(prompt, shape, lines, heads) : null;
}

function promptFault(prompt, shape, lines, heads) {
  const cut = prompt.match(new RegExp(`[^${MARKS}]+[${MARKS}]?|[${MARKS}]`, "gu")) ?? [];
  if (cut.length > lines) return ["fault.lines", { lines }];
  for (const [number, line] of cut.entries()) {
    const symbols = [...line];
    const marked = MARKS.includes(symbols[symbols.length - 1]);
    const length = symbols.length - (marked ? 1 : 0);
    const wanted = shape ? shape.characters : length;
    if (!length || length > wanted || (marked && length < wanted)) return ["fault.line", { line }];
    const head = heads.get(number) ?? symbols[0];
    if (symbols[0] !== head) return ["fault.begins", { line, head }];
  }
  return null;
}
