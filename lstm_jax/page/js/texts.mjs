// The page's texts. Every text is set as text, never as HTML.

/** Return say(key, fields): a text in one language, with its {fields} filled in. */
export const makeSay =
  (texts) =>
  (key, fields = {}) =>
    texts[key].replace(/\{(\w+)\}/g, (_, name) => fields[name]);

/** Set the texts of `say` wherever the document asks for them. */
export function label(root, say) {
  const each = (name, set) => {
    for (const node of root.querySelectorAll(`[data-${name}]`)) set(node, say(node.dataset[name]));
  };
  each("text", (node, text) => (node.textContent = text));
  each("label", (node, text) => node.setAttribute("aria-label", text));
  each("hint", (node, text) => (node.placeholder = text));
}
