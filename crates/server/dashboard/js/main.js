// The frame: session, navigation, which page is shown, and what is said when the server is gone.

import * as api from "./api.js";
import { h, show } from "./dom.js";
import { icon, mark } from "./icons.js";
import { fault, head } from "./parts.js";
import { page_of } from "./router.js";
import { sign_in } from "./pages/signin.js";

const bar = document.getElementById("bar");
const banner = document.getElementById("banner");
const main = document.getElementById("main");
const said = document.getElementById("said");
const PAGES = [["overview", "Overview"], ["migrations", "Migrations"], ["runs", "Runs"], ["images", "Images"], ["settings", "Settings"]];

let session = null;
let close = null;

/** What a page gets: who is there, what she may, and ways to show, to say and to go. */
function context() {
  const rank = { viewer: 0, operator: 1, admin: 2 }[session.role] ?? 0;
  const root = h("div");
  main.replaceChildren(root);
  return {
    session,
    may: { operate: rank >= 1, administer: rank >= 2 },
    show: (...children) => root.isConnected && show(root, ...children),
    say: (text) => { said.textContent = text; },
    go: (to) => { location.hash = to; },
    refresh: route,
    sign_out,
    turn_theme,
  };
}

/** A page and what ends it; a link to the same place shows it anew. */
function route() {
  close?.();
  close = null;
  document.querySelectorAll("dialog").forEach((dialog) => dialog.remove());
  if (!session) return show_sign_in();
  const [name, start, args] = page_of(location.hash);
  document.title = `${PAGES.find(([key]) => key === name)?.[1] ?? "Longshore"} – Longshore`;
  show_bar(name);
  const tools = context();
  if (!start) {
    tools.show(head("There is nothing here", "This address leads nowhere."), h("p", null, h("a", { href: "#/overview" }, "To the overview")));
    return;
  }
  tools.show(h("p", { class: "wait", role: "status" }, "Loading…"));
  try {
    close = start(tools, ...args);
  } catch (error) {
    tools.show(fault(error, route));
  }
}

function show_bar(current) {
  const theme = document.documentElement.dataset.theme ?? "system";
  bar.hidden = false;
  show(bar, h("div", null,
    h("a", { class: "brand", href: "#/overview" }, mark(), "Longshore"),
    h("nav", { "aria-label": "Main" }, h("ul", null, PAGES.map(([key, title]) =>
      h("li", null, h("a", { href: `#/${key}`, "aria-current": key === current ? "page" : null }, icon(key), h("span", null, title)))))),
    h("div", { class: "who" },
      h("p", null, h("bdi", null, session.user), ` · ${session.role}`),
      h("div", { class: "pair" },
        h("button", { type: "button", onclick: turn_theme, "aria-label": `Colours: ${theme}. Change` }, `Theme: ${theme}`),
        h("button", { type: "button", onclick: sign_out }, "Sign out")))));
}

/** From the system's choice to light, dark and back. */
function turn_theme() {
  const root = document.documentElement;
  const next = { undefined: "light", light: "dark", dark: undefined }[root.dataset.theme];
  if (next) {
    root.dataset.theme = next;
    localStorage.setItem("longshore.theme", next);
  } else {
    delete root.dataset.theme;
    localStorage.removeItem("longshore.theme");
  }
  if (session) show_bar(page_of(location.hash)[0]);
}

function show_sign_in(note) {
  bar.hidden = true;
  document.title = "Sign in – Longshore";
  main.replaceChildren(sign_in(note, (fresh) => {
    session = fresh;
    localStorage.setItem("longshore.signed-in", "yes");
    route();
    main.focus();
  }));
}

async function sign_out() {
  await api.remove("/api/v1/session").catch(() => {});
  signed_out();
}

function signed_out(note) {
  close?.();
  close = null;
  session = null;
  localStorage.removeItem("longshore.signed-in");
  document.querySelectorAll("dialog").forEach((dialog) => dialog.remove());
  show_sign_in(note);
}

api.state.on_signed_out = () => session && signed_out("The session has ended.");
api.state.on_change = (online) => {
  banner.hidden = online;
  banner.textContent = online ? "" : "The server does not answer. This page goes on when it is back.";
  if (online) {
    said.textContent = "The server is back.";
    session ? route() : boot();
  }
};

/** Asks who is there, unless nobody has signed in here. */
async function boot() {
  if (localStorage.getItem("longshore.signed-in")) {
    try {
      session = await api.get("/api/v1/session");
    } catch (error) {
      if (error.status !== 401 && error.status !== 0) return main.replaceChildren(fault(error, boot));
      if (error.status === 0) return main.replaceChildren(h("p", { class: "wait" }, "Waiting for the server…"));
      localStorage.removeItem("longshore.signed-in");
    }
  }
  route();
}

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
window.addEventListener("hashchange", () => {
  route();
  window.scrollTo(0, 0);
  main.focus({ preventScroll: true });
});
boot();
