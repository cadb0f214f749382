// A table of many rows: sorted, filtered and shown a page at a time, so that 5,000 are as quick as five.

import { h } from "./dom.js";
import { count, counted } from "./format.js";

const PAGE = 50;

/**
 * Keeps how a table is looked at. `columns` are `{key, title, number, value(row), cell(row), whole}`;
 * `changed` shows the page again.
 */
export function many_rows(columns, sort, changed) {
  const look = { sort, down: true, text: "", filter: "", page: 0 };
  const change = (part) => {
    Object.assign(look, part);
    changed();
  };

  const ordered = (rows) => {
    const column = columns.find((one) => one.key === look.sort);
    if (!column) return rows;
    const sign = look.down ? -1 : 1;
    const value = column.value;
    return [...rows].sort((a, b) => {
      const [left, right] = [value(a), value(b)];
      return sign * (typeof left === "string" ? left.localeCompare(right) : left - right);
    });
  };

  const header = (column) => {
    const on = look.sort === column.key;
    const sorted = on ? (look.down ? "descending" : "ascending") : null;
    const turn = () => change({ sort: column.key, down: on ? !look.down : column.number === true, page: 0 });
    return h("th", { scope: "col", class: column.number ? "number" : null, "aria-sort": sorted },
      column.value ? h("button", { type: "button", onclick: turn }, column.title) : column.title);
  };

  const line = (key, row) => h("tr", { "data-key": key(row) }, columns.map((column, index) =>
    h(index === 0 ? "th" : "td", { scope: index === 0 ? "row" : null, "data-title": index === 0 ? null : column.title,
      class: [column.number && "number", index === 0 && "name", column.whole && "whole"].filter(Boolean).join(" ") || null },
    column.cell(row))));

  /** The table of some rows; `filters` are `[value, words, test]`. */
  const view = ({ rows, caption, key, text, filters }) => {
    const test = filters?.find(([value]) => value === look.filter)?.[2];
    const words = look.text.toLowerCase();
    const found = rows.filter((row) => (!words || text(row).toLowerCase().includes(words)) && (!test || test(row)));
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    const page = Math.min(look.page, pages - 1);
    const shown = ordered(found).slice(page * PAGE, (page + 1) * PAGE);
    return [
      rows.length > 12 && h("div", { class: "tools pad" },
        h("div", { class: "field wide" }, h("label", { for: `${caption}-find` }, "Find by name"),
          h("input", { id: `${caption}-find`, type: "search", value: look.text, oninput: (event) => change({ text: event.target.value, page: 0 }) })),
        filters && h("div", { class: "field" }, h("label", { for: `${caption}-show` }, "Show"),
          h("select", { id: `${caption}-show`, value: look.filter, onchange: (event) => change({ filter: event.target.value, page: 0 }) },
            filters.map(([value, title]) => h("option", { value }, title))))),
      h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
        h("table", { class: "folds" }, h("caption", { class: "unseen" }, caption),
          h("thead", null, h("tr", null, columns.map(header))), h("tbody", null, shown.map((row) => line(key, row))))),
      found.length === 0 && h("p", { class: "wait" }, "Nothing matches."),
      (pages > 1 || found.length !== rows.length) && h("div", { class: "pager" },
        h("span", { "aria-live": "polite" }, pages > 1
          ? `${count(page * PAGE + 1)} to ${count(Math.min(found.length, (page + 1) * PAGE))} of ${counted(found.length, "row")}`
          : counted(found.length, "row")),
        pages > 1 && h("div", { class: "actions" },
          h("button", { type: "button", disabled: page === 0, onclick: () => change({ page: page - 1 }) }, "Previous"),
          h("button", { type: "button", disabled: page + 1 >= pages, onclick: () => change({ page: page + 1 }) }, "Next"))),
    ];
  };
  return view;
}
