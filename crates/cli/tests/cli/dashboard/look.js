// Looks at the page that is shown as people with other eyes and hands than the author's would, and gives what is wrong.
(() => {
  const wrong = [];
  const visible = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const words = (e) => `<${e.localName}${e.id ? ` id=${e.id}` : ""} class=${e.getAttribute("class")}> ${e.textContent.trim().slice(0, 40)}`;

  // Nothing makes the page wider than the window.
  if (document.documentElement.scrollWidth > innerWidth) {
    const far = [...document.querySelectorAll("body *")].filter((e) => visible(e) && e.getBoundingClientRect().right > innerWidth + 1);
    wrong.push(`wider than the window by ${document.documentElement.scrollWidth - innerWidth}: ${far.slice(0, 3).map(words).join(" | ")}`);
  }

  // No text lies over another text.
  const boxes = [];
  const walker = document.createTreeWalker(document.querySelector("dialog[open]") ?? document.querySelector("main"), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const parent = node.parentElement;
    if (!node.data.trim() || !visible(parent) || parent.closest("option")) continue;
    let room = { left: -1e9, top: -1e9, right: 1e9, bottom: 1e9 };
    let hidden = false;
    for (let e = parent; e; e = e.parentElement) {
      const style = getComputedStyle(e);
      hidden ||= style.clipPath !== "none";
      if (style.overflowX !== "visible") room = cut(room, e.getBoundingClientRect());
    }
    if (hidden) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const rect of range.getClientRects()) {
      const box = cut(room, rect);
      if (box.right - box.left > 1 && box.bottom - box.top > 1) boxes.push({ ...box, node });
    }
  }
  function cut(a, b) {
    return { left: Math.max(a.left, b.left), top: Math.max(a.top, b.top), right: Math.min(a.right, b.right), bottom: Math.min(a.bottom, b.bottom) };
  }
  boxes.sort((a, b) => a.top - b.top);
  boxes.forEach((a, index) => {
    for (let at = index + 1; at < boxes.length && boxes[at].top < a.bottom - 3; at++) {
      const b = boxes[at];
      const shared = cut(a, b);
      if (a.node !== b.node && shared.right - shared.left > 2 && shared.bottom - shared.top > 3) {
        wrong.push(`overlap: ${a.node.data.slice(0, 30)} × ${b.node.data.slice(0, 30)}`);
      }
    }
  });

  // Whatever can be used has a name, and is large enough to be hit.
  const named = (e) => (e.getAttribute("aria-label") ?? "") + [...(e.labels ?? [])].map((l) => l.textContent).join("")
    + (e.getAttribute("aria-labelledby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join("") + e.textContent;
  for (const e of document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0'], [role='img'], [role='progressbar']")) {
    if (!visible(e)) continue;
    if (e.matches("select") ? !named({ ...shallow(e), textContent: "" }).trim() : !named(e).trim()) wrong.push(`without a name: ${words(e)}`);
    const box = e.getBoundingClientRect();
    if (e.matches("button, input, select") && !e.closest("th, .check") && (box.height < 24 || box.width < 24)) wrong.push(`too small to hit: ${words(e)}`);
  }
  function shallow(e) {
    return { labels: e.labels, getAttribute: (name) => e.getAttribute(name) };
  }

  // Headings, landmarks, tables and references are in order.
  const heads = [...document.querySelectorAll("main h1, main h2, main h3, main h4")].filter(visible);
  if (heads.filter((e) => e.localName === "h1").length !== 1) wrong.push(`${heads.filter((e) => e.localName === "h1").length} headings of the first level`);
  let level = 1;
  for (const e of heads) {
    const own = Number(e.localName[1]);
    if (own > level + 1) wrong.push(`a level is left out before: ${words(e)}`);
    level = own;
  }
  if (!document.documentElement.lang) wrong.push("no language");
  if (document.querySelectorAll("main").length !== 1) wrong.push("not one main part");
  for (const e of document.querySelectorAll("nav")) if (!e.getAttribute("aria-label")) wrong.push(`a navigation without a name`);
  for (const e of document.querySelectorAll("table")) {
    if (!e.caption) wrong.push(`a table without a caption: ${words(e)}`);
    for (const cell of e.querySelectorAll("th")) if (!cell.scope) wrong.push(`a heading without scope: ${words(cell)}`);
  }
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  ids.filter((id, at) => ids.indexOf(id) !== at).forEach((id) => wrong.push(`an id twice: ${id}`));
  for (const name of ["for", "aria-labelledby", "aria-describedby"]) {
    for (const e of document.querySelectorAll(`[${name}]`)) {
      for (const id of e.getAttribute(name).split(" ")) if (!document.getElementById(id)) wrong.push(`${name} leads nowhere: ${words(e)}`);
    }
  }

  // Text is dark enough on what it stands on.
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (text) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], [x, y, z]) => [r * a + x * (1 - a), g * a + y * (1 - a), b * a + z * (1 - a), 1];
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (e) => {
    const list = [];
    for (; e; e = e.parentElement) {
      const color = rgba(getComputedStyle(e).backgroundColor);
      if (color[3] > 0) list.push(color);
      if (color[3] === 1) break;
    }
    return list.reverse().reduce((below, color) => over(color, below), [255, 255, 255, 1]);
  };
  const seen = new Map();
  for (const { node } of [...boxes, ...[...document.querySelectorAll("#bar *, #banner")].filter((e) => visible(e) && e.childNodes.length === 1).map((e) => ({ node: e.firstChild }))]) {
    const e = node.parentElement;
    if (!e || e.closest(":disabled, dialog ~ main") || node.nodeType !== Node.TEXT_NODE) continue;
    const style = getComputedStyle(e);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
    const below = ground(e);
    const key = `${style.color} ${below} ${large}`;
    if (!seen.has(key)) {
      const [a, b] = [light(over(rgba(style.color), below)), light(below)];
      seen.set(key, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
      if (seen.get(key) < (large ? 3 : 4.5)) wrong.push(`contrast ${seen.get(key).toFixed(2)}: ${words(e)}`);
    }
  }
  return [...new Set(wrong)].slice(0, 12);
})()
