// Verse to order, as masks; the twin of order.py, plan.py and rules.py in lstm_jax/text/forms.

import { encode, END } from "./vocabulary.mjs";

const FULL_STOPS = "。！？";
export const MARKS = `${FULL_STOPS}，；：、`;
const PAUSES = "，；？！";

// Classes of symbols, as bits.
const [CHARACTER, PAUSE, STOP, ENDS, MARK] = [1, 2, 4, 8, 16];

/** "5x4" -> {characters: 5, lines: 4}; null for what is no form. */
export function parseForm(text) {
  const found = /^([0-9]{1,3})x([0-9]{1,3})$/.exec(text);
  const [characters, lines] = found ? found.slice(1).map(Number) : [0, 0];
  return characters && lines ? { characters, lines } : null;
}

export const lengthOf = ({ characters, lines }) => (characters + 1) * lines;

export const isCharacter = (symbol) => /^[\p{L}\p{N}]$/u.test(symbol);

/** Give the line that is read before a poem, as a whole line. */
export const closedMood = (mood) => (!mood || MARKS.includes([...mood].pop()) ? mood : `${mood}。`);

/** Give the tables of an order; null where nothing is ruled. */
export function makePlan(vocabulary, { form, acrostic, acrosticBy }) {
  const shape = parseForm(form);
  if (!shape && !acrostic) return null;
  const step = acrosticBy === "couplet" ? 2 : 1;
  const heads = new Map(encode(vocabulary, acrostic).map((id, number) => [number * step, id]));
  const lines = shape ? shape.lines : heads.size * step;
  return { shape, lines, heads, classes: vocabulary.symbols.map(classOf) };
}

function classOf(symbol, id) {
  if (id === END) return ENDS;
  const among = (marks, bit) => (symbol && marks.includes(symbol) ? bit : 0);
  const character = isCharacter(symbol) ? CHARACTER : 0;
  return character | among(PAUSES, PAUSE) | among(FULL_STOPS, STOP) | among(MARKS, MARK);
}

/** Stand before the first symbol; `skip` are read before the poem. */
export const start = (skip) => ({ skip, line: 0, column: 0 });

export function advance(plan, { skip, line, column }, id) {
  if (skip) return { skip: skip - 1, line, column };
  if (plan.classes[id] & MARK) return { skip, line: line + 1, column: 0 };
  return { skip, line, column: column + 1 };
}

function kindAt({ shape, lines }, { line, column }) {
  const last = line === lines - 1;
  if (line >= lines) return ENDS;
  if (column < (shape ? shape.characters : 1)) return CHARACTER;
  if (shape) return last || line % 2 ? STOP : PAUSE;
  return CHARACTER | (last ? STOP : MARK);
}

/** Exclude what may not come next, in place. */
export function maskLogits(plan, place, logits) {
  const head = place.column === 0 ? plan.heads.get(place.line) : undefined;
  const kind = kindAt(plan, place);
  for (let id = 0; id < logits.length; id++) {
    const may = head === undefined ? plan.classes[id] & kind : id === head;
    if (!may) logits[id] = -Infinity;
  }
}

/** Find what is wrong with an order: a text's key and what it speaks of; null if nothing is. */
export function faultOf({ form, acrostic, acrosticBy, prompt }, most) {
  const shape = parseForm(form);
  const heads = [...acrostic];
  const step = acrosticBy === "couplet" ? 2 : 1;
  if (form && !shape) return ["fault.form", { form }];
  if (shape && lengthOf(shape) > most) return ["fault.long", { form, most }];
  const strange = heads.find((symbol) => !isCharacter(symbol));
  if (strange) return ["fault.head", { character: strange }];
  if (shape && (heads.length - 1) * step >= shape.lines) return ["fault.heads", { form }];
  const lines = shape ? shape.lines : heads.length * step;
  return lines
    ? promptFault(prompt, shape, lines, new Map(heads.map((h, n) => [n * step, h])))
    : null;
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
