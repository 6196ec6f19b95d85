// The six equations, in MathML.

import { find } from "./dom.mjs";

const MATHML = "http://www.w3.org/1998/Math/MathML";

function maths(tag, ...children) {
  const node = document.createElementNS(MATHML, tag);
  node.append(...children);
  return node;
}

/** A letter, slanted by the style sheet: few fonts have the slanted letters of mathematics. */
function letter(text) {
  const node = maths("mi", text);
  node.setAttribute("mathvariant", "normal");
  return node;
}

const sign = (text) => maths("mo", text);
const under = (text, ...below) => maths("msub", letter(text), maths("mrow", ...below));
const now = (text) => under(text, letter("t"));
const before = (text) => under(text, letter("t"), sign("−"), maths("mn", "1"));

/** gate_t = σ(W_gate [h_{t-1}, x_t] + b_gate) */
function gate(name, squeeze) {
  const of = (text) => under(text, letter(name));
  return [
    now(name),
    sign("="),
    maths("mtext", squeeze),
    sign("("),
    of("W"),
    sign("["),
    before("h"),
    sign(","),
    now("x"),
    sign("]"),
    sign("+"),
    of("b"),
    sign(")"),
  ];
}

const EQUATIONS = {
  f: () => gate("f", "σ"),
  i: () => gate("i", "σ"),
  g: () => gate("g", "tanh"),
  o: () => gate("o", "σ"),
  c: () => [
    now("c"),
    sign("="),
    now("f"),
    sign("⊙"),
    before("c"),
    sign("+"),
    now("i"),
    sign("⊙"),
    now("g"),
  ],
  h: () => [
    now("h"),
    sign("="),
    now("o"),
    sign("⊙"),
    maths("mtext", "tanh"),
    sign("("),
    now("c"),
    sign(")"),
  ],
};

export function showEquations() {
  for (const [name, parts] of Object.entries(EQUATIONS)) {
    const term = document.createElement("dt");
    term.append(maths("math", maths("mrow", ...parts())));
    const line = document.createElement("dd");
    line.dataset.text = `how.${name}`;
    find("equations").append(term, line);
  }
}
