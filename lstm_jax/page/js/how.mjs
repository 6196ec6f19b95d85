// The six equations, in MathML.

import { find } from "./dom.mjs";

const MATHML = "http://www.w3.org/1998/Math/MathML";

function math(tag, ...children) {
  const node = document.createElementNS(MATHML, tag);
  node.append(...children);
  return node;
}

/** Make a letter, which the style sheet slants because few fonts have mathematical italics. */
function letter(text) {
  const node = math("mi", text);
  node.setAttribute("mathvariant", "normal");
  return node;
}

const sign = (text) => math("mo", text);
const indexed = (text, ...index) => math("msub", letter(text), math("mrow", ...index));
const now = (text) => indexed(text, letter("t"));
const before = (text) => indexed(text, letter("t"), sign("−"), math("mn", "1"));

/** gate_t = σ(W_gate [h_{t-1}, x_t] + b_gate) */
function gate(name, squeeze) {
  const ofGate = (text) => indexed(text, letter(name));
  return [
    now(name),
    sign("="),
    math("mtext", squeeze),
    sign("("),
    ofGate("W"),
    sign("["),
    before("h"),
    sign(","),
    now("x"),
    sign("]"),
    sign("+"),
    ofGate("b"),
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
    math("mtext", "tanh"),
    sign("("),
    now("c"),
    sign(")"),
  ],
};

export function showEquations() {
  for (const [name, parts] of Object.entries(EQUATIONS)) {
    const term = document.createElement("dt");
    term.append(math("math", math("mrow", ...parts())));
    const line = document.createElement("dd");
    line.dataset.text = `how.${name}`;
    find("equations").append(term, line);
  }
}
