// Pieces that several pages are made of.

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { ago, count, counted, moment, percent, seconds, share, size } from "./format.js";

/** How a run stands: the words, the tone, and a sign that is not only a colour. */
const STANDS = {
  queued: ["Queued", "calm", "wait"],
  running: ["Running", "busy", "busy"],
  stopping: ["Stopping", "warn", "busy"],
  planned: ["Planned", "calm", "good"],
  verified: ["Verified", "good", "good"],
  copied: ["Copied", "warn", "good"],
  rejected: ["Rows rejected", "warn", "warn"],
  different: ["Different", "bad", "bad"],
  failed: ["Failed", "bad", "bad"],
  cancelled: ["Stopped", "calm", "calm"],
};

export function standing(run) {
  const [word, tone, sign] = STANDS[run.state === "ended" ? run.outcome : run.state] ?? ["Unknown", "calm", "calm"];
  return { word, tone, sign };
}

export function badge(run) {
  const { word, tone, sign } = standing(run);
  return h("span", { class: `badge ${tone}` }, icon(sign), word);
}

/** A name from outside, whatever its direction of writing. */
export const name = (text) => h("bdi", null, text);

export function head(title, lead, actions, crumbs) {
  return h("div", { class: "head" },
    h("div", null, crumbs && trail(crumbs), h("h1", { tabindex: "-1" }, title), lead && h("p", { class: "lead" }, lead)),
    actions && h("div", { class: "actions" }, actions));
}

export function trail(crumbs) {
  return h("nav", { class: "crumbs", "aria-label": "Where you are" },
    h("ol", null, crumbs.map(([text, to]) => h("li", null, to ? h("a", { href: to }, name(text)) : name(text)))));
}

let titles = 0;
const ids = new Map();

/** A section with a heading. The id comes from its title, so that it stays the same. */
export function card(title, props, ...children) {
  if (!ids.has(title)) ids.set(title, `part-${++titles}`);
  const { note, kind, ...rest } = props ?? {};
  return h("section", { class: `card ${kind ?? ""}`.trim(), "aria-labelledby": ids.get(title), "data-key": `card ${title}`, ...rest },
    h("header", null, h("h2", { id: ids.get(title) }, title), note && h("div", { class: "soft" }, note)), children);
}

export const figures = (list) => h("dl", { class: "figures" },
  list.filter(Boolean).map(([title, value, note]) =>
    h("div", null, h("dt", null, title), h("dd", null, value), note && h("dd", { class: "note" }, note))));

export const facts = (list, spread) => h("dl", { class: spread ? "facts spread" : "facts" },
  list.filter((fact) => fact && fact[1] !== null && fact[1] !== undefined)
    .map(([title, value]) => h("div", null, h("dt", null, title), h("dd", null, value))));

export function empty(title, text, ...more) {
  return h("div", { class: "empty" }, icon("images"), h("p", { class: "strong" }, title), text && h("p", null, text), more);
}

/** An error with its code, what to do, and where it comes from. */
export function fault(error, again) {
  return h("div", { class: "fault", role: "alert" },
    h("p", { class: "what" }, error.code && h("code", null, error.code), error.code && " ", error.message),
    error.hint && h("p", null, h("span", { class: "strong" }, "Next: "), error.hint),
    error.causes?.length > 0 && h("ol", null, error.causes.map((cause) => h("li", null, cause))),
    error.code && h("p", { class: "soft small" }, "More with ", h("code", null, `longshore explain ${error.code}`)),
    again && h("div", { class: "actions" }, h("button", { onclick: again }, "Try again")));
}

/** How far a run is, as a row of containers. */
export function yard(run, progress, low) {
  const { tone } = standing(run);
  const rows = progress?.rows ?? run.rows ?? 0;
  const all = progress?.rows_expected ?? run.rows_expected ?? 0;
  const done = run.state === "ended" && ["verified", "copied", "rejected"].includes(run.outcome);
  const part = done ? 1 : share(rows, all);
  const checked = run.outcome === "verified" ? 1 : share(progress?.checked ?? 0, all);
  const kind = run.state !== "ended" || done ? "" : tone === "bad" ? " bad" : " calm";
  const width = (value) => ({ width: `${(100 * value).toFixed(2)}%` });
  return h("div", { class: `yard${low ? " low" : ""}${kind}`, role: "progressbar", "aria-label": `Progress of ${run.migration}`,
    "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": Math.floor(100 * part) },
    h("div", { class: "fill", style: width(part) }), checked > 0 && h("div", { class: "fill checked", style: width(checked) }));
}

/** A bar of parts, `[class, label, value, text]`, with a list that says the same in words; `pieces`, `[class, value]`, are drawn instead. */
export function parts(list, label, pieces) {
  const total = list.reduce((all, [, , value]) => all + value, 0);
  const words = list.map(([, title, value]) => `${title} ${percent(value, total)}`).join(", ");
  return [
    h("div", { class: "parts", role: "img", "aria-label": `${label}: ${words}` },
      (pieces ?? list.map(([kind, , value]) => [kind, value])).filter(([, value]) => value > 0).map(([kind, value]) => h("span", { class: kind, style: { "flex-grow": (1000 * share(value, total)).toFixed(2) } }))),
    h("ul", { class: "legend-list" }, list.map(([kind, title, value, text]) =>
      h("li", null, h("span", { class: `key ${kind}` }), h("span", null, title), h("span", { class: "strong" }, text ?? percent(value, total))))),
  ];
}

/** Runs as a table, for every page that lists some. */
export function runs_table(runs, caption) {
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h("table", { class: "folds" }, h("caption", { class: "unseen" }, caption),
      h("thead", null, h("tr", null, ["Migration", "Outcome", "Started"].map((text) => h("th", { scope: "col" }, text)),
        ["Took", "Rows", "Bytes"].map((text) => h("th", { scope: "col", class: "number" }, text)), h("th", { scope: "col" }, "Where"), h("th", { scope: "col" }, "By"))),
      h("tbody", null, runs.map(run_line))));
}

function run_line(run) {
  const took = run.state === "ended" || run.started ? run.seconds : null;
  return h("tr", { "data-key": run.id },
    h("th", { scope: "row", class: "name" }, h("a", { href: `#/runs/${encodeURIComponent(run.id)}` }, name(run.migration)), " ",
      h("span", { class: "soft small nowrap" }, run.version ?? ""), run.task !== "run" && [" ", h("span", { class: "tag" }, run.task)]),
    h("td", { "data-title": "Outcome" }, badge(run)),
    h("td", { "data-title": "Started", class: "nowrap" }, time(run.started ?? run.queued)),
    h("td", { "data-title": "Took", class: "number" }, seconds(took)),
    h("td", { "data-title": "Rows", class: "number" }, count(run.rows)),
    h("td", { "data-title": "Bytes", class: "number rare" }, size(run.bytes)),
    h("td", { "data-title": "Where", class: "rare" }, run.on),
    h("td", { "data-title": "By", class: "rare" }, name(run.by ?? "–")));
}

export const time = (text) => text ? h("time", { datetime: text, title: moment(text) }, ago(text)) : "–";

/** `7 tables`, or none. */
export const many = (number, noun) => number ? counted(number, noun) : `no ${noun}s`;

/** The capacity of the registry: images apart, and what they take together. */
export function capacity(registry, title) {
  const { apart, together, images } = registry.capacity;
  const saved = Math.max(0, apart - together);
  return h("div", null,
    title && h("h3", null, title),
    parts([["shared", "Stored once, C", together, size(together)], ["rest", "Saved by sharing", saved, size(saved)]],
      `Capacity of ${counted(images, "image")}`),
    h("p", { class: "soft small" }, `${counted(images, "image")}, ${size(apart)} if each stood alone.`));
}
