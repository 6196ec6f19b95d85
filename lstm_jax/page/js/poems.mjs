// Poems on the page: a card for each, a button for each character, and its likeliest alternatives.

import { find, make, percent } from "./dom.mjs";
import { linesOf, MARKS } from "./order.mjs";
import { END, toSimplified } from "./vocabulary.mjs";

const FEWEST = 4; // lines a card has room for, at least, so that the first are not too large

/** Show empty cards, one for each temperature. `page` has say, vocabulary and settings. */
export function makePoems(page, temperatures) {
  const poems = temperatures.map((temperature) => {
    const verse = make("div", { className: "verse", lang: "zh-Hant" });
    verse.setAttribute("role", "group");
    makeRoom(verse, linesOf(page.settings).lines);
    const poem = { temperature, steps: [], verse, caption: make("p"), chosen: 0 };
    verse.addEventListener("keydown", (event) => walk(page, poem, event));
    return poem;
  });
  const cards = poems.map(({ verse, caption }) =>
    make("div", { className: "poem" }, verse, caption),
  );
  find("poems").classList.toggle("one", poems.length === 1);
  find("poems").replaceChildren(...cards);
  poems.forEach((poem) => nameCard(page, poem));
  return poems;
}

/** Append a character to a poem. */
export function addStep(page, poem, step) {
  poem.steps.push(step);
  if (step.id === END) return;
  const at = poem.steps.length - 1;
  const before = poem.steps[at - 1];
  if (!before || MARKS.includes(page.vocabulary.symbols[before.id])) {
    poem.verse.append(make("span", { className: "line" }));
    makeRoom(poem.verse, poem.verse.children.length);
  }
  const button = make("button", { type: "button", tabIndex: at ? -1 : 0 });
  button.classList.toggle("given", step.given);
  const choose = () => chooseStep(page, poem, at);
  for (const kind of ["pointerenter", "focus", "click"]) button.addEventListener(kind, choose);
  poem.verse.lastElementChild.append(button);
  nameCharacters(page, poem);
}

/** Tell the style sheet how many lines must fit side by side, from which it chooses the size. */
function makeRoom(verse, lines) {
  const room = Math.max(FEWEST, lines, Number(verse.style.getPropertyValue("--lines")));
  verse.style.setProperty("--lines", room);
}

/** Write the characters and captions again after the script or the language has changed. */
export function relabelPoems(page, poems) {
  for (const poem of poems) {
    nameCard(page, poem);
    nameCharacters(page, poem);
  }
  const poem = poems.find(({ verse }) => verse.querySelector(".chosen"));
  if (poem) chooseStep(page, poem, poem.chosen);
  else if (poems.length) find("others").textContent = page.say("write.hint");
}

/** Return the text of a poem, with a line break after each full stop. */
export const textOf = (page, { steps }) =>
  shown(page, steps).replace(/[。！？](?=.)/gu, "$&\n");

/** Return the characters of some steps, in the chosen script. */
export function shown({ vocabulary, settings }, steps) {
  const text = steps.map(({ id }) => vocabulary.symbols[id]).join("");
  return settings.simplified ? toSimplified(vocabulary, text) : text;
}

const buttonsOf = ({ verse }) => verse.querySelectorAll("button");

/** Write every character, because in simplified script the last may change the one before it. */
function nameCharacters(page, poem) {
  const characters = [...shown(page, poem.steps)];
  buttonsOf(poem).forEach((button, at) => {
    if (button.textContent !== characters[at]) button.textContent = characters[at];
  });
}

function nameCard(page, { temperature, verse, caption }) {
  caption.textContent = page.say("write.at", { temperature: temperature.toFixed(2) });
  verse.setAttribute("aria-label", page.say("write.poem", { temperature: temperature.toFixed(2) }));
}

function chooseStep(page, poem, at) {
  for (const other of document.querySelectorAll(".verse .chosen")) other.classList.remove("chosen");
  const buttons = buttonsOf(poem);
  buttons[poem.chosen].tabIndex = -1;
  poem.chosen = at;
  buttons[at].tabIndex = 0;
  buttons[at].classList.add("chosen");
  const { id, given, chance, others } = poem.steps[at];
  const nameOf = (other) => shown(page, [{ id: other }]) || page.say("write.end");
  const character = buttons[at].textContent;
  if (given) {
    find("others").textContent = page.say("write.given", { character });
    return;
  }
  const items = others.map(([other, share]) =>
    make(
      "li",
      { className: other === id ? "drawn" : "" },
      make("b", { lang: "zh-Hant" }, nameOf(other)),
      percent(share),
      make("meter", { value: share, ariaHidden: "true" }),
    ),
  );
  const fields = { character, chance: percent(chance) };
  find("others").replaceChildren(page.say("write.others", fields), make("ol", {}, ...items));
}

/** Move along a line with up and down, and also with left and right, for screen readers. */
function walk(page, poem, event) {
  const moves = { ArrowDown: 1, ArrowLeft: 1, ArrowUp: -1, ArrowRight: -1 };
  const buttons = buttonsOf(poem);
  const next = buttons[poem.chosen + moves[event.key]];
  if (!next) return;
  event.preventDefault();
  next.focus();
}
