// The API of the server. Every failure is a `Fault` that says what happened and what to do.

export class Fault extends Error {
  constructor(status, body) {
    const error = body?.error ?? {};
    super(error.message ?? `The server answered ${status}.`);
    this.status = status;
    this.code = error.code ?? null;
    this.hint = error.hint ?? null;
    this.causes = error.causes ?? [];
    this.context = error.context ?? {};
  }
}

/** What is told when the server is gone or back, and when the session has ended. */
export const state = { online: true, on_change: () => {}, on_signed_out: () => {} };

export const get = (path) => ask("GET", path);
export const post = (path, body) => ask("POST", path, JSON.stringify(body ?? {}), "application/json");
export const post_text = (path, text) => ask("POST", path, text, "application/yaml");
export const remove = (path) => ask("DELETE", path);

/** A path with names that may hold anything. */
export const path = (strings, ...values) =>
  "/api/v1" + strings.reduce((sum, part, index) => sum + encodeURIComponent(values[index - 1]) + part);

async function ask(method, path, body, type) {
  const headers = { accept: "application/json" };
  if (method !== "GET") headers["x-longshore"] = "1";
  if (type) headers["content-type"] = type;
  let response;
  try {
    response = await fetch(path, { method, headers, body, cache: "no-store" });
  } catch {
    offline();
    throw new Fault(0, { error: { message: "The server does not answer.", hint: "This page goes on when it is back." } });
  }
  const text = await response.text();
  let value = null;
  try {
    value = text ? JSON.parse(text) : null;
  } catch {
    value = null;
  }
  if (response.ok) return value;
  if (response.status === 401 && !path.endsWith("/session")) state.on_signed_out();
  throw new Fault(response.status, value);
}

let waiting = null;

/** Says that the server is gone, and asks until it is back. */
function offline() {
  if (waiting) return;
  state.online = false;
  state.on_change(false);
  let pause = 500;
  const again = async () => {
    try {
      const response = await fetch("/healthz", { cache: "no-store" });
      if (response.ok) {
        waiting = null;
        state.online = true;
        state.on_change(true);
        return;
      }
    } catch {
      // It is still gone.
    }
    pause = Math.min(pause * 1.4, 4000);
    waiting = setTimeout(again, pause);
  };
  waiting = setTimeout(again, pause);
}

/** Calls `load` now and every so often, one at a time; gives what ends it. */
export function every(pause, load) {
  let timer = null;
  let over = false;
  const again = async () => {
    await load();
    if (!over) timer = setTimeout(again, pause);
  };
  again();
  return () => {
    over = true;
    clearTimeout(timer);
  };
}
