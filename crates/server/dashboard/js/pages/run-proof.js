// What was lost, as predicted, counted and verified; and what reading the target back said.

import { h } from "../dom.js";
import { icon } from "../icons.js";
import { count, counted, table_name } from "../format.js";
import { card, name } from "../parts.js";
import { many_rows } from "../table.js";

/** Sums of a report: values lost, rows rejected, rows read back, and the verdict in words. */
export function lost(report) {
  const moves = report?.moves ?? [];
  const add = (list, key) => list.reduce((sum, one) => sum + (one[key] ?? 0), 0);
  const proofs = moves.map((move) => move.verification).filter(Boolean);
  return {
    values: moves.reduce((sum, move) => sum + add(move.fidelity, "counted"), 0),
    rejected: moves.reduce((sum, move) => sum + add(move.tables, "rejected"), 0),
    checked: proofs.reduce((sum, proof) => sum + add(proof.tables, "found_rows"), 0),
    verdict: !report ? "rows so far" : proofs.length === 0 ? "nobody has looked" : proofs.every((proof) => proof.matches) ? "rows, all equal" : "rows, with differences",
  };
}

const yes = (value) => value === null || value === undefined ? h("span", { class: "soft" }, "not read")
  : h("span", { class: `badge ${value ? "good" : "bad"}` }, icon(value ? "good" : "bad"), value ? "as planned" : "not as planned");

/** What no loss in a report means. */
const CERTAIN = { verified: "Every value arrived exactly as it was.", copied: "No value was changed on its way." };

/** Losses: what the plan predicted, until the report can say what became of it. */
export function losses({ report, plan }) {
  const lines = report ? report.moves.flatMap((move) => move.fidelity)
    : (plan?.moves ?? []).flatMap((move) => (move.losses ?? []).map((loss) => ({ ...loss, predicted: loss.count, counted: null, verified: null })));
  if (!report && !plan) return null;
  const behind = (report ?? plan).moves.flatMap((move) => move.not_moved ?? []);
  const number = (text) => h("th", { scope: "col", class: "number" }, text);
  return card("Losses and fidelity", { kind: lines.length > 0 ? "flush" : "", note: lines.length > 0 ? "predicted by the plan, counted by the run, proved by reading back" : null },
    lines.length === 0 ? h("p", null, report ? CERTAIN[report.outcome] ?? "No value was lost or changed so far." : "The plan predicts no loss: every value arrives as it is, or the run ends.")
      : h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Losses" }, h("table", { class: "folds" }, h("caption", { class: "unseen" }, "Losses"),
        h("thead", null, h("tr", null, h("th", { scope: "col" }, "Column"), h("th", { scope: "col" }, "Kind"), h("th", { scope: "col" }, "Policy"), number("Predicted"), number("Counted"), h("th", { scope: "col" }, "Verified"))),
        h("tbody", null, lines.slice(0, 200).map((line) => h("tr", null,
          h("th", { scope: "row", class: "name" }, name(`${table_name(line.table)}.${line.column}`)), h("td", { "data-title": "Kind" }, line.kind), h("td", { "data-title": "Policy" }, line.action),
          h("td", { "data-title": "Predicted", class: "number" }, count(line.predicted)), h("td", { "data-title": "Counted", class: "number" }, count(line.counted)),
          h("td", { "data-title": "Verified" }, yes(line.verified))))))),
    behind.length > 0 && h("details", { class: lines.length > 0 ? "pad" : null }, h("summary", null, `${counted(behind.length, "thing")} of the source ${behind.length === 1 ? "stays" : "stay"} behind`),
      h("ul", { class: "list" }, behind.slice(0, 200).map((one) => h("li", null, name(`${one.kind ?? ""} ${table_name(one.name ?? "")}`), one.reason && h("span", { class: "soft" }, `: ${one.reason}`))))));
}

const wrong = (table) => table.missing + table.extra + table.different;

const COLUMNS = [
  { key: "table", title: "Table", value: (table) => table.table, cell: (table) => name(table.table) },
  { key: "matches", title: "Result", value: (table) => (table.matches ? 1 : 0), cell: (table) => h("span", { class: `badge ${table.matches ? "good" : "bad"}` }, icon(table.matches ? "good" : "bad"), table.matches ? "equal" : "different") },
  { key: "found", title: "Rows read", number: true, value: (table) => table.found_rows, cell: (table) => [count(table.found_rows), h("span", { class: "soft" }, ` / ${count(table.expected_rows)}`)] },
  { key: "missing", title: "Missing", number: true, value: (table) => table.missing, cell: (table) => count(table.missing) },
  { key: "extra", title: "Extra", number: true, value: (table) => table.extra, cell: (table) => count(table.extra) },
  { key: "different", title: "Different", number: true, value: (table) => table.different, cell: (table) => count(table.different) },
  { key: "print", title: "Fingerprint", whole: true, cell: (table) => [h("code", { class: "soft" }, table.found || "–"),
    table.differences?.length > 0 && h("ul", { class: "list small" }, table.differences.slice(0, 5).map((one) => h("li", null, `${one.kind}: `, name(one.key)))), table.note && h("div", { class: "soft small" }, table.note)] },
];
const FILTERS = [["", "All tables"], ["different", "Different", (table) => !table.matches]];

/** Keeps how the proof is looked at; `draw` shows the page again. */
export function proof_part(draw) {
  const table = many_rows(COLUMNS, "different", draw);
  return { view: (report) => verification(report, table) };
}

/** What reading the target back said, by table. */
function verification(report, table) {
  const proofs = (report?.moves ?? []).map((move) => move.verification).filter(Boolean);
  if (proofs.length === 0) return null;
  const rows = proofs.flatMap((proof) => proof.tables);
  const different = rows.filter((row) => !row.matches);
  const shown = table({ rows, caption: "Verification", key: (row) => row.table, text: (row) => row.table, filters: FILTERS });
  const [{ level, independent }] = proofs;
  const note = `${level}${independent ? ", source read again" : ""}: ${different.length === 0 ? `${counted(rows.length, "table")} equal` : `${counted(different.length, "table")} of ${count(rows.length)} different, ${counted(rows.reduce((sum, row) => sum + wrong(row), 0), "row")}`}`;
  return card("Verification", { kind: "flush", note }, shown);
}
