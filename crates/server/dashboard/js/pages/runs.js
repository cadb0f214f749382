// Every run, the newest first, as many at a time as one can look at.

import * as api from "../api.js";
import { h } from "../dom.js";
import { counted } from "../format.js";
import { card, empty, fault, head, runs_table } from "../parts.js";

const STATES = [["", "All"], ["queued", "Queued"], ["running", "Running"], ["stopping", "Stopping"], ["ended", "Ended"], ["verified", "Verified"], ["copied", "Copied"], ["rejected", "Rows rejected"],
  ["different", "Different"], ["failed", "Failed"], ["cancelled", "Stopped"]];

export function runs(page) {
  const look = { state: "", migration: "", before: [] };
  const load = async () => {
    const before = look.before.at(-1);
    const query = new URLSearchParams({ limit: "50" });
    if (look.state) query.set("state", look.state);
    if (look.migration) query.set("migration", look.migration);
    if (before) query.set("before", before);
    try {
      const asked = query.toString();
      const answer = await api.get(`/api/v1/runs?${query}`);
      // A later question may have been asked in between.
      if (asked === query.toString()) page.show(...view(look, answer, change));
    } catch (error) {
      if (error.status) page.show(head("Runs"), fault(error));
    }
  };
  const change = (part) => {
    Object.assign(look, part);
    load();
  };
  return api.every(4000, load);
}

function view(look, { runs: list, next }, change) {
  const numbers = look.before.length;
  return [
    head("Runs", "Everything that was started here, the newest first."),
    card("Runs", { kind: "flush" },
      h("div", { class: "tools pad" },
        h("div", { class: "field wide" }, h("label", { for: "runs-of" }, "Migration"),
          h("input", { id: "runs-of", type: "search", placeholder: "Its whole name", onchange: (event) => change({ migration: event.target.value.trim(), before: [] }) })),
        h("div", { class: "field" }, h("label", { for: "runs-state" }, "State"),
          h("select", { id: "runs-state", value: look.state, onchange: (event) => change({ state: event.target.value, before: [] }) },
            STATES.map(([value, title]) => h("option", { value }, title))))),
      list.length > 0 ? runs_table(list, "Runs") : empty("No runs", look.state || look.migration ? "None is like this." : "Start a migration to see it here."),
      (next || numbers > 0) && h("div", { class: "pager" },
        h("span", { "aria-live": "polite" }, `Page ${numbers + 1}, ${counted(list.length, "run")}`),
        h("div", { class: "actions" },
          h("button", { disabled: numbers === 0, onclick: () => change({ before: look.before.slice(0, -1) }) }, "Newer"),
          h("button", { disabled: !next, onclick: () => change({ before: [...look.before, next] }) }, "Older")))),
  ];
}
