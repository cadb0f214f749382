// Every table of a run: how far it is, and whether it is equal.

import { h } from "../dom.js";
import { icon } from "../icons.js";
import { count, counted, percent, size } from "../format.js";
import { key_of } from "../live.js";
import { card, name } from "../parts.js";
import { many_rows } from "../table.js";

const part = (table) => table.rows_expected > 0 ? table.rows / table.rows_expected : table.chunks >= table.chunks_expected ? 1 : 0;
const complete = (table) => table.chunks_expected > 0 ? table.chunks >= table.chunks_expected : table.rows >= table.rows_expected;
const stand = (table) => table.verified === false ? 0 : table.verified === true ? 3 : complete(table) ? 2 : 1;

const STANDS = [["bad", "bad", "different"], null, ["calm", "good", "in"], ["good", "good", "equal"]];

function state(table) {
  const [tone, sign, word] = STANDS[stand(table)] ?? (table.rows > 0 || table.chunks > 0 ? ["busy", "busy", "on its way"] : ["calm", "wait", "waits"]);
  return h("span", { class: `badge ${tone}` }, icon(sign), word);
}

const COLUMNS = [
  { key: "name", title: "Table", value: (table) => table.name, cell: (table) => name(table.name) },
  { key: "part", title: "Progress", value: part, cell: (table) => [table.rows_expected > 0 ? percent(table.rows, table.rows_expected) : complete(table) ? "100\u00a0%" : "0\u00a0%", h("span", { class: `meter ${table.verified ? "good" : "busy"}`, "aria-hidden": "true" },
    h("span", { class: "fill", style: { width: `${100 * Math.min(1, part(table))}%` } }))] },
  { key: "rows", title: "Rows", number: true, value: (table) => table.rows_expected, cell: (table) => [count(table.rows), h("span", { class: "soft" }, ` / ${count(table.rows_expected)}`)] },
  { key: "bytes", title: "Bytes", number: true, value: (table) => table.bytes_expected, cell: (table) => size(table.bytes) },
  { key: "chunks", title: "Chunks", number: true, value: (table) => table.chunks_expected, cell: (table) => `${count(table.chunks)} / ${count(table.chunks_expected)}` },
  { key: "checked", title: "Read back", number: true, value: (table) => table.checked ?? 0, cell: (table) => count(table.checked ?? 0) },
  { key: "state", title: "State", value: stand, cell: state },
];

const FILTERS = [
  ["", "All tables"], ["going", "On their way", (table) => !complete(table) && table.rows > 0], ["waiting", "Waiting", (table) => !complete(table) && table.rows === 0],
  ["in", "In", complete], ["different", "Different", (table) => table.verified === false],
];

/** Keeps how the tables are looked at; `draw` shows the page again. */
export function tables_part(draw) {
  const table = many_rows(COLUMNS, "bytes", draw);
  return {
    view(progress, report) {
      const rows = progress?.tables?.length > 0 ? progress.tables : from_report(report);
      if (rows.length === 0) return null;
      const over = rows.filter(complete).length;
      return card("Tables", { kind: "flush", note: `${count(over)} of ${counted(rows.length, "table")} are in` },
        table({ rows, caption: "Tables", key: key_of, text: (row) => row.name, filters: FILTERS }));
    },
  };
}

/** The tables as the report has them, for runs whose progress nobody kept. */
function from_report(report) {
  return (report?.moves ?? []).flatMap((move, at) => {
    const proved = new Map((move.verification?.tables ?? []).map((one) => [one.table, one]));
    return move.tables.map((one) => ({
      move: at, name: one.target, rows: one.rows, rows_expected: one.planned_rows, bytes: one.bytes, bytes_expected: one.bytes,
      chunks: one.chunks, chunks_expected: one.chunks, checked: proved.get(one.target)?.found_rows ?? 0, verified: proved.get(one.target)?.matches ?? null,
    }));
  });
}
