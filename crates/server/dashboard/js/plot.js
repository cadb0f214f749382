// Curves of what arrives over time, with a read-out under the pointer and under the arrow keys.

import { h, island, s } from "./dom.js";
import { seconds } from "./format.js";

const WIDTH = 600;
const HEIGHT = 160;
const POINTS = 300;

/** Rates of cumulative samples, `{at, value}`, at most POINTS of them. */
export function rates(samples, key) {
  const step = Math.max(1, Math.ceil(samples.length / POINTS));
  const list = [];
  let before = { at: 0, [key]: 0 };
  for (let at = step - 1; at < samples.length; at += step) {
    const sample = samples[at];
    const passed = sample.at - before.at;
    if (passed <= 0) continue;
    list.push({ at: sample.at, value: Math.max(0, (sample[key] - before[key]) / passed) });
    before = sample;
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
    const last = points.at(-1)?.at ?? 1;
    const most = nice(Math.max(1, ...points.map((point) => point.value)), props.kind === "bytes" ? 1024 : 1000);
    const x = (point) => ((point.at / last) * WIDTH).toFixed(1);
    const y = (point) => (HEIGHT - (point.value / most) * HEIGHT).toFixed(1);
    const path = points.map((point, index) => `${index ? "L" : "M"}${x(point)} ${y(point)}`).join("");
    line.setAttribute("d", path || "M0 0");
    area.setAttribute("d", points.length ? `${path}L${WIDTH} ${HEIGHT}L${x(points[0])} ${HEIGHT}Z` : "M0 0");
    const chosen = at === null ? null : points[Math.min(points.length - 1, Math.round(at * (points.length - 1)))];
    cursor.toggleAttribute("hidden", !chosen);
    if (chosen) {
      cursor.setAttribute("x1", x(chosen));
      cursor.setAttribute("x2", x(chosen));
    }
    value.textContent = props.unit(chosen ? chosen.value : points.at(-1)?.value ?? 0);
    when.textContent = chosen ? `after ${seconds(chosen.at)}` : props.still ? "at the end" : "now";
    top.textContent = props.unit(most);
    middle.textContent = props.unit(most / 2);
    end.textContent = seconds(last);
    const mean = props.unit(average(props.samples, props.kind));
    const peak = props.unit(Math.max(0, ...points.map((point) => point.value)));
    drawing.setAttribute("aria-label", `${props.title} over ${seconds(last)}: ${mean} on average, ${peak} at most, ${value.textContent} ${when.textContent}`);
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
