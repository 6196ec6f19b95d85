// Forecasts of a sine, and the step at which the forecaster begins to read its own forecasts.

import { chart, onDrag } from "./canvas.mjs";
import { coalesced, find } from "./dom.mjs";
import { makeForecaster, roll } from "./forecast.mjs";
import { readSafetensors } from "./safetensors.mjs";

const WHOLE = 300;
const WAVE = Array.from({ length: WHOLE }, (_, t) => Math.sin(t / 10));

/** Make the section. `bytes` are the weights, `description` is their model.json. */
export function makeSine(page, bytes, description) {
  const model = makeForecaster(readSafetensors(bytes), description);
  const slider = find("turn");
  slider.min = model.window;
  slider.max = WHOLE - 1;
  slider.value = 120;
  let plane = null;

  const draw = coalesced(() => {
    const turn = Number(slider.value);
    const forecasts = roll(model, WAVE, turn);
    plane = chart(find("wave"), {
      xs: [0, WHOLE],
      ys: [-1.3, 1.3],
      xTicks: [0, 50, 100, 150, 200, 250, 300],
      yTicks: [-1, 0, 1],
      yText: (tick) => String(tick).replace("-", "−"),
    });
    const points = (from, to) => forecasts.slice(from, to).map((value, at) => [from + at, value]);
    plane.line(
      [
        [turn, -2],
        [turn, 2],
      ],
      "soft",
      { width: 1.5 },
    );
    plane.line(points(model.window, turn + 1), "blue", { width: 4 });
    plane.line(points(turn, WHOLE), "accent", { width: 4 });
    plane.line(
      WAVE.map((value, at) => [at, value]),
      "ink",
      { width: 1 },
    );
    const worst = (from, to) =>
      Math.max(0, ...points(from, to).map(([at, value]) => Math.abs(value - WAVE[at])));
    const fields = {
      before: worst(model.window, turn).toFixed(4),
      after: worst(turn, WHOLE).toFixed(4),
    };
    slider.setAttribute("aria-valuetext", String(turn));
    find("turn-value").textContent = turn;
    find("error").textContent = page.say("sine.error", fields);
    find("wave").setAttribute("aria-label", page.say("sine.wave"));
  });

  slider.addEventListener("input", draw);
  onDrag(find("wave"), (pixel) => {
    slider.value = Math.round(plane.back(pixel));
    draw();
  });
  return { draw, relabel: draw };
}
