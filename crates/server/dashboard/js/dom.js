// Elements as calls, and a way to bring a tree up to date without losing focus, scroll or what is typed.
// Everything that came from outside arrives as a text node or an attribute, never as markup.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element: `h("p", {class: "x", onclick: f}, "text", child, …)`. Nothing comes of null and false. */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** The same for SVG. */
export function s(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

/** An island keeps its own element and state: `start(element, props)` gives a function that takes new props. */
export function island(kind, props, start) {
  const element = h("div", { class: kind });
  element.$island = { kind, props, start };
  return element;
}

/** Makes `root` hold these children, changing as little as possible. */
export function show(root, ...children) {
  const wanted = document.createElement("div");
  add(wanted, children);
  children_of(root, wanted);
}

function fill(element, props, children) {
  element.$on = {};
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) {
      element.$on[name.slice(2)] = value;
      element.addEventListener(name.slice(2), hear);
    } else if (name === "style") {
      for (const [key, text] of Object.entries(value)) element.style.setProperty(key, text);
    } else if (name === "value") {
      element.value = value;
      element.setAttribute("value", value);
    } else {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  add(element, children);
  // A list has its choice once its options are there.
  if (element.localName === "select" && props?.value != null) element.value = props.value;
  return element;
}

function add(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === "") continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
    if (child instanceof Element && child.$island && !child.$update) {
      child.$update = child.$island.start(child, child.$island.props);
    }
  }
}

function hear(event) {
  const act = event.currentTarget.$on[event.type];
  if (act) return act(event);
}

function same(old, fresh) {
  return old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName
    && (old.dataset?.key ?? "") === (fresh.dataset?.key ?? "") && old.$island?.kind === fresh.$island?.kind;
}

function bring(old, fresh) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.$island) {
    old.$update(fresh.$island.props);
    return;
  }
  for (const name of old.getAttributeNames()) {
    // What a visitor opened stays open.
    if (!fresh.hasAttribute(name) && name !== "open" && name !== "style") old.removeAttribute(name);
  }
  for (const name of fresh.getAttributeNames()) {
    const value = fresh.getAttribute(name);
    // What is typed stays typed.
    if (name === "value" && "value" in old && old.localName !== "option") continue;
    if (name === "open" || name === "style") continue;
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  if (old.style && old.style.cssText !== fresh.style.cssText) old.style.cssText = fresh.style.cssText;
  for (const type of Object.keys(fresh.$on ?? {})) {
    if (!(type in (old.$on ?? {}))) old.addEventListener(type, hear);
  }
  old.$on = fresh.$on ?? {};
  children_of(old, fresh);
}

function children_of(old, fresh) {
  const keyed = new Map();
  for (const child of old.children) if (child.dataset?.key) keyed.set(child.dataset.key, child);
  let at = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const known = child.dataset?.key && keyed.get(child.dataset.key);
    if (known && known !== at && same(known, child)) {
      old.insertBefore(known, at);
      at = known;
    }
    if (at && same(at, child)) {
      const next = at.nextSibling;
      bring(at, child);
      at = next;
    } else {
      old.insertBefore(child, at);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}
