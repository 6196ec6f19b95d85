// The section where poems are written: the order and its faults, copying and sharing.

import { copied, fill, find } from "./dom.mjs";
import { addStep, makePoems, relabelPoems, textOf } from "./poems.mjs";
import {
  DEFAULTS,
  findFault,
  fromFragment,
  inTraditional,
  temperaturesOf,
  toFragment,
} from "./settings.mjs";

const FORMS = ["5x4", "7x4", "5x8", "7x8"];
const RULES = ["rhyme", "tones"]; // these need the table of rhymes
const anySeed = () => crypto.getRandomValues(new Uint32Array(1))[0] % 100000;

/**
 * Make the section. `page` has say, vocabulary, settings and worker; `watch`, another section,
 * receives each step of the poem at the chosen temperature.
 */
export function makeWrite(page, watch) {
  let [poems, main, number, ready, seedIsNew] = [[], 0, 0, false, false];
  let status = "write.loading";
  let ignored = []; // settings of the link that are out of range

  const field = (name) => find(name);
  const names = Object.keys(DEFAULTS);

  function show(settings) {
    for (const name of names) {
      const input = field(name);
      if (input.type === "checkbox") input.checked = settings[name];
      else input.value = settings[name];
    }
    showValues();
  }

  function showValues() {
    for (const name of ["temperature", "topP"])
      find(`${name}-value`).textContent = Number(field(name).value).toFixed(2);
  }

  function readForm() {
    const valueOf = (input) => {
      if (input.type === "checkbox") return input.checked;
      if (input.type === "range") return Number(input.value);
      return input.type === "number"
        ? input.value === ""
          ? NaN
          : Number(input.value)
        : input.value;
    };
    page.settings = Object.fromEntries(names.map((name) => [name, valueOf(field(name))]));
    showValues();
    ignored = [];
    return check();
  }

  function check() {
    const fault = findFault(page.vocabulary, page.settings);
    const note = ignored.length ? ["fault.link", { name: ignored.join(", ") }] : null;
    find("fault").textContent = fault || note ? page.say(...(fault ?? note)) : "";
    find("go").disabled = Boolean(fault);
    return !fault;
  }

  function write() {
    if (!ready) return;
    const temperatures = temperaturesOf(page.settings);
    main = temperatures.indexOf(page.settings.temperature);
    poems = makePoems(page, temperatures);
    find("others").textContent = page.say("write.hint");
    number += 1;
    const settings = inTraditional(page.vocabulary, page.settings);
    const post = (slot) =>
      page.worker.postMessage({
        slot,
        write: number,
        gates: slot === main,
        settings: { ...settings, temperature: temperatures[slot] },
      });
    // The chosen temperature comes first, because its poem is the one that is watched.
    post(main);
    poems.forEach((_, slot) => slot !== main && post(slot));
    for (let slot = poems.length; slot < 3; slot++)
      page.worker.postMessage({ slot, write: number, stop: true });
  }

  function hear({ slot, write: poem, step, done }) {
    if (poem !== number) return;
    if (done) return poems[slot].verse.classList.add("whole");
    addStep(page, poems[slot], step);
    if (slot === main && step.states) watch.hear(poems[main].steps.filter(({ states }) => states));
  }

  function tell(key) {
    status = key;
    find("status").textContent = key && page.say(key);
  }

  const copy = async (text, done, refused) => tell((await copied(text)) ? done : refused);

  function open() {
    const { settings, refused } = fromFragment(location.hash);
    if (!page.vocabulary.readings) {
      refused.push(...RULES.filter((name) => settings[name]));
      for (const name of RULES) settings[name] = false;
    }
    page.settings = { ...DEFAULTS, seed: anySeed(), ...settings };
    relabelForm();
    show(page.settings);
    ignored = refused;
    return check();
  }

  function relabelForm() {
    const { form } = page.settings;
    const all = form && !FORMS.includes(form) ? [...FORMS, form] : FORMS;
    const named = all.map((name) => {
      const [characters, lines] = name.split("x");
      const key = FORMS.includes(name) ? `form.${name}` : "form.other";
      return [name, page.say(key, { characters, lines })];
    });
    fill(field("form"), [["", page.say("write.free")], ...named]);
    fill(
      field("acrosticBy"),
      ["line", "couplet"].map((by) => [by, page.say(`write.${by}`)]),
    );
  }

  if (!page.vocabulary.readings) {
    for (const name of RULES) field(name).disabled = true;
    find("no-table").hidden = false;
  }

  const order = find("order");
  order.addEventListener("input", (event) => {
    readForm();
    if (event.target !== field("simplified")) return;
    relabelPoems(page, poems);
    watch.relabel();
  });
  order.addEventListener("change", (event) => {
    if (event.target === field("seed")) seedIsNew = true;
    if (readForm() && event.target !== field("simplified")) write();
  });
  order.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!readForm()) return;
    if (!seedIsNew) field("seed").value = anySeed();
    seedIsNew = false;
    readForm();
    write();
  });
  find("copy").addEventListener(
    "click",
    () => poems[main] && copy(textOf(page, poems[main]), "write.copied", "write.uncopied"),
  );
  find("share").addEventListener("click", () => {
    history.replaceState(null, "", toFragment(page.settings));
    copy(location.href, "write.shared", "write.unshared");
  });
  window.addEventListener("hashchange", () => location.hash.includes("=") && open() && write());

  return {
    open,
    hear,
    tell,
    start() {
      ready = true;
      tell("");
      if (check()) write();
    },
    relabel() {
      relabelForm();
      check();
      tell(status);
      relabelPoems(page, poems);
    },
  };
}
