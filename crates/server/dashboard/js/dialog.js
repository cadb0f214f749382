// Questions in front of the page. The browser keeps the focus inside and gives it back.

import { h } from "./dom.js";
import { fault } from "./parts.js";

/** Opens a dialog with a form. `act(values)` may fail; what it says is shown and the dialog stays. */
export function ask({ title, text, fields = [], action, danger, wide, act }) {
  const trouble = h("div", { hidden: true });
  const go = h("button", { class: danger ? "primary danger" : "primary", type: "submit" }, action);
  const close = () => {
    dialog.close();
    dialog.remove();
  };
  const submit = async (event) => {
    event.preventDefault();
    go.disabled = true;
    trouble.hidden = true;
    try {
      const after = await act(Object.fromEntries(new FormData(form)));
      if (after instanceof Node) {
        form.replaceChildren(h("h2", { id: "asked" }, title), after,
          h("div", { class: "actions" }, h("button", { type: "button", class: "primary", onclick: close }, "Done")));
        form.querySelector(".actions button").focus();
      } else {
        close();
      }
    } catch (error) {
      trouble.replaceChildren(fault(error));
      trouble.hidden = false;
    }
    go.disabled = false;
  };
  const form = h("form", { method: "dialog", onsubmit: submit },
    h("h2", { id: "asked" }, title), text && h("p", null, text), fields, trouble,
    h("div", { class: "actions" }, h("button", { type: "button", onclick: close }, "Cancel"), go));
  const dialog = h("dialog", { "aria-labelledby": "asked", class: wide ? "wide" : null, oncancel: () => dialog.remove() }, form);
  document.body.append(dialog);
  dialog.showModal();
}

let fields = 0;

/** A labelled field around an input, a list or a text. */
export function field(label, control, note) {
  control.id ||= `field-${++fields}`;
  if (note) control.setAttribute("aria-describedby", `${control.id}-note`);
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control,
    note && h("p", { class: "soft small", id: `${control.id}-note` }, note));
}

/** A list of choices, `[value, words]`. */
export const choice = (name, options, value) => h("select", { name, value },
  options.map(([key, words]) => h("option", { value: key, selected: key === value }, words)));
