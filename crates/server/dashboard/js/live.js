// The events of a run: what was sent is folded into one state, and a broken stream is taken up again.

import { get } from "./api.js";

const REST = 20_000;

/** Follows a run. `told(kind)` is called after each event with the state brought up to date. */
export function follow(id, state, told) {
  let source = null;
  let timer = null;
  let closed = false;
  let pause = 500;

  const open = () => {
    // The first progress of a stream is everything.
    let first = true;
    source = new EventSource(`/api/v1/runs/${encodeURIComponent(id)}/events`);
    source.addEventListener("progress", (event) => {
      pause = 500;
      fold(state, JSON.parse(event.data), first);
      first = false;
      told("progress");
    });
    source.addEventListener("run", (event) => {
      pause = 500;
      state.run = JSON.parse(event.data);
      told("run");
    });
    source.addEventListener("end", close);
    source.onerror = () => {
      source.close();
      if (closed) return;
      timer = setTimeout(check, pause);
      pause = Math.min(pause * 2, 5000);
    };
  };

  // A stream that broke: the server is gone, or the session is over, or only this answer was ended.
  const check = async () => {
    try {
      await get("/api/v1/runs?limit=1");
    } catch (error) {
      if (error.status === 0 || error.status === 401) return;
    }
    if (!closed) open();
  };

  // A browser has few connections to one server: a page that nobody looks at gives its own back after a while.
  let resting = null;
  const look = () => {
    clearTimeout(resting);
    if (document.hidden) {
      resting = setTimeout(() => source?.close(), REST);
    } else if (!closed && source?.readyState === EventSource.CLOSED) {
      clearTimeout(timer);
      open();
    }
  };

  const close = () => {
    closed = true;
    clearTimeout(timer);
    clearTimeout(resting);
    document.removeEventListener("visibilitychange", look);
    source?.close();
  };

  document.addEventListener("visibilitychange", look);
  open();
  return close;
}

/** Tables of several moves may have the same name. */
export const key_of = (table) => `${table.move ?? 0}/${table.name}`;

/** Brings a state up to date with a progress message: after the first, tables, samples and messages are what is new. */
export function fold(state, message, everything) {
  if (everything || !state.progress) {
    state.progress = message;
    state.places = new Map(message.tables.map((table, index) => [key_of(table), index]));
    return;
  }
  const { tables, samples, messages, ...rest } = message;
  Object.assign(state.progress, rest);
  for (const table of tables) {
    const at = state.places.get(key_of(table));
    if (at === undefined) {
      state.places.set(key_of(table), state.progress.tables.length);
      state.progress.tables.push(table);
    } else {
      state.progress.tables[at] = table;
    }
  }
  const last = state.progress.samples.at(-1)?.at ?? -1;
  state.progress.samples.push(...samples.filter((sample) => sample.at > last));
  state.progress.messages.push(...messages);
}
