// One migration: what it says, what it did, its images, and when it runs next.

import * as api from "../api.js";
import { ask, choice, field } from "../dialog.js";
import { h } from "../dom.js";
import { counted, digest } from "../format.js";
import { card, empty, facts, fault, head, name, runs_table, time } from "../parts.js";
import { image_card } from "./image.js";
import { add } from "./migrations.js";

const WHERE = [["here", "Here, on this server"], ["docker", "Docker"], ["podman", "Podman"], ["local", "This machine, confined"]];
const LEVELS = [["", "As the migration says"], ["full", "Every row"], ["sample", "A sample"], ["count", "Counts only"], ["none", "Not at all"]];
const TASKS = [["run", "Run"], ["plan", "Plan only"], ["verify", "Verify only"]];

export function migration(page, id) {
  let chosen = null;
  let latest = null;
  const draw = () => latest && page.show(...view(page, latest, chosen, (version) => {
    chosen = version;
    draw();
  }));
  return api.every(4000, async () => {
    try {
      const [one, { schedules }] = await Promise.all([api.get(api.path`/migrations/${id}`), api.get("/api/v1/schedules")]);
      latest = { one, schedules: schedules.filter((schedule) => schedule.migration === id) };
      draw();
    } catch (error) {
      if (error.status) page.show(head(id, null, null, [["Migrations", "#/migrations"], [id]]), fault(error));
    }
  });
}

function view(page, { one, schedules }, chosen, choose) {
  const version = one.versions.find((each) => each.version === chosen) ?? newest(one.versions);
  const actions = page.may.operate && version && [
    h("button", { class: "primary", onclick: () => start(page, one, version) }, "Start…"),
    h("button", { onclick: () => add(page, version.spec) }, "New version…"),
    h("button", { class: "danger", onclick: () => drop(page, one) }, "Remove…")];
  return [
    head(name(one.name), version && [`Version ${version.version}, added `, time(version.added), " by ", name(version.by ?? "–"), "."], actions, [["Migrations", "#/migrations"], [one.name]]),
    h("div", { class: "stack" },
      version && moves(version),
      card("Runs", { kind: "flush", note: counted(one.runs.length, "run") }, one.runs.length > 0 ? runs_table(one.runs, `Runs of ${one.name}`)
        : empty("Never run", "Start it, or plan it first to see what will happen.")),
      h("div", { class: "grid" },
        h("div", { class: "half stack" }, version && spec(one, version, choose)),
        h("div", { class: "half stack" }, times(page, one, schedules), images(page, one.images)))),
  ];
}

/** They come with the newest first. */
const newest = (versions) => versions[0] ?? null;

function moves(version) {
  return card(version.moves.length === 1 ? "The move" : "Moves", {}, h("ul", { class: "list" }, version.moves.map((move) =>
    h("li", { class: "route" }, h("code", null, name(move.from)), h("span", { class: "arrow", "aria-label": "to" }, "→"), h("code", null, name(move.to))))));
}

function spec(one, version, choose) {
  return card("The file", { note: one.versions.length > 1 ? h("select", { "aria-label": "Version", value: version.version, onchange: (event) => choose(event.target.value) },
    one.versions.map((each) => h("option", { value: each.version, selected: each.version === version.version }, each.version))) : version.version },
  h("pre", { class: "spec", tabindex: "0", "aria-label": `Migration file of ${one.name} ${version.version}` }, version.spec),
  facts([["Digest", h("code", { title: version.digest }, digest(version.digest))], ["Versions", one.versions.map((each) => each.version).join(", ")]]));
}

function images(page, list) {
  if (!list || list.length === 0) {
    return card("Images", {}, empty("No image of this migration", "longshore build seals it into one, push brings it into the registry."));
  }
  return list.map((image) => image_card(page, image));
}

/** Asks how to start, and goes to the run. A migration runs in the server, an image wherever images run. */
export function start(page, one, version) {
  const versions = one.versions.map((each) => [`version ${each.version}`, `Version ${each.version}, from its file`]);
  const images = (one.images ?? []).map(({ repository, tag }) => [`image ${repository}:${tag}`, `Image ${repository}:${tag}`]);
  const where = choice("on", WHERE, "here");
  const what = choice("what", [...versions, ...images], `version ${version.version}`);
  const narrow = () => {
    where.disabled = what.value.startsWith("version ");
    if (where.disabled) where.value = "here";
  };
  what.addEventListener("change", narrow);
  narrow();
  ask({
    title: `Start ${one.name}`, action: "Start",
    fields: [
      field("What", what),
      h("div", { class: "form-row" }, field("Task", choice("task", TASKS, "run")), field("Where", where)),
      field("Read back and compare", choice("verify", LEVELS, "")),
    ],
    act: async ({ task, on, verify }) => {
      const [kind, ...rest] = what.value.split(" ");
      const of = kind === "image" ? { image: rest.join(" ") } : { migration: one.name, version: rest.join(" ") };
      const run = await api.post("/api/v1/runs", { ...of, on: on ?? "here", task, verify: verify || null });
      page.say(`A run of ${one.name} has started.`);
      page.go(`#/runs/${encodeURIComponent(run.id)}`);
    },
  });
}

function drop(page, one) {
  ask({
    title: `Remove ${one.name}?`, action: "Remove", danger: true, text: "Its versions go; what its runs did stays on record, and data is not touched.",
    act: async () => {
      await api.remove(api.path`/migrations/${one.name}`);
      page.go("#/migrations");
    },
  });
}

function times(page, one, schedules) {
  const remove = async (schedule) => {
    try {
      await api.remove(api.path`/schedules/${schedule.id}`);
      page.say("The schedule is removed.");
      page.refresh();
    } catch (error) {
      page.say(error.message);
    }
  };
  return card("Schedules", { note: page.may.operate && h("button", { class: "plain", onclick: () => plan(page, one) }, "Add…") },
    schedules.length === 0 ? h("p", { class: "soft" }, "It starts when somebody starts it.")
      : h("ul", { class: "list" }, schedules.map((schedule) => h("li", { class: "line-of" },
        h("div", null, h("span", { class: "strong" }, schedule.cron ? h("code", null, schedule.cron) : "Once"), ` · ${schedule.version ?? "newest version"} · next `,
          time(schedule.next ?? schedule.at), " · by ", name(schedule.by ?? "–")),
        page.may.operate && h("button", { class: "plain", "aria-label": `Remove the schedule ${schedule.cron ?? schedule.at}`, onclick: () => remove(schedule) }, "Remove")))));
}

function plan(page, one) {
  ask({
    title: `When ${one.name} runs`, action: "Add",
    fields: [
      field("Version", choice("version", [["", "The newest"], ...one.versions.map((each) => [each.version, each.version])], "")),
      h("div", { class: "form-row" },
        field("Once, at (UTC)", h("input", { type: "datetime-local", name: "at" })),
        field("Or again and again, cron", h("input", { name: "cron", placeholder: "0 3 * * *", spellcheck: "false" }))),
    ],
    act: async ({ version, at, cron }) => {
      await api.post("/api/v1/schedules", { migration: one.name, version: version || null, ...(cron ? { cron } : { at: `${at}:00Z` }) });
      page.refresh();
    },
  });
}
