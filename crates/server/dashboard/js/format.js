// Numbers, sizes, times and rates as people read them.

const SPACE = "\u00a0";
const counts = new Intl.NumberFormat("en-US");

/** `1,234,567` */
export const count = (number) => number === null || number === undefined ? "–" : counts.format(number);

/** `1 table`, `13 tables` */
export const counted = (number, noun) => `${count(number)}${SPACE}${noun}${number === 1 ? "" : "s"}`;

/** `12.4 MiB` */
export const size = (number) => scaled(number, 1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]);

/** `12.4 MiB/s` */
export const size_rate = (number) => `${size(number)}/s`;

/** `12.4 k/s` */
export const row_rate = (number) => scaled(number, 1000, ["", "k", "M", "G"]) + "/s";

/** `12.4 M` */
export const short = (number) => scaled(number, 1000, ["", "k", "M", "G", "T"]);

function scaled(number, base, units) {
  if (number === null || number === undefined || !Number.isFinite(number)) return "–";
  let unit = 0;
  while (number >= 999.5 && unit + 1 < units.length) {
    number /= base;
    unit += 1;
  }
  const digits = unit === 0 && Number.isInteger(number) ? 0 : number < 9.95 ? 2 : number < 99.5 ? 1 : 0;
  const text = number.toFixed(digits);
  const trimmed = text.includes(".") ? text.replace(/\.?0+$/, "") : text;
  return units[unit] ? `${trimmed}${SPACE}${units[unit]}` : trimmed;
}

/** `0.41 s`, `12 s`, `3 min 05 s`, `2 h 04 min`, `3 d 4 h` */
export function seconds(number) {
  if (number === null || number === undefined || !Number.isFinite(number)) return "–";
  const two = (value) => String(value).padStart(2, "0");
  if (number < 0.9995) return `${Number(number.toFixed(number < 0.1 ? 3 : 2))}${SPACE}s`;
  if (number < 9.95) return `${number.toFixed(1)}${SPACE}s`;
  const whole = Math.round(number);
  if (whole < 60) return `${whole}${SPACE}s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}${SPACE}min${SPACE}${two(whole % 60)}${SPACE}s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours}${SPACE}h${SPACE}${two(minutes % 60)}${SPACE}min`;
  return `${Math.floor(hours / 24)}${SPACE}d${SPACE}${hours % 24}${SPACE}h`;
}

/** `62 %`; never 100 before it is true, never 0 once it has begun. */
export function percent(part, whole) {
  if (!(whole > 0)) return "–";
  const share = (100 * part) / whole;
  if (part >= whole) return `100${SPACE}%`;
  if (share > 99) return `99${SPACE}%`;
  if (share > 0 && share < 1) return `<1${SPACE}%`;
  return `${Math.floor(share)}${SPACE}%`;
}

/** The part of a whole, 0 to 1; no whole is all of nothing. */
export const share = (part, whole) => whole > 0 ? Math.min(1, Math.max(0, part / whole)) : 0;

/** `2 min ago`, `in 3 h`, by the clock of the visitor. */
export function ago(text) {
  if (!text) return "–";
  const passed = (Date.now() - Date.parse(text)) / 1000;
  const past = passed >= 0;
  const far = Math.abs(passed);
  if (far < 10) return past ? "just now" : "now";
  const steps = [[60, 1, "s"], [3600, 60, "min"], [172800, 3600, "h"], [Infinity, 86400, "d"]];
  const [, unit, name] = steps.find(([limit]) => far < limit);
  const number = `${Math.round(far / unit)}${SPACE}${name}`;
  return past ? `${number}${SPACE}ago` : `in${SPACE}${number}`;
}

/** `2026-11-22 14:46:19 UTC` */
export const moment = (text) => text ? `${text.slice(0, 10)} ${text.slice(11, 19)} UTC` : "–";

/** `sha256:4f5c8a…` */
export const digest = (text) => text && text.length > 22 ? `${text.slice(0, 19)}…` : text ?? "–";

/** The name of a table, as text or in pieces. */
export const table_name = (name) => typeof name === "string" ? name
  : [name?.schema ?? name?.namespace, name?.name].filter(Boolean).join(".");
