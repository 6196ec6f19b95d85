// The section on why gates help: measured gradients by lag, and a product of equal forget gates.

import { chart, onDrag } from "./canvas.mjs";
import { fill, find, make } from "./dom.mjs";

const CURVES = [
  ["rnn", "rnn orthogonal", "accent"],
  ["bias", "lstm forget bias 1", "green"],
  ["lstm", "lstm chrono", "blue"],
];
const STEPS = 500;

/**
 * Make the section. `page.decay` is tests/benchmarks/results/gradient_decay.json, which holds
 * natural logarithms by lag.
 */
export function makeWhy(page) {
  const { lags, curves } = page.decay;
  const tens = (ln) => ln / Math.LN10;
  const raised = (power) => `10${String(power).replace(/./g, (digit) => RAISED[digit])}`;
  const written = (ln) =>
    Math.abs(tens(ln)) < 3 ? Math.exp(ln).toPrecision(2) : raised(Math.round(tens(ln)));
  let plane = null;
  find("lag").max = lags.length - 1;
  find("lag").value = lags.indexOf(200);

  function drawDecay() {
    const at = Number(find("lag").value);
    const stage = curves[find("stage").value];
    plane = chart(find("decay"), {
      xs: [0, STEPS],
      ys: [-70, 50],
      xTicks: [0, 100, 200, 300, 400, 500],
      yTicks: [-60, -40, -20, 0, 20, 40],
      yText: raised,
    });
    const points = (values) => values.map((ln, index) => [lags[index], tens(ln)]);
    plane.line(
      [
        [lags[at], -80],
        [lags[at], 60],
      ],
      "soft",
      { width: 1 },
    );
    for (const [, key, hue] of CURVES) {
      plane.line(points(stage[key].bound), hue, { width: 1.5, dash: [6, 5] });
      plane.line(points(stage[key].truth), hue, { width: 2.5 });
      plane.dot(lags[at], tens(stage[key].truth[at]), hue);
    }
    find("lag-value").textContent = lags[at];
    find("lag").setAttribute("aria-valuetext", String(lags[at]));
    find("norms").replaceChildren(
      ...CURVES.map(([name, key, hue]) => {
        const { truth, bound } = stage[key];
        const fields = {
          name: page.say(`why.${name}`),
          truth: written(truth[at]),
          bound: written(bound[at]),
        };
        const swatch = make("span", { className: `swatch ${hue}` });
        return make("div", {}, swatch, page.say("why.norms", fields));
      }),
    );
    find("decay").setAttribute("aria-label", page.say("why.decay"));
  }

  function drawProduct() {
    const f = Number(find("f").value);
    const { line } = chart(find("product"), {
      xs: [0, STEPS],
      ys: [0, 1],
      xTicks: [0, 100, 200, 300, 400, 500],
      yTicks: [0, 0.25, 0.5, 0.75, 1],
      yText: String,
    });
    line(
      Array.from({ length: STEPS + 1 }, (_, t) => [t, f ** t]),
      "blue",
      { width: 2.5 },
    );
    const left = (steps) => {
      const share = f ** steps;
      return share < 1e-5 ? "< 0.001%" : `${(100 * share).toFixed(share < 0.001 ? 3 : 1)}%`;
    };
    const half = Math.log(0.5) / Math.log(f);
    const steps =
      f < 1
        ? page.say("why.steps", { steps: half.toFixed(half < 10 ? 1 : 0) })
        : page.say("why.never");
    find("f-value").textContent = f.toFixed(3);
    find("kept").textContent = page.say("why.kept", {
      ten: left(10),
      hundred: left(100),
      most: left(500),
      half: steps,
    });
    find("product").setAttribute("aria-label", page.say("why.curve"));
  }

  function draw() {
    drawDecay();
    drawProduct();
  }

  find("lag").addEventListener("input", drawDecay);
  find("stage").addEventListener("change", drawDecay);
  find("f").addEventListener("input", drawProduct);
  onDrag(find("decay"), (pixel) => {
    const lag = plane.back(pixel);
    const gaps = lags.map((measured) => Math.abs(measured - lag));
    find("lag").value = gaps.indexOf(Math.min(...gaps));
    drawDecay();
  });
  return {
    draw,
    relabel() {
      fill(
        find("stage"),
        Object.keys(curves).map((stage) => [stage, page.say(`why.${stage}`)]),
      );
      draw();
    },
  };
}

const RAISED = Object.fromEntries(
  [..."0123456789-"].map((sign, at) => [sign, [..."⁰¹²³⁴⁵⁶⁷⁸⁹⁻"][at]]),
);
