// Formulas of guides and notebooks; a dollar sign in the reference is a dollar sign.
window.MathJax = {
  tex: {
    inlineMath: [["\\(", "\\)"], ["$", "$"]],
    displayMath: [["\\[", "\\]"], ["$$", "$$"]],
    processEscapes: true,
  },
  options: { ignoreHtmlClass: "doc", processHtmlClass: "arithmatex" },
};
