// What can be run, and a way to add to it.

import * as api from "../api.js";
import { ask, field } from "../dialog.js";
import { h } from "../dom.js";
import { count, counted } from "../format.js";
import { badge, card, empty, fault, head, name, time } from "../parts.js";

const SAMPLE = `longshore: v1
name: shop
version: 1.0.0
moves:
  - from: \${secret:SOURCE_URL}
    to: \${secret:TARGET_URL}
`;

export function migrations(page) {
  return api.every(5000, async () => {
    try {
      const { migrations: list } = await api.get("/api/v1/migrations");
      page.show(
        head("Migrations", "Each is a file that says what moves from where to where.",
          page.may.operate && h("button", { class: "primary", onclick: () => add(page) }, "Add a migration")),
        card("All migrations", { kind: "flush", note: counted(list.length, "migration") }, list.length > 0 ? table(list)
          : empty("No migrations yet", page.may.operate ? "Paste or upload a migration file; it is checked before it is kept." : "An operator can add one.")));
    } catch (error) {
      if (error.status) page.show(head("Migrations"), fault(error));
    }
  });
}

function table(list) {
  const title = (text, number) => h("th", { scope: "col", class: number && "number" }, text);
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "All migrations" },
    h("table", { class: "folds" }, h("caption", { class: "unseen" }, "All migrations"),
      h("thead", null, h("tr", null, title("Name"), title("Newest"), title("Versions", true), title("From and to"), title("Last run"), title("Added"))),
      h("tbody", null, list.map((one) => h("tr", { "data-key": one.name },
        h("th", { scope: "row", class: "name" }, h("a", { href: `#/migrations/${encodeURIComponent(one.name)}` }, name(one.name))),
        h("td", { "data-title": "Newest" }, one.latest),
        h("td", { "data-title": "Versions", class: "number" }, count(one.versions)),
        h("td", { "data-title": "From and to", class: "whole" }, one.moves.slice(0, 3).map((move) =>
          h("div", null, h("code", null, name(move.from)), " → ", h("code", null, name(move.to)))),
        one.moves.length > 3 && h("div", { class: "soft small" }, `and ${counted(one.moves.length - 3, "move")} more`)),
        h("td", { "data-title": "Last run" }, one.last_run ? [h("a", { href: `#/runs/${encodeURIComponent(one.last_run.id)}`, "aria-label": `Last run of ${one.name}` },
          badge(one.last_run)), " ", h("span", { class: "soft small nowrap" }, time(one.last_run.ended ?? one.last_run.queued))] : h("span", { class: "soft" }, "never")),
        h("td", { "data-title": "Added", class: "soft" }, time(one.added), " by ", name(one.by ?? "–")))))));
}

/** Asks for a migration file, as text or as a file. */
export function add(page, text) {
  const yaml = h("textarea", { name: "yaml", required: true, spellcheck: "false", placeholder: SAMPLE });
  yaml.value = text ?? "";
  const file = h("input", { type: "file", accept: ".yaml,.yml,text/yaml,application/yaml", onchange: async () => {
    if (file.files[0]) yaml.value = await file.files[0].text();
  } });
  ask({
    title: text ? "A new version" : "Add a migration", action: "Check and add", wide: true,
    text: "Addresses with passwords belong into secrets of the server: the file only names them.",
    fields: [field("Migration file, YAML", yaml), field("Or upload one", file)],
    act: async () => {
      const added = await api.post_text("/api/v1/migrations", yaml.value);
      page.say(`${added.name} ${added.version} is added.`);
      page.go(`#/migrations/${encodeURIComponent(added.name)}`);
    },
  });
}
