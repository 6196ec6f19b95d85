// Drawing: sharp canvases, the colors of the style sheet, and a chart with two axes.

/** Fit a canvas to its place; return its context and its size in CSS pixels. */
export function fit(canvas) {
  canvas.dataset.height ??= canvas.getAttribute("height");
  const width = canvas.clientWidth;
  const height = canvas.closest("figure") ? canvas.clientHeight : Number(canvas.dataset.height);
  const ratio = window.devicePixelRatio || 1;
  canvas.style.height = `${height}px`;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  return { context, width, height };
}

export const color = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** Return a color of the style sheet as [red, green, blue]. */
export const channels = (name) =>
  [1, 3, 5].map((at) => parseInt(color(name).slice(at, at + 2), 16));

/** Draw axes with their ticks; return functions that draw a line or a dot, and map a pixel back. */
export function chart(canvas, { xs: [left, right], ys: [low, high], xTicks, yTicks, yText }) {
  const { context, width, height } = fit(canvas);
  const [start, end, top, bottom] = [48, width - 16, 10, height - 26];
  const x = (value) => start + ((value - left) / (right - left)) * (end - start);
  const y = (value) => bottom - ((value - low) / (high - low)) * (bottom - top);
  context.font = "12px system-ui, sans-serif";
  context.textBaseline = "middle";
  context.lineWidth = 1;
  for (const tick of yTicks) {
    stroke(context, color("line"), [
      [start, y(tick)],
      [end, y(tick)],
    ]);
    context.fillStyle = color("soft");
    context.textAlign = "right";
    context.fillText(yText(tick), start - 8, y(tick));
  }
  context.textAlign = "center";
  for (const tick of xTicks) context.fillText(String(tick), x(tick), bottom + 15);
  const line = (points, name, { width: thick = 2, dash = [] } = {}) => {
    context.save();
    context.beginPath();
    context.rect(start, top - 4, end - start + 4, bottom - top + 8);
    context.clip();
    context.lineWidth = thick;
    context.setLineDash(dash);
    stroke(
      context,
      color(name),
      points.map(([a, b]) => [x(a), y(b)]),
    );
    context.restore();
  };
  const dot = (a, b, name) => {
    context.fillStyle = color(name);
    context.beginPath();
    context.arc(x(a), Math.min(Math.max(y(b), top), bottom), 5, 0, 7);
    context.fill();
  };
  const back = (pixel) => left + ((pixel - start) / (end - start)) * (right - left);
  return { line, dot, back };
}

function stroke(context, style, points) {
  context.strokeStyle = style;
  context.beginPath();
  for (const [x, y] of points) context.lineTo(x, y);
  context.stroke();
}

/** Call `move` with the pixel under a pointer that is pressed on a canvas or dragged along it. */
export function onDrag(canvas, move) {
  canvas.style.touchAction = "pan-y";
  canvas.style.cursor = "ew-resize";
  const at = (event) => move(event.clientX - canvas.getBoundingClientRect().left);
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    at(event);
  });
  canvas.addEventListener("pointermove", (event) => event.buttons && at(event));
}
