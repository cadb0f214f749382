// Curves of what arrives over time, with a read-out under the pointer and under the arrow keys.

import { h, island, s } from "./dom.js";
import { seconds } from "./format.js";

const WIDTH = 600;
const HEIGHT = 160;
const POINTS = 240;

/** Rates of cumulative samples, `{at, value}`, over spans of equal length: a second where that gives a curve. */
export function rates(samples, key) {
  const end = samples.at(-1).at;
  const spans = Math.min(POINTS, Math.max(12, Math.floor(end)));
  const list = [];
  let [index, before] = [0, 0];
  for (let span = 1; span <= spans; span++) {
    const at = (end * span) / spans;
    while (index < samples.length - 1 && samples[index].at < at) index += 1;
    const [from, to] = [samples[index - 1] ?? { at: 0, [key]: 0 }, samples[index]];
    const part = to.at > from.at ? Math.min(1, (at - from.at) / (to.at - from.at)) : 1;
    const reached = from[key] + part * (to[key] - from[key]);
    list.push({ at, value: Math.max(0, ((reached - before) * spans) / end) });
    before = reached;
  }
  return list;
}

const average = (samples, key) => {
  const last = samples.at(-1);
  return last && last.at > 0 ? last[key] / last.at : 0;
};

/** A plot. `kind` is `rows` or `bytes`, `unit` gives a rate in words. */
export function plot({ title, kind, samples, unit, still }) {
  return island(`plot plot-of-${kind}`, { title, kind, samples, unit, still }, start);
}

function start(root, first) {
  let props = first;
  let at = null;
  const value = h("strong");
  const when = h("span", { class: "soft" });
  const top = h("span");
  const middle = h("span");
  const end = h("span");
  const area = s("path", { class: `area ${first.kind}` });
  const line = s("path", { class: `line ${first.kind}` });
  const cursor = s("line", { class: "cursor", y1: 0, y2: HEIGHT, hidden: true });
  const drawing = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", tabindex: 0 },
    [0, 0.5, 1].map((y) => s("line", { class: "grid-line", x1: 0, x2: WIDTH, y1: y * HEIGHT, y2: y * HEIGHT })), area, line, cursor);
  root.append(
    h("div", { class: "plot-head" }, h("h3", null, first.title), h("div", null, when, " ", value)),
    h("div", { class: "plot-frame" }, h("div", { class: "plot-y", "aria-hidden": "true" }, top, middle, h("span", null, "0")), drawing,
      h("div", { class: "plot-x", "aria-hidden": "true" }, h("span", null, "0\u00a0s"), end)));

  const draw = () => {
    const points = rates(props.samples, props.kind);
    const last = points.at(-1).at;
    const most = nice(Math.max(1, ...points.map((point) => point.value)), props.kind === "bytes" ? 1024 : 1000);
    // Each rate stands in the middle of its span.
    const half = last / points.length / 2;
    const x = (point) => (((point.at - half) / last) * WIDTH).toFixed(1);
    const y = (point) => (HEIGHT - (point.value / most) * HEIGHT).toFixed(1);
    const path = points.map((point, index) => `${index ? "L" : "M"}${x(point)} ${y(point)}`).join("");
    line.setAttribute("d", path);
    area.setAttribute("d", `${path}L${x(points.at(-1))} ${HEIGHT}L${x(points[0])} ${HEIGHT}Z`);
    const chosen = at === null ? null : points[Math.min(points.length - 1, Math.round(at * (points.length - 1)))];
    cursor.toggleAttribute("hidden", !chosen);
    if (chosen) {
      cursor.setAttribute("x1", x(chosen));
      cursor.setAttribute("x2", x(chosen));
    }
    const mean = props.unit(average(props.samples, props.kind));
    value.textContent = chosen ? props.unit(chosen.value) : props.still ? mean : props.unit(points.at(-1).value);
    when.textContent = chosen ? `after ${seconds(chosen.at)}` : props.still ? "on average" : "now";
    top.textContent = props.unit(most);
    middle.textContent = props.unit(most / 2);
    end.textContent = seconds(last);
    const peak = props.unit(Math.max(0, ...points.map((point) => point.value)));
    drawing.setAttribute("aria-label", `${props.title} over ${seconds(last)}: ${mean} on average, ${peak} at most${props.still && !chosen ? "" : `, ${value.textContent} ${when.textContent}`}`);
  };

  const look = (place) => {
    at = place === null ? null : Math.min(1, Math.max(0, place));
    draw();
  };
  drawing.addEventListener("pointermove", (event) => {
    const box = drawing.getBoundingClientRect();
    look((event.clientX - box.x) / box.width);
  });
  drawing.addEventListener("pointerleave", () => look(null));
  drawing.addEventListener("blur", () => look(null));
  drawing.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
    if (!step) return;
    event.preventDefault();
    look((at ?? 1) + step);
  });
  draw();
  return (fresh) => {
    props = fresh;
    draw();
  };
}

/** The next of 1, 2, 4, 6, 8, 10, 20, … of a unit that is a power of `base`. */
function nice(number, base) {
  const unit = base ** Math.floor(Math.log(number) / Math.log(base));
  const power = 10 ** Math.floor(Math.log10(number / unit));
  return [1, 2, 4, 6, 8, 10].map((step) => step * power * unit).find((step) => step >= number) ?? number;
}
