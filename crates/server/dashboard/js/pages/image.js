// One image: its size S as the sum of its layers, and what of it others use too.

import * as api from "../api.js";
import { ask, field } from "../dialog.js";
import { h } from "../dom.js";
import { counted, digest, percent, size } from "../format.js";
import { badge, card, facts, name, parts, time } from "../parts.js";

export function image_card(page, image) {
  const title = `${image.repository}:${image.tag}`;
  return card(title, { note: page.may.operate && h("button", { class: "plain", onclick: () => promote(page, image), "aria-label": `Promote ${title}` }, "Promote…") },
    h("div", { class: "stack" }, layers(image), facts([
      ["Digest", h("code", { title: image.digest }, digest(image.digest))],
      ["Created", image.created && !image.created.startsWith("1970") ? time(image.created) : null],
      ["Migration", image.migration ? h("a", { href: `#/migrations/${encodeURIComponent(image.migration)}` }, name(`${image.migration} ${image.version ?? ""}`)) : null],
      ["Plan", image.plan ? h("code", { title: image.plan }, digest(image.plan)) : null],
      ["Signatures", image.signatures > 0 ? h("span", { class: "done-note" }, counted(image.signatures, "signature")) : h("span", { class: "soft" }, "not signed")],
      ["Evidence", image.evidence.length > 0 ? h("span", { class: "actions" }, image.evidence.slice(0, 5).map((each) =>
        h("a", { href: `#/runs/${encodeURIComponent(each.run)}`, "aria-label": `Run ${each.run}, ${each.outcome}` }, badge({ state: "ended", outcome: each.outcome })))) : h("span", { class: "soft" }, "no run has been attested")],
    ])));
}

function layers(image) {
  const shared = Math.max(0, image.size - image.unique);
  return h("div", null,
    h("p", { class: "formula" }, `S = ${image.layers.map((layer) => size(layer.size)).join(" + ")} = ${size(image.size)}`),
    h("div", { class: "layers-bar" }, parts([["unique", "Of its own", image.unique, size(image.unique)],
      ["shared", "Shared with others", shared, size(shared)]], `Size of ${image.repository}:${image.tag}`,
      image.layers.map((layer) => [layer.shared_by > 1 ? "shared" : "unique", layer.size]))),
    h("details", null, h("summary", null, counted(image.layers.length, "layer")),
      h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Layers" }, h("table", { class: "folds" },
        h("caption", { class: "unseen" }, "Layers, the lowest first"),
        h("thead", null, h("tr", null, h("th", { scope: "col" }, "Layer"), h("th", { scope: "col", class: "number" }, "Size"), h("th", { scope: "col", class: "number" }, "Of S"), h("th", { scope: "col", class: "number" }, "Images with it"))),
        h("tbody", null, image.layers.map((layer) => h("tr", null,
          h("th", { scope: "row" }, h("code", { title: layer.digest }, digest(layer.digest))),
          h("td", { "data-title": "Size", class: "number" }, size(layer.size)),
          h("td", { "data-title": "Of S", class: "number" }, percent(layer.size, image.size)),
          h("td", { "data-title": "Images with it", class: "number" }, layer.shared_by))))))));
}

function promote(page, image) {
  const from = `${image.repository}:${image.tag}`;
  ask({
    title: `Promote ${from}`, action: "Promote", text: "The same bytes get a second name, with signatures and evidence.",
    fields: [field("To", h("input", { name: "to", required: true, value: `${image.repository}:production`, spellcheck: "false" }), "repository:tag")],
    act: async ({ to }) => {
      await api.post("/api/v1/images/promote", { from, to });
      page.say(`${from} is now ${to} too.`);
      page.refresh();
    },
  });
}
