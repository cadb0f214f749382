// The registry: repositories, what they take, and the images in them.

import * as api from "../api.js";
import { h } from "../dom.js";
import { count, counted, percent, size } from "../format.js";
import { capacity, card, empty, fault, figures, head, name } from "../parts.js";
import { image_card } from "./image.js";
import { utilisation } from "./overview.js";

const AT_ONCE = 30;

export function images(page) {
  let shown = AT_ONCE;
  let text = "";
  let latest = null;
  const draw = () => latest && page.show(...view(page, latest, text, shown, {
    find: (value) => { text = value; draw(); },
    more: () => { shown += AT_ONCE; draw(); },
  }));
  return api.every(10000, async () => {
    try {
      const { images: list, registry: mounted } = await api.get("/api/v1/images");
      latest = { list, registry: mounted ? await api.get("/api/v1/registry") : null };
      draw();
    } catch (error) {
      if (error.status) page.show(head("Images"), fault(error));
    }
  });
}

function view(page, { list, registry }, text, shown, turn) {
  const title = head("Images", "Migrations sealed with their plan and the engine: the same bytes everywhere.");
  if (!registry) {
    return [title, h("section", { class: "card", "aria-label": "Images" },
      empty("No registry here", "Start the server with a folder for a registry, and images that are pushed to it appear here."))];
  }
  const found = list.filter((image) => `${image.repository}:${image.tag}`.includes(text));
  return [title, h("div", { class: "stack" },
    figures([
      ["Images", count(registry.capacity.images), counted(registry.repositories.length, "repository").replace("repositorys", "repositories")],
      ["Capacity C, together", size(registry.capacity.together), "each layer counted once"],
      ["Capacity C, apart", size(registry.capacity.apart), "each image for itself"],
      ["Saved by sharing", percent(registry.capacity.apart - registry.capacity.together, registry.capacity.apart), size(registry.capacity.apart - registry.capacity.together)],
      ["Utilisation R", registry.utilisation.ratio === null ? "–" : Number(registry.utilisation.ratio).toFixed(2), "1 is always busy"],
    ]),
    h("div", { class: "grid" },
      h("div", { class: "half" }, card("Capacity C", {}, capacity(registry))),
      h("div", { class: "half" }, card("Utilisation R", {}, utilisation(registry.utilisation)))),
    registry.repositories.length > 0 && card("Repositories", { kind: "flush" }, repositories(registry.repositories)),
    list.length > 6 && h("div", { class: "field" }, h("label", { for: "find-image" }, "Find an image"),
      h("input", { id: "find-image", type: "search", value: text, oninput: (event) => turn.find(event.target.value) })),
    list.length === 0 ? h("section", { class: "card", "aria-label": "Images" }, empty("The registry is empty", "longshore push brings an image here."))
      : h("div", { class: "grid" }, found.slice(0, shown).map((image) =>
        h("div", { class: "half vast", "data-key": `${image.repository}:${image.tag}` }, image_card(page, image)))),
    found.length > shown && h("div", { class: "actions" }, h("button", { onclick: turn.more }, `Show more of ${counted(found.length, "image")}`)))];
}

function repositories(list) {
  const number = (text) => h("th", { scope: "col", class: "number" }, text);
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Repositories" },
    h("table", { class: "folds" }, h("caption", { class: "unseen" }, "Repositories"),
      h("thead", null, h("tr", null, h("th", { scope: "col" }, "Repository"), number("Tags"), number("Together"), number("Apart"), number("Saved"))),
      h("tbody", null, list.map((each) => h("tr", { "data-key": each.name },
        h("th", { scope: "row", class: "name" }, name(each.name)),
        h("td", { "data-title": "Tags", class: "number" }, count(each.tags)),
        h("td", { "data-title": "Together", class: "number" }, size(each.together)),
        h("td", { "data-title": "Apart", class: "number" }, size(each.apart)),
        h("td", { "data-title": "Saved", class: "number" }, percent(each.apart - each.together, each.apart)))))));
}
