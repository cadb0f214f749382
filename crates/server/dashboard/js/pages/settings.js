// Who may do what, and who did what.

import * as api from "../api.js";
import { ask, choice, field } from "../dialog.js";
import { h } from "../dom.js";
import { counted, moment } from "../format.js";
import { card, empty, facts, fault, head, name, time } from "../parts.js";

const ROLES = [["viewer", "viewer: looks"], ["operator", "operator: starts and stops"], ["admin", "admin: everything"]];

export function settings(page) {
  let before = [];
  const load = async () => {
    try {
      const query = before.length > 0 ? `&before=${before.at(-1)}` : "";
      const [tokens, audit] = page.may.administer
        ? await Promise.all([api.get("/api/v1/tokens"), api.get(`/api/v1/audit?limit=50${query}`)]) : [null, null];
      page.show(head("Settings"), h("div", { class: "stack" }, own(page), tokens && keys(page, tokens.tokens, load),
        audit && log(audit, before, (next) => { before = next; load(); })));
    } catch (error) {
      if (error.status) page.show(head("Settings"), fault(error));
    }
  };
  return api.every(8000, load);
}

function own(page) {
  const { user, role, version } = page.session;
  return card("You", { note: h("span", { class: "actions" }, h("button", { class: "plain", onclick: page.turn_theme }, "Change colours"),
    h("button", { class: "plain", onclick: page.sign_out }, "Sign out of this browser")) },
  facts([["Token", name(user)], ["Role", role], ["Server", `Longshore ${version}`],
    ["API", [h("a", { href: "/api/v1/openapi.json" }, "OpenAPI"), " · ", h("a", { href: "/metrics" }, "metrics")]]]));
}

function keys(page, tokens, load) {
  return card("Tokens", { kind: "flush", note: h("button", { onclick: () => make(page, load) }, "New token…") },
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Tokens" }, h("table", { class: "folds" }, h("caption", { class: "unseen" }, "Tokens"),
      h("thead", null, h("tr", null, ["Name", "Role", "Made", "By", "Last used"].map((text) => h("th", { scope: "col" }, text)),
        h("th", { scope: "col" }, h("span", { class: "unseen" }, "Revoke")))),
      h("tbody", null, tokens.map((token) => h("tr", { "data-key": token.name },
        h("th", { scope: "row", class: "name" }, name(token.name)), h("td", { "data-title": "Role" }, token.role),
        h("td", { "data-title": "Made" }, time(token.made)), h("td", { "data-title": "By" }, name(token.by ?? "–")),
        h("td", { "data-title": "Last used" }, token.used ? time(token.used) : "never"),
        h("td", { class: "number whole" }, h("button", { class: "danger", "aria-label": `Revoke ${token.name}`, onclick: () => revoke(page, token, load) }, "Revoke"))))))));
}

function make(page, load) {
  ask({
    title: "A new token", action: "Make", text: "Whoever has it may do what its role may. It is shown once and stored as a hash.",
    fields: [field("Name", h("input", { name: "name", required: true, spellcheck: "false", autocomplete: "off" }), "For whom or what it is."), field("Role", choice("role", ROLES, "viewer"))],
    act: async (values) => {
      const made = await api.post("/api/v1/tokens", values);
      load();
      page.say("The token is made.");
      return h("div", { class: "stack" }, h("p", null, `Token of ${made.name}, ${made.role}. Copy it now; it is not shown again.`),
        h("p", { class: "secret", "data-token": "" }, made.token),
        navigator.clipboard && h("div", null, h("button", { type: "button", onclick: () => navigator.clipboard.writeText(made.token) }, "Copy")));
    },
  });
}

function revoke(page, token, load) {
  ask({
    title: `Revoke ${token.name}?`, action: "Revoke", danger: true, text: "Who uses it is signed out at once.",
    act: async () => {
      await api.remove(api.path`/tokens/${token.name}`);
      page.say(`${token.name} is revoked.`);
      load();
    },
  });
}

function log(audit, before, turn) {
  return card("Audit log", { kind: "flush", note: "Who did what, the newest first" },
    audit.entries.length === 0 ? empty("Nothing yet", null) : h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Audit log" }, h("table", { class: "folds" }, h("caption", { class: "unseen" }, "Audit log"),
      h("thead", null, h("tr", null, ["When", "Who", "What", "On what", "How it ended"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", null, audit.entries.map((entry) => h("tr", { "data-key": entry.id },
        h("th", { scope: "row", class: "nowrap" }, moment(entry.at)), h("td", { "data-title": "Who" }, name(entry.who)), h("td", { "data-title": "What" }, entry.action),
        h("td", { "data-title": "On what", class: "name" }, name(entry.subject ?? "–")), h("td", { "data-title": "How it ended" }, entry.outcome)))))),
    (audit.next || before.length > 0) && h("div", { class: "pager" }, h("span", null, `Page ${before.length + 1}, ${counted(audit.entries.length, "entry").replace("entrys", "entries")}`),
      h("div", { class: "actions" }, h("button", { disabled: before.length === 0, onclick: () => turn(before.slice(0, -1)) }, "Newer"),
        h("button", { disabled: !audit.next, onclick: () => turn([...before, audit.next]) }, "Older"))));
}
