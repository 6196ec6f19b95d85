// Verse to order, as masks; the twin of plan.py and rules.py in lstm_jax/text/forms.
//
// Besides the line and the column, the symbols drawn so far affect only two sets: the tone patterns
// and the rhymes that are still open. A symbol is allowed if an open pattern or rhyme allows it,
// and it closes those that it does not fit.

import { FULL_STOPS, isCharacter, linesOf, MARKS } from "./order.mjs";
import { LEVEL, mayStand } from "./readings.mjs";
import { encode, END } from "./vocabulary.mjs";

const PAUSES = "，；？！";

// Classes of symbols, as bits.
const [CHARACTER, PAUSE, STOP, ENDS, MARK] = [1, 2, 4, 8, 16];

/** Build the tables of an order; null without rules. */
export function makePlan(vocabulary, order) {
  const { shape, heads, lines } = linesOf(order);
  if (!lines) return null;
  const { readings } = vocabulary;
  const ids = [...heads].map(([line, head]) => [line, encode(vocabulary, head)[0]]);
  const plan = { shape, lines, heads: new Map(ids), classes: vocabulary.symbols.map(classOf) };
  return {
    ...plan,
    readings,
    patterns: order.tones ? readings.patterns[order.form] : null,
    rhymesOf: order.rhyme ? usable(readings, lines, order.tones) : null,
  };
}

function classOf(symbol, id) {
  if (id === END) return ENDS;
  const among = (marks, bit) => (symbol && marks.includes(symbol) ? bit : 0);
  const character = isCharacter(symbol) ? CHARACTER : 0;
  return character | among(PAUSES, PAUSE) | among(FULL_STOPS, STOP) | among(MARKS, MARK);
}

/** Keep the rhymes of each symbol that have enough symbols; with tones, only level ones. */
function usable({ rhymesOf, level }, lines, tones) {
  const needed = Math.floor(lines / 2) + (tones ? 1 : 0);
  const sizes = level.map(() => 0);
  for (const rhymes of rhymesOf) for (const rhyme of rhymes) sizes[rhyme] += 1;
  const kept = sizes.map((size, rhyme) => size >= needed && (!tones || level[rhyme]));
  return rhymesOf.map((rhymes) => rhymes.filter((rhyme) => kept[rhyme]));
}

/**
 * Return the place before the first symbol. `skip` symbols are read before the poem, which begins
 * with `prompt`.
 */
export function start(plan, skip, prompt) {
  const place = { skip, line: 0, column: 0, spent: new Set() };
  return {
    ...place,
    patterns: plan.patterns && leastViolated(plan, prompt),
    rhymes: plan.rhymesOf && new Set(plan.rhymesOf.flat()),
  };
}

/** Find the tone patterns that are violated least by the characters known in advance. */
function leastViolated({ patterns, heads, classes, readings }, prompt) {
  const known = new Map([...heads].map(([line, id]) => [`${line} 0`, [line, 0, id]]));
  let [line, column] = [0, 0];
  for (const id of prompt) {
    known.set(`${line} ${column}`, [line, column, id]);
    [line, column] = classes[id] & MARK ? [line + 1, 0] : [line, column + 1];
  }
  const violations = (pattern) =>
    [...known.values()].filter(([l, c, id]) => !mayStand(readings, id, pattern[l]?.[c])).length;
  const counts = patterns.map(violations);
  return patterns.filter((_, number) => counts[number] === Math.min(...counts));
}

/** Return whether the next symbol rhymes, or "level" if it does only with a level tone. */
function rhymeAt({ shape, lines, patterns }, { line, column }) {
  if (line >= lines || column !== shape.characters - 1) return false;
  return line % 2 === 1 || (line === 0 && patterns !== null && "level");
}

export function advance(plan, place, id) {
  if (place.skip) return { ...place, skip: place.skip - 1 };
  const { line, column } = place;
  const next = plan.classes[id] & MARK ? { line: line + 1, column: 0 } : { column: column + 1 };
  return { ...place, ...next, ...narrowed(plan, place, id) };
}

/** Return the sets that a symbol changes; one that it fits nowhere stays as it was. */
function narrowed(plan, { line, column, patterns, rhymes, spent }, id) {
  const changed = {};
  if (patterns) {
    const fit = patterns.filter((pattern) => mayStand(plan.readings, id, pattern[line]?.[column]));
    if (fit.length) changed.patterns = fit;
  }
  const rhymed = rhymes && rhymeAt(plan, { line, column });
  if (rhymed === true || (rhymed === "level" && mayStand(plan.readings, id, LEVEL))) {
    const fit = plan.rhymesOf[id].filter((rhyme) => rhymes.has(rhyme));
    if (fit.length) changed.rhymes = new Set(fit);
    changed.spent = new Set(spent).add(id);
  }
  return changed;
}

function kindAt({ shape, lines }, { line, column }) {
  const last = line === lines - 1;
  if (line >= lines) return ENDS;
  if (column < (shape ? shape.characters : 1)) return CHARACTER;
  if (shape) return last || line % 2 ? STOP : PAUSE;
  return CHARACTER | (last ? STOP : MARK);
}

/** Return a test of whether a symbol of the right class fits the open tones and rhymes. */
function fits(plan, { line, column, patterns, rhymes, spent }) {
  const openTones = patterns && new Set(patterns.map((pattern) => pattern[line]?.[column]));
  const rhymed = rhymes && rhymeAt(plan, { line, column });
  const isLevel = (id) => mayStand(plan.readings, id, LEVEL);
  const inRhyme = (id) => !spent.has(id) && plan.rhymesOf[id].some((rhyme) => rhymes.has(rhyme));
  return (id) =>
    (!openTones || [...openTones].some((tone) => mayStand(plan.readings, id, tone))) &&
    (!rhymed || inRhyme(id) || (rhymed === "level" && !isLevel(id)));
}

/** Exclude the symbols that may not come next, in place. */
export function maskLogits(plan, place, logits) {
  const head = place.column === 0 ? plan.heads.get(place.line) : undefined;
  const kind = kindAt(plan, place);
  const fit = fits(plan, place);
  const may = (id) => (head === undefined ? plan.classes[id] & kind && fit(id) : id === head);
  for (let id = 0; id < logits.length; id++) if (!may(id)) logits[id] = -Infinity;
}
