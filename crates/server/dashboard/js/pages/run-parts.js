// What a run does at the moment: its stages, its workers, and where the time goes.

import { h } from "../dom.js";
import { icon } from "../icons.js";
import { count, counted, percent, seconds, share } from "../format.js";
import { name, parts } from "../parts.js";

const STAGES = [["study", "Study"], ["prepare", "Prepare"], ["copy", "Copy"], ["finish", "Finish"], ["verify", "Verify"], ["references", "References"]];

/** The stages in their order, and how long each took. */
export function stages(run, progress) {
  const took = new Map();
  for (const step of progress?.steps ?? []) {
    const key = step.name === "plan" ? "study" : step.name;
    took.set(key, (took.get(key) ?? 0) + step.seconds);
  }
  const now = run.state === "ended" ? null : progress?.stage;
  const broken = run.state !== "ended" ? null : run.outcome === "different" ? "verify" : ["failed", "cancelled"].includes(run.outcome) ? progress?.stage : null;
  const used = STAGES.filter(([key]) => !["study", "references"].includes(key) || took.has(key) || [now, broken].includes(key));
  const spent = [...took.values()].reduce((sum, value) => sum + value, 0);
  if (now && !took.has(now)) took.set(now, Math.max(0, (progress.elapsed ?? 0) - spent));
  const line = ([key, title]) => {
    const [kind, words] = key === broken ? ["broken", run.outcome === "different" ? "differences" : "it ended here"]
      : key === now ? ["now", `${seconds(took.get(key))} so far`]
      : took.has(key) ? ["over", seconds(took.get(key))] : ["", "–"];
    // As wide as it took long, but never too narrow to read.
    return h("li", { class: kind || null, "aria-current": key === now ? "step" : null, style: { "flex-grow": (1000 * share(took.get(key) ?? 0, Math.max(spent, progress?.elapsed ?? 0))).toFixed(1) } }, h("span", { class: "strong" }, title), h("span", { class: "soft" }, words));
  };
  return h("ol", { class: "stages" }, used.map(line));
}

const BLAME = {
  source: (part) => `The source is the brake: workers waited ${part} of their time for its next rows.`,
  target: (part) => `The target is the brake: workers waited ${part} of their time until it had taken rows.`,
  own: (part) => `The engine itself is the brake: ${part} of the time went into converting rows and taking fingerprints. More cores would help.`,
  limits: (part) => `Your limits are the brake: ${part} of the time workers waited for the rate or the memory that they may use.`,
};

/** Where the time of the workers went, and in one sentence whose doing it is. */
export function waits(progress, report, still) {
  const found = filled(progress?.performance?.waits) ?? filled(report?.performance?.waits);
  if (!found) return h("p", { class: "soft" }, still ? "No worker had to wait." : "Nothing has been measured yet.");
  const total = found.source + found.target + found.own + found.limits;
  const list = [["source", "Source"], ["target", "Target"], ["own", "Own work"], ["limits", "Limits"]]
    .map(([key, title]) => [key, title, found[key], `${seconds(found[key])} · ${percent(found[key], total)}`]);
  const [worst] = [...list].sort((a, b) => b[2] - a[2]);
  return h("div", { class: "stack" }, h("p", { class: "strong" }, BLAME[worst[0]](percent(worst[2], total))),
    h("div", null, parts(list, "Time of the workers")));
}

const filled = (found) => found && found.source + found.target + found.own + found.limits > 0 ? found : null;

/** P with its formula and what it means. */
export function performance(progress, report) {
  const found = progress?.performance?.total > 0 ? progress.performance : report?.performance;
  if (!found || !(found.total > 0)) return h("p", { class: "soft" }, "It is known once rows are copied.");
  const ratio = Number(found.ratio);
  const meaning = ratio <= 1.02 ? "There was always a worker with rows in hand." : ratio < 1.25 ? "Workers were seldom all without rows."
    : "Often no worker had rows in hand: look at what it waits for.";
  return h("div", { class: "stack" },
    h("p", { class: "formula" }, `P = T / (T − idle) = ${seconds(found.total)} / ${seconds(found.total - found.idle)} = ${ratio.toFixed(2)}`),
    h("p", null, meaning, " ", h("span", { class: "soft" }, "1 is the best; idle is the time in which no worker had a batch in hand.")));
}

/** What each worker has in hand. */
export function lanes(progress) {
  const workers = progress?.workers ?? [];
  if (workers.length === 0) return h("p", { class: "soft" }, "No worker is at work at the moment.");
  return h("ul", { class: "lanes" }, workers.map((worker) => h("li", { "data-key": worker.worker },
    h("span", { class: "no" }, h("span", { class: "unseen" }, "Worker "), worker.worker + 1),
    worker.table === null ? h("span", { class: "idle" }, "between chunks")
      : h("span", null, name(worker.table), h("span", { class: "soft" }, ` · chunk ${count(worker.chunk)}`)),
    h("span", { class: "soft small nowrap" }, worker.table === null ? "" : `${counted(worker.rows ?? 0, "row")}`))));
}

export const sign = (tone) => h("span", { class: `badge ${tone}` }, icon(tone));
