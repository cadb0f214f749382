// The way in: a token.

import * as api from "../api.js";
import { field } from "../dialog.js";
import { h } from "../dom.js";
import { mark } from "../icons.js";
import { fault } from "../parts.js";

export function sign_in(note, done) {
  const trouble = h("div", { hidden: true });
  const token = h("input", { type: "password", name: "token", autocomplete: "current-password", required: true, spellcheck: "false" });
  const go = h("button", { class: "primary", type: "submit" }, "Sign in");
  const submit = async (event) => {
    event.preventDefault();
    go.disabled = true;
    trouble.hidden = true;
    try {
      return done(await api.post("/api/v1/session", { token: token.value.trim() }));
    } catch (error) {
      trouble.replaceChildren(fault(error));
      trouble.hidden = false;
      token.focus();
      token.select();
    }
    go.disabled = false;
  };
  return h("div", { class: "sign-in" },
    h("h1", { class: "brand" }, mark(), "Longshore"),
    note && h("p", { role: "status" }, note),
    h("section", { class: "card", "aria-labelledby": "sign-in" },
      h("form", { onsubmit: submit },
        h("h2", { id: "sign-in" }, "Sign in"),
        field("Token", token, "The first start of the server shows one. Others are made in the settings, or by longshore token."), trouble, go)));
}
