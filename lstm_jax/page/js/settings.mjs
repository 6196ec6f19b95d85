// The settings of a poem, and how a link holds them in its fragment: #prompt=春&seed=7.

import { faultOf, parseForm } from "./order.mjs";
import { MAX_LENGTH } from "./poet.mjs";
import { toTraditional, unknownOf } from "./vocabulary.mjs";

const MAX_PROMPT = 1000;
const MAX_SHOWN = 12;

export const DEFAULTS = {
  prompt: "",
  form: "",
  seed: 0,
  temperature: 0.8,
  topP: 1,
  acrostic: "",
  acrosticBy: "line",
  mood: "",
  rhyme: false,
  tones: false,
  three: true,
  simplified: false,
};

const number = (least, most) => (text) => {
  const value = Number(text);
  return text.trim() !== "" && value >= least && value <= most ? value : undefined;
};
const choice = (values) => (text) => (Object.hasOwn(values, text) ? values[text] : undefined);
const flag = choice({ 1: true, 0: false });

/** Readers of the settings in a link; undefined is out of range. */
const READERS = {
  prompt: String,
  form: (text) => (text === "" || parseForm(text) ? text : undefined),
  seed: (text) => (isSeed(Number(text)) && text !== "" ? Number(text) : undefined),
  temperature: number(0.3, 1.5),
  topP: number(0.05, 1),
  acrostic: String,
  acrosticBy: choice({ line: "line", couplet: "couplet" }),
  mood: String,
  rhyme: flag,
  tones: flag,
  three: flag,
  simplified: flag,
};

const isSeed = (value) => Number.isInteger(value) && value >= 0 && value < 2 ** 32;

/** Read a fragment: its settings, and the names of those that are out of range. */
export function fromFragment(fragment) {
  const settings = {};
  const refused = [];
  for (const [name, text] of new URLSearchParams(fragment.replace(/^#/, ""))) {
    if (!Object.hasOwn(READERS, name)) continue;
    const value = READERS[name](text);
    if (value === undefined) refused.push(name);
    else settings[name] = value;
  }
  return { settings, refused };
}

/** Write the settings that are not the defaults, and the seed, as a fragment. */
export function toFragment(settings) {
  const changed = Object.entries(DEFAULTS).filter(
    ([name, value]) => name === "seed" || settings[name] !== value,
  );
  const text = (value) => (typeof value === "boolean" ? String(Number(value)) : String(value));
  return `#${new URLSearchParams(changed.map(([name]) => [name, text(settings[name])]))}`;
}

/** Return the settings with their texts in traditional script. */
export function inTraditional(vocabulary, settings) {
  const written = (name) => [name, toTraditional(vocabulary, settings[name])];
  return { ...settings, ...Object.fromEntries(["prompt", "acrostic", "mood"].map(written)) };
}

/** Find what is wrong: the key of a text and its fields, or null if nothing is. */
export function findFault(vocabulary, settings) {
  for (const name of ["prompt", "acrostic", "mood"]) {
    const length = [...settings[name]].length;
    if (length > MAX_PROMPT) return ["fault.tooLong", { length, most: MAX_PROMPT }];
  }
  if (!isSeed(settings.seed)) return ["fault.seed", {}];
  // Unknown characters are shown as they were typed, which may be in either script.
  for (const name of ["prompt", "acrostic", "mood"]) {
    const typed = [...settings[name]];
    const unknown = unknownOf(vocabulary, toTraditional(vocabulary, settings[name]));
    const asTyped = typed.filter(
      (symbol) => unknownOf(vocabulary, toTraditional(vocabulary, symbol)).length,
    );
    if (unknown.length) {
      const shown = [...new Set(asTyped.length ? asTyped : unknown)];
      const more = shown.length > MAX_SHOWN ? " …" : "";
      return ["fault.unknown", { characters: shown.slice(0, MAX_SHOWN).join(" ") + more }];
    }
  }
  return faultOf(inTraditional(vocabulary, settings), MAX_LENGTH, vocabulary.readings);
}

/** Return the temperatures at which a poem is written, among them the chosen one. */
export function temperaturesOf({ temperature, three }) {
  const tidy = (value) => Math.round(Math.max(value, 0.1) * 100) / 100;
  if (!three) return [temperature];
  return [tidy(temperature - 0.3), temperature, tidy(temperature + 0.3)];
}
