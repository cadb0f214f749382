// What a run said: its messages, and every event of its log, followed as it grows.

import * as api from "../api.js";
import { h } from "../dom.js";
import { seconds } from "../format.js";
import { card } from "../parts.js";

const KEPT = 500;

/** Keeps the lines of a log; `draw` shows the page again. */
export function log_part(id, draw) {
  const look = { open: false, lines: [], next: 0, dropped: false, follow: true, trouble: null };
  let end = null;

  const load = async () => {
    try {
      for (let more = true; more;) {
        const answer = await api.get(`/api/v1/runs/${encodeURIComponent(id)}/log?from=${look.next}&limit=${KEPT}`);
        more = answer.lines.length === KEPT && answer.next !== look.next;
        look.next = answer.next;
        look.lines.push(...answer.lines);
        look.dropped ||= look.lines.length > KEPT;
        look.lines = look.lines.slice(-KEPT);
      }
      look.trouble = null;
    } catch (error) {
      look.trouble = error.status ? error.message : null;
    }
    draw();
    const box = document.getElementById("log-lines");
    if (look.follow && box) box.scrollTop = box.scrollHeight;
  };
  const turn = () => {
    look.open = !look.open;
    if (look.open) end = api.every(2000, load);
    else end?.();
    draw();
  };
  const change = (event) => { look.follow = event.target.checked; };

  return {
    end: () => end?.(),
    view(progress) {
      const messages = progress?.messages ?? [];
      return card("Messages and log", { kind: "flush", note: h("button", { class: "plain", "aria-expanded": String(look.open), onclick: turn }, look.open ? "Hide the log" : "Show the log") },
        messages.length > 0 ? h("div", { class: "log", role: "log", "aria-label": "Messages", tabindex: "0" }, messages.slice(-100).map(message))
          : h("p", { class: "soft pad with-end" }, "Nothing was said."),
        look.open && [
          h("div", { class: "pager" }, h("label", { class: "check" }, h("input", { type: "checkbox", checked: look.follow, onchange: change }), "Follow the end"),
            h("span", null, look.trouble ?? (look.dropped ? `the last ${KEPT} lines` : `${look.lines.length} lines`))),
          h("div", { class: "log", id: "log-lines", tabindex: "0", role: "region", "aria-label": "Log" }, look.lines.map(line)),
        ]);
    },
  };
}

const message = (one) => h("p", { class: one.level }, h("span", { class: "at" }, seconds(one.at)), h("span", { class: "event" }, one.level), h("span", null, one.text));

function line({ at, event, ...rest }) {
  const words = Object.entries(rest).map(([key, value]) => `${key}=${typeof value === "object" ? JSON.stringify(value) : value}`).join("  ");
  return h("p", null, h("span", { class: "at" }, typeof at === "number" ? `${at.toFixed(2)}\u00a0s` : ""), h("span", { class: "event" }, event ?? ""), h("span", null, words.slice(0, 400)));
}
