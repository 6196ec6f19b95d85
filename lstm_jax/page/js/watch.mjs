// The section that shows the gates and states of the poem being written.

import { channels, fit } from "./canvas.mjs";
import { coalesced, fill, find, make } from "./dom.mjs";
import { shown } from "./poems.mjs";

const PANELS = [
  ["f", "blue"],
  ["i", "accent"],
  ["o", "green"],
  ["g", null],
  ["c", null],
  ["h", null],
];
const ROWS = 64;
const PACE = 180; // milliseconds per character while playing

export function makeWatch(page) {
  let [steps, now, playing] = [[], 0, null];
  const sums = []; // of each layer's forget gates, over all characters since the page was opened
  const panels = PANELS.map(([name, hue]) => {
    const [title, mean, canvas] = [make("b"), make("span"), make("canvas")];
    canvas.setAttribute("role", "img");
    const figure = make("figure", {}, make("figcaption", {}, title, mean), canvas);
    return { name, hue, title, mean, canvas, figure };
  });
  find("gates").append(...panels.map(({ figure }) => figure));

  const draw = coalesced(() => {
    if (!steps.length) return;
    const layer = Number(find("layer").value || 0);
    const order = byTimescale(sums[layer]);
    for (const panel of panels) drawPanel(page, panel, steps, now, layer, order);
    [...find("read").children].forEach((button, at) => {
      button.className = at === now ? "now" : at < now ? "past" : "";
      button.setAttribute("aria-pressed", String(at === now));
      button.tabIndex = at === now ? 0 : -1;
    });
    find("step").setAttribute("aria-valuetext", find("read").children[now].textContent);
    find("step").max = steps.length - 1;
    find("step").value = now;
  });

  function go(to) {
    now = Math.min(Math.max(to, 0), steps.length - 1);
    draw();
  }

  function pause() {
    clearInterval(playing);
    playing = null;
    find("play").textContent = page.say("watch.play");
  }

  function play() {
    if (now >= steps.length - 1) now = 0;
    playing = setInterval(() => (now < steps.length - 1 ? go(now + 1) : pause()), PACE);
    find("play").textContent = page.say("watch.pause");
    draw();
  }

  function nameSteps() {
    const buttonOf = (character, at) => {
      const button = make("button", { type: "button" }, character);
      button.addEventListener("click", () => (pause(), go(at)));
      return button;
    };
    find("read").replaceChildren(...[...shown(page, steps)].map(buttonOf));
  }

  function relabel() {
    for (const { name, title } of panels) title.textContent = page.say(`watch.${name}`);
    const layers = page.layers.map((_, at) => [
      at,
      page.say("watch.layerName", { number: at + 1 }),
    ]);
    fill(find("layer"), layers);
    find("play").textContent = page.say(playing ? "watch.pause" : "watch.play");
    nameSteps();
    draw();
  }

  find("play").addEventListener("click", () => (playing ? pause() : steps.length && play()));
  find("read").addEventListener("keydown", ({ key }) => {
    const next = find("read").children[now + ({ ArrowRight: 1, ArrowLeft: -1 }[key] ?? NaN)];
    next?.click();
    next?.focus();
  });
  find("step").addEventListener("input", () => (pause(), go(Number(find("step").value))));
  find("layer").addEventListener("change", draw);

  return {
    relabel,
    draw,
    /** Show the steps of a poem so far; the last is new. */
    hear(all) {
      if (playing) pause();
      steps = all;
      steps[steps.length - 1].states.forEach(({ f }, layer) => {
        sums[layer] ??= new Float64Array(f.length);
        f.forEach((value, unit) => (sums[layer][unit] += value));
      });
      nameSteps();
      go(steps.length - 1);
    },
  };
}

/** Sort units by their mean forget gate, and so by their timescale, longest first. */
const byTimescale = (sums) => [...sums.keys()].sort((a, b) => sums[b] - sums[a]);

function drawPanel(page, { name, hue, mean, canvas }, steps, now, layer, order) {
  const paint = hue ? ramp(channels(hue)) : signed(channels("blue"), channels("accent"));
  const image = new ImageData(steps.length, ROWS);
  const size = order.length / ROWS;
  for (let at = 0; at <= now; at++) {
    const values = steps[at].states[layer][name];
    for (let row = 0; row < ROWS; row++) {
      let sum = 0;
      const [from, to] = [Math.floor(row * size), Math.floor((row + 1) * size)];
      for (let rank = from; rank < to; rank++) sum += values[order[rank]];
      image.data.set([...paint(sum / (to - from)), 255], 4 * (row * steps.length + at));
    }
  }
  const { context, width, height } = fit(canvas);
  const small = make("canvas", { width: steps.length, height: ROWS });
  small.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, width, height);
  const column = width / steps.length;
  context.strokeStyle = `rgb(${channels("ink").join(" ")})`;
  context.lineWidth = 1.5;
  context.strokeRect(now * column + 0.75, 0.75, column - 1.5, height - 1.5);
  const all = steps[now].states[layer][name];
  const average = all.reduce((sum, value) => sum + value, 0) / all.length;
  mean.textContent = page.say("watch.mean", {
    mean: average
      .toFixed(2)
      .replace(/^-0.00$/, "0.00")
      .replace("-", "−"),
  });
  canvas.setAttribute("aria-label", `${page.say(`watch.${name}`)}, ${mean.textContent}`);
}

const mix = (from, to, share) => from.map((value, at) => value + (to[at] - value) * share);

/** Return the colors of values from 0 to 1. */
function ramp(to) {
  const from = channels("card");
  return (value) => mix(from, to, Math.min(Math.max(value, 0), 1));
}

/** Return the colors of values from -1 to 1, with more contrast near 0, where most values are. */
function signed(below, above) {
  const from = channels("card");
  return (value) => mix(from, value < 0 ? below : above, Math.sqrt(Math.min(Math.abs(value), 1)));
}
