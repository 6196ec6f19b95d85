// The page: its data, its worker and its sections. PAGE is set by data.js and WEIGHTS by
// weights.js, which are scripts because a page opened from a disk may not read any other files.

import { coalesced, find } from "./dom.mjs";
import { showEquations } from "./how.mjs";
import { makeSine } from "./sine.mjs";
import { label, makeSay } from "./texts.mjs";
import { makeVocabulary } from "./vocabulary.mjs";
import { makeWatch } from "./watch.mjs";
import { makeWhy } from "./why.mjs";
import { makeWrite } from "./write.mjs";

const { config, words, texts, decay, sine, worker } = self.PAGE;

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes.buffer;
}

const page = {
  language: navigator.language.startsWith("zh") ? "zh" : "en",
  say: null,
  vocabulary: makeVocabulary(words),
  settings: null,
  layers: Array.from({ length: config.num_layers }),
  decay,
  worker: new Worker(URL.createObjectURL(new Blob([worker], { type: "text/javascript" }))),
};

function speak(language) {
  Object.assign(page, { language, say: makeSay(texts[language]) });
  document.documentElement.lang = language === "zh" ? "zh-Hant" : "en";
  label(document, page.say);
  find("language").textContent = page.say("language");
  find("language").lang = language === "zh" ? "en" : "zh-Hant";
  document.title = `${page.say("write.heading")} · lstm_jax`;
}

showEquations();
speak(page.language);
const watch = makeWatch(page);
const writing = makeWrite(page, watch);
writing.open();
const sections = [writing, watch, makeWhy(page), makeSine(page, bytesOf(sine.weights), sine)];
const relabel = () => sections.forEach((section) => section.relabel());
relabel();

find("language").addEventListener("click", () => {
  speak(page.language === "zh" ? "en" : "zh");
  relabel();
});

const redraw = coalesced(() => sections.forEach((section) => section.draw?.()));
new ResizeObserver(redraw).observe(document.querySelector("main"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

page.worker.onmessage = ({ data }) => (data.ready ? writing.start() : writing.hear(data));

// The weights come last, when the rest of the page is ready.
const script = document.createElement("script");
script.src = "weights.js";
script.onerror = () => writing.tell("write.failed");
script.onload = () => {
  const weights = bytesOf(self.WEIGHTS);
  delete self.WEIGHTS;
  page.worker.postMessage({ weights, config, words }, [weights]);
};
document.head.append(script);
