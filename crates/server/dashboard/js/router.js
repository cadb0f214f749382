// Which page an address means: `#/runs/ID`.

import { images } from "./pages/images.js";
import { migration } from "./pages/migration.js";
import { migrations } from "./pages/migrations.js";
import { overview } from "./pages/overview.js";
import { run } from "./pages/run.js";
import { runs } from "./pages/runs.js";
import { settings } from "./pages/settings.js";

const PAGES = { overview: [overview], migrations: [migrations, migration], runs: [runs, run], images: [images], settings: [settings] };

/** The page's name, the function that starts it, and what it is of. Each gives a function that ends it. */
export function page_of(hash) {
  const [name, ...rest] = hash.replace(/^#\/?/, "").split("/");
  let args;
  try {
    args = rest.map(decodeURIComponent);
  } catch {
    return [name, undefined, []];
  }
  if (name === "") return ["overview", overview, []];
  return [name, Object.hasOwn(PAGES, name) ? PAGES[name][args.length] : undefined, args];
}
