// Is it fine, how long will it take, what is slow, what was lost?

import * as api from "../api.js";
import { h } from "../dom.js";
import { icon } from "../icons.js";
import { count, counted, moment, percent, row_rate, seconds, size, size_rate } from "../format.js";
import { badge, capacity, card, empty, fault, figures, head, name, runs_table, time, yard } from "../parts.js";

const TROUBLE = ["failed", "different"];

export function overview(page) {
  return api.every(2500, async () => {
    let all;
    try {
      all = await api.get("/api/v1/overview");
    } catch (error) {
      if (error.status) page.show(head("Overview"), fault(error));
      return;
    }
    page.show(
      head("Overview", `Longshore ${all.version}, up since ${moment(all.started)}.`,
        page.may.operate && h("a", { class: "button primary", href: "#/migrations" }, "Start a migration")),
      h("div", { class: "stack" }, verdict(all), totals(all), running(all.running), recent(all.recent), quay(all.registry)));
  });
}

/** One sentence on how things are. */
function verdict(all) {
  const latest = new Map();
  for (const run of all.recent) if (!latest.has(run.migration)) latest.set(run.migration, run);
  const troubled = [...latest.values()].filter((run) => TROUBLE.includes(run.outcome));
  const busy = all.running.length;
  const [tone, sign, title] = troubled.length > 0
    ? ["bad", "bad", troubled.length === 1 ? `The last run of ${troubled[0].migration} needs you` : `The last runs of ${counted(troubled.length, "migration")} need you`]
    : busy > 0 ? ["busy", "busy", busy === 1 ? "One run is on its way" : `${count(busy)} runs are on their way`]
      : all.recent.length > 0 ? ["good", "good", "All is well"] : ["calm", "calm", "Nothing has run yet"];
  const lead = troubled.length > 0
    ? troubled.map((run, index) => [index > 0 && ", ", h("a", { href: `#/runs/${encodeURIComponent(run.id)}` }, name(`${run.migration} ${run.version ?? ""}`)),
      ` ${run.outcome === "different" ? "differs from its source" : "failed"}`])
    : busy > 0 ? longest(all.running) : all.recent.length > 0 ? "No run is on its way, and none of the last ones went wrong." : "Add a migration and start it.";
  return h("section", { class: `verdict ${tone}`, "aria-label": "How things are" },
    h("div", null, h("h2", { class: "said-loud" }, h("span", { class: "sign" }, icon(sign)), title), h("p", { class: "lead" }, lead)));
}

function longest(running) {
  const left = running.map((run) => left_of(run)).filter((value) => value !== null);
  return left.length > 0 ? `The longest takes about ${seconds(Math.max(...left))} more.` : "How long they take is not known yet.";
}

/** Seconds that are left when rows go on arriving as they did. */
function left_of({ rows, rows_expected, seconds: passed }) {
  return rows > 0 && rows_expected >= rows && passed > 1 ? (passed * (rows_expected - rows)) / rows : null;
}

function totals(all) {
  const none = { queued: 0, running: 0, stopping: 0, verified: 0, copied: 0, rejected: 0, different: 0, failed: 0, cancelled: 0 };
  const runs = { ...none, ...all.runs };
  const wrong = runs.failed + runs.different;
  const ended = runs.verified + runs.copied + runs.rejected + wrong + runs.cancelled;
  return figures([
    ["Running", count(runs.running + runs.stopping), runs.queued > 0 ? `${count(runs.queued)} queued` : "none queued"],
    ["Verified", count(runs.verified), ended > 0 ? `${percent(runs.verified, ended)} of ${counted(ended, "run")} that ended` : "no run has ended"],
    ["Failed or different", count(wrong), wrong === 0 ? "none" : `${count(runs.failed)} failed, ${count(runs.different)} different`],
    ["Rows rejected", count(runs.rejected), runs.rejected === 1 ? "run left rows aside" : "runs left rows aside"],
    ["Migrations", count(all.migrations), all.images === null ? "no registry here" : `${counted(all.images, "image")} in the registry`],
  ]);
}

function running(runs) {
  if (runs.length === 0) return null;
  return card("Under way", { kind: "flush", note: counted(runs.length, "run") }, runs.map((run) => {
    const left = left_of(run);
    const time = run.seconds > 0 ? run.seconds : null;
    return h("div", { class: "run-row", "data-key": run.id },
      h("div", { class: "line" },
        h("div", null, h("a", { class: "strong", href: `#/runs/${encodeURIComponent(run.id)}` }, name(run.migration)),
          h("span", { class: "soft" }, run.version ?? ""), badge(run)),
        h("div", null, h("span", { class: "strong" }, percent(run.rows, run.rows_expected)), " ",
          h("span", { class: "soft" }, left === null ? "time left not known" : `about ${seconds(left)} left`))),
      yard(run),
      h("div", { class: "line soft small" },
        h("span", null, `${count(run.rows)} of ${count(run.rows_expected)} rows`),
        h("span", null, `${size(run.bytes)} of ${size(run.bytes_expected)}`),
        h("span", null, time ? `${row_rate(run.rows / time)} rows · ${size_rate(run.bytes / time)} on average` : ""),
        h("span", null, "since ", time_of(run))));
  }));
}

const time_of = (run) => time(run.started ?? run.queued);

function recent(runs) {
  return card("Recent runs", { kind: "flush", note: h("a", { href: "#/runs" }, "All runs") },
    runs.length > 0 ? runs_table(runs, "Recent runs") : empty("No run has ended", "Runs appear here with how they ended."));
}

function quay(registry) {
  if (!registry) return null;
  return card("Registry", { note: h("a", { href: "#/images" }, "Images") },
    h("div", { class: "grid" },
      h("div", { class: "half" }, capacity(registry, "Capacity C")),
      h("div", { class: "half" }, utilisation(registry.utilisation, "Utilisation R"))));
}

/** R, with its formula. */
export function utilisation({ total, idle, ratio }, title) {
  return h("div", { class: "stack" }, title && h("h3", null, title),
    h("p", { class: "formula" }, `R = T / (T − idle) = ${seconds(total)} / ${seconds(total - idle)} = ${ratio === null ? "–" : Number(ratio).toFixed(2)}`),
    h("p", { class: "soft small" }, "1 is a registry that is always asked for something; the more it waits, the larger it gets."));
}
