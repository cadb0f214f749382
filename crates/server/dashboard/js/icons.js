// Small drawings, made element by element.

import { s } from "./dom.js";

const LINES = {
  overview: ["M3 12a9 9 0 0 1 18 0", "M12 12l4-4", "M3 16h18", "M6 20h12"],
  migrations: ["M4 7h12", "M13 4l3 3-3 3", "M20 17H8", "M11 14l-3 3 3 3"],
  runs: ["M5 4v16", "M9 6h10", "M9 12h7", "M9 18h10"],
  images: ["M4 8l8-4 8 4-8 4z", "M4 12l8 4 8-4", "M4 16l8 4 8-4"],
  settings: ["M4 7h9", "M17 7h3", "M4 17h3", "M11 17h9", "M15 5v4", "M9 15v4"],
  good: ["M4 12.500l5 5L20 6.500"],
  bad: ["M6 6l12 12", "M18 6L6 18"],
  warn: ["M12 4v10", "M12 19v.5"],
  busy: ["M12 3v4", "M12 17v4", "M3 12h4", "M17 12h4", "M5.600 5.600l2.800 2.800", "M15.600 15.600l2.800 2.800"],
  calm: ["M6 12h12"],
  wait: ["M5 12h.010", "M12 12h.010", "M19 12h.010"],
};

export function icon(name) {
  const lines = (LINES[name] ?? LINES.calm).map((d) => s("path", { d }));
  return s("svg", { viewBox: "0 0 24 24", fill: "none", stroke: "currentColor", "stroke-width": name.length < 5 ? 3 : 1.8,
    "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true" }, lines);
}

/** The mark of Longshore: containers on a quay. */
export function mark() {
  const box = (x, y, fill) => s("rect", { x, y, width: 9, height: 6, rx: 1, fill });
  return s("svg", { viewBox: "4 3 24 25", "aria-hidden": "true" }, box(6, 19, "#f0702f"), box(17, 19, "#4fa3dd"),
    box(6, 11.5, "#93a6b5"), box(6, 4, "#37b583"), s("path", { d: "M4 27.500h24", stroke: "currentColor", "stroke-width": 1.6 }));
}
