// One run: how it stands, how far it is, what is slow, what was lost, and the proof.

import * as api from "../api.js";
import { ask } from "../dialog.js";
import { h } from "../dom.js";
import { icon } from "../icons.js";
import { count, moment, percent, row_rate, seconds, size, size_rate } from "../format.js";
import { follow } from "../live.js";
import { card, facts, fault, figures, head, name, standing, time, trail, yard } from "../parts.js";
import { plot } from "../plot.js";
import { log_part } from "./run-log.js";
import { lanes, performance, stages, waits } from "./run-parts.js";
import { losses, lost, proof_part } from "./run-proof.js";
import { tables_part } from "./run-tables.js";

export function run(page, id) {
  const state = { run: null, progress: null, has: {}, report: null, plan: null };
  let unfollow = null;
  let over = false;
  const draw = () => !over && state.run && page.show(...view(page, state, { tables, proof, log }));
  const tables = tables_part(draw);
  const proof = proof_part(draw);
  const log = log_part(id, draw);

  const load = async () => {
    try {
      const answer = await api.get(api.path`/runs/${id}`);
      if (over) return;
      Object.assign(state, { run: answer.run, has: answer.has, progress: answer.progress ?? state.progress });
      draw();
      await papers();
    } catch (error) {
      if (error.status && !over) page.show(head("This run cannot be shown", null, null, [["Runs", "#/runs"], [id]]), fault(error));
    }
  };
  // The plan says what was predicted, the report what became of it.
  const papers = async () => {
    if (state.has.plan && !state.plan) state.plan = await api.get(api.path`/runs/${id}/plan`).catch(() => null);
    if (state.has.report && state.run.state === "ended") state.report = await api.get(api.path`/runs/${id}/report`).catch(() => null);
    draw();
  };
  let said = null;
  const told = (kind) => {
    if (kind === "run") {
      if (said !== state.run.state) page.say(`The run is ${standing(state.run).word.toLowerCase()}.`);
      said = state.run.state;
      load();
    }
    draw();
  };

  load().then(() => {
    said = state.run?.state;
    if (!over && state.run && state.run.state !== "ended") unfollow = follow(id, state, told);
  });
  return () => {
    over = true;
    log.end();
    unfollow?.();
  };
}

function view(page, state, { tables, proof, log }) {
  const { run, progress, report } = state;
  const still = run.state === "ended";
  return [
    h("div", { class: "stack" },
      verdict(page, state),
      numbers(state),
      card("Throughput", { note: still ? "from the first row to the last" : "as it arrives; point at a curve to read it" }, curves(progress, report, still)),
      card("Stages", { note: h("span", null, "elapsed ", seconds(progress?.elapsed ?? run.seconds)) }, stages(run, progress)),
      h("div", { class: "grid" },
        [card("What it waits for", {}, waits(progress, report, still)), !still && card("Workers", {}, lanes(progress)), card("Task performance P", {}, performance(progress, report))]
          .filter(Boolean).map((part) => h("div", { class: still ? "half" : "third" }, part))),
      tables.view(progress, report),
      losses(state), proof.view(report), log.view(progress), about(state)),
  ];
}

/** How it stands, as large as it is important. */
function verdict(page, state) {
  const { run, progress, has } = state;
  const { word, tone, sign } = standing(run);
  const at = encodeURIComponent(run.id);
  const act = (verb, then) => async () => {
    try {
      const fresh = await api.post(`/api/v1/runs/${at}/${verb}`);
      if (then) page.go(`#/runs/${encodeURIComponent(fresh.id)}`);
      else page.say("The run stops at the next safe point.");
    } catch (error) {
      ask({ title: "That did not work", text: null, fields: [fault(error)], action: "Close", act: async () => {} });
    }
  };
  const stop = () => ask({ title: `Stop this run of ${run.migration}?`, action: "Stop the run", danger: true,
    text: "It stops at the next safe point. What is in stays in, and a retry goes on from there.", act: act("stop") });
  const ended = run.state === "ended";
  const buttons = [
    page.may.operate && ["running", "queued"].includes(run.state) && h("button", { class: "danger", onclick: stop }, "Stop…"),
    page.may.operate && ended && ["failed", "cancelled", "different"].includes(run.outcome) && h("button", { class: "primary", onclick: act("retry", true) }, "Retry"),
    page.may.operate && ended && run.task === "run" && ["verified", "copied", "rejected", "different"].includes(run.outcome)
      && h("button", { onclick: act("verify", true) }, "Verify again"),
    has.report && h("a", { class: "button", href: `/api/v1/runs/${at}/report.html`, target: "_blank", rel: "noopener" }, "Open the report"),
  ].filter(Boolean);
  const [done, all] = [progress?.rows ?? run.rows, progress?.rows_expected ?? run.rows_expected];
  return h("section", { class: `verdict ${tone}`, "aria-label": "How the run stands" },
    h("div", { class: "top" },
      h("div", null, trail([["Runs", "#/runs"], [run.migration, `#/migrations/${encodeURIComponent(run.migration)}`], [run.version ?? run.id]]),
        h("h1", { tabindex: "-1" }, h("span", { class: ended ? "mark" : "mark pulse", "aria-hidden": "true" }, icon(sign)), word),
        h("p", { class: "lead" }, sentence(state))),
      buttons.length > 0 && h("div", { class: "actions" }, buttons)),
    run.error?.length > 0 && wrong(run.error),
    run.task !== "plan" && h("div", null, yard(run, progress),
      h("div", { class: "scale" }, h("strong", null, ended && ["verified", "copied"].includes(run.outcome) ? "100\u00a0%" : percent(done, all)),
        h("span", null, left(state)))));
}

function left({ run, progress }) {
  if (run.state === "ended") return `took ${seconds(run.seconds)}`;
  if (progress?.seconds_left != null) return `about ${seconds(progress.seconds_left)} left${progress.stage === "verify" ? " to read back" : ""}`;
  return run.state === "queued" ? "waiting for its turn" : "time left not known yet";
}

function sentence({ run, progress, report }) {
  const of = [name(run.migration), ` ${run.version ?? ""}`];
  const rows = count(run.rows || progress?.rows || 0);
  switch (run.state === "ended" ? run.outcome : run.state) {
    case "queued": return [of, " waits for its turn."];
    case "stopping": return [of, " stops at the next safe point. What is in stays in."];
    case "running": return running(of, progress);
    case "planned": return [of, " is planned; nothing was moved."];
    case "verified": return [`All ${rows} rows of `, of, " are in, and the target was read back and is equal."];
    case "copied": return [`All ${rows} rows of `, of, " are in. Nobody has read them back yet."];
    case "rejected": return [of, ` is in, but for ${count(lost(report).rejected) || "some"} rows that went to reject files.`];
    case "different": return ["Source and target of ", of, " differ. The tables below say where."];
    case "failed": return [of, " ended with an error. What is in stays in; a retry goes on from there."];
    default: return [of, " was stopped. What is in stays in; a retry goes on from there."];
  }
}

const DOING = { study: "is studied: its tables are counted and cut into chunks", prepare: "is prepared: the target gets its tables", copy: "is on its way",
  finish: "is in; indexes and constraints are made", verify: "is in, and is read back now", references: "is in; names in rows are compared with objects" };
const running = (of, progress) => [of, ` ${DOING[progress?.stage] ?? "begins"}.`];

/** The error with its causes. The server puts its code before the first line, and what to do into the last. */
function wrong(lines) {
  const [, code, message] = /^(LS\d{4}): (.*)$/s.exec(lines[0]) ?? [];
  return code ? fault({ code, message, hint: lines.at(-1), causes: lines.slice(1, -1) })
    : fault({ message: lines[0], causes: lines.slice(1), hint: "Mend what is named here, then retry: the run goes on where it stopped." });
}

function numbers({ run, progress, report }) {
  const at = progress ?? run;
  const still = run.state === "ended";
  const time = progress?.performance?.total || run.seconds;
  const gone = lost(report);
  const rate = (value, all) => still ? (time > 0 ? all / time : 0) : value;
  return figures([
    ["Rows", count(at.rows), `of ${count(at.rows_expected)} · ${row_rate(rate(progress?.rows_per_second, at.rows))}`],
    ["Bytes", size(at.bytes), `of ${size(at.bytes_expected)} · ${size_rate(rate(progress?.bytes_per_second, at.bytes))}`],
    still ? ["Took", seconds(run.seconds), `ended ${moment(run.ended).slice(11)}`]
      : ["Time left", seconds(progress?.seconds_left), `${seconds(progress?.elapsed ?? run.seconds)} so far`],
    ["Lost or changed", report ? count(gone.values) : "–", report ? (gone.values === 0 ? "no value" : "values, by policy") : "counted at the end"],
    ["Read back", report ? count(gone.checked) : count(progress?.checked ?? 0), gone.verdict],
  ]);
}

function curves(progress, report, still) {
  const samples = arrived(progress?.samples?.length > 1 ? progress.samples : report?.samples ?? [], progress?.elapsed, still);
  if (!(samples.at(-1)?.rows > 0 && samples.at(-1).at > 0)) return h("p", { class: "soft" }, still ? "It was over before there was a curve to draw." : "The first rows are not in yet.");
  return h("div", { class: "plots" },
    plot({ title: "Rows", kind: "rows", samples, unit: row_rate, still }), plot({ title: "Bytes", kind: "bytes", samples, unit: size_rate, still }));
}

/** What arrived over time: until the last row for a run that is over, until now for one where nothing came for a while. */
function arrived(samples, elapsed, still) {
  const last = samples.at(-1);
  if (!last) return [];
  if (still) return samples.slice(0, samples.findIndex((sample) => sample.rows === last.rows && sample.bytes === last.bytes) + 1);
  return elapsed - last.at > 3 ? [...samples, { ...last, at: elapsed }] : samples;
}

function about({ run, progress }) {
  return card("About this run", {}, facts([
    ["Run", h("code", null, run.id)], ["Task", run.task], ["Where", run.on], ["Image", run.image && h("code", null, name(run.image))],
    ["Attempts", count(run.attempts)], ["Started by", name(run.by ?? "–")], ["Queued", moment(run.queued)],
    ["Started", run.started && [moment(run.started), " (", time(run.started), ")"]], ["Ended", run.ended && moment(run.ended)],
    ["Moves", progress?.moves?.length > 0 ? progress.moves.map((move) => h("div", null, h("code", null, name(move.from)), " → ", h("code", null, name(move.to)))) : null],
  ], true));
}
