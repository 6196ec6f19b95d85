// The rules that can be ordered for a poem, and their checks; the twin of order.py in
// lstm_jax/text/forms.

export const FULL_STOPS = "。！？";
export const MARKS = `${FULL_STOPS}，；：、`;

/** "5x4" -> {characters: 5, lines: 4}; null for anything else. */
export function parseForm(text) {
  const match = /^([0-9]{1,3})x([0-9]{1,3})$/.exec(text);
  const [characters, lines] = match ? match.slice(1).map(Number) : [0, 0];
  return characters && lines ? { characters, lines } : null;
}

export const lengthOf = ({ characters, lines }) => (characters + 1) * lines;

export const isCharacter = (symbol) => /^[\p{L}\p{N}]$/u.test(symbol);

/** Return the form, the number of lines, and the first characters of lines by line number. */
export function linesOf({ form, acrostic, acrosticBy }) {
  const step = acrosticBy === "couplet" ? 2 : 1;
  const heads = new Map([...acrostic].map((head, number) => [number * step, head]));
  const shape = parseForm(form);
  return { shape, heads, lines: shape ? shape.lines : heads.size * step };
}

/** Return the line that is read before a poem, with a mark at its end. */
export const closedMood = (mood) => (!mood || MARKS.includes([...mood].pop()) ? mood : `${mood}。`);

/**
 * Find what is wrong with an order: the key of a text and its fields, or null if nothing is.
 * `most` is the maximum length of a poem, `readings` the tones and rhymes of characters.
 */
export function faultOf(order, most, readings) {
  const { form, acrostic, prompt, rhyme, tones } = order;
  const { shape, heads, lines } = linesOf(order);
  if (form && !shape) return ["fault.form", { form }];
  if (shape && lengthOf(shape) > most) return ["fault.long", { form, most }];
  const other = [...acrostic].find((symbol) => !isCharacter(symbol));
  if (other) return ["fault.head", { character: other }];
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
    const full = shape ? shape.characters : length;
    if (!length || length > full || (marked && length < full)) return ["fault.line", { line }];
    const head = heads.get(number) ?? symbols[0];
    if (symbols[0] !== head) return ["fault.begins", { line, head }];
  }
  return null;
}
