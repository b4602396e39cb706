// Elements, and how a page is brought up to date.

// h makes an element. Attributes that are functions are listeners, those that are null or false are left out; key tells
// an element from its siblings when a page is drawn again. Children are elements, text, or lists of these.
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (typeof value === 'function') listen(element, name, value);
    else if (name === 'key') element.key = value;
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...flat(children));
  element.key ??= element.getAttribute('id') || undefined;
  return element;
}

const flat = (children) => children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false && c !== '');

// An element has one listener for each kind of event, which calls what it was last drawn with.
function listen(element, name, act) {
  element.acts ??= {};
  if (!(name in element.acts)) element.addEventListener(name, (event) => element.acts[name]?.call(element, event));
  element.acts[name] = act;
}

// morph gives an element the wanted children. What is there already is changed and not replaced, so that focus,
// selection, scrolling and what was typed stay, and screen readers do not hear the page again.
export function morph(parent, ...wanted) {
  const keyed = new Map();
  for (const child of parent.childNodes) if (child.key) keyed.set(child.key, child);
  let at = parent.firstChild;
  for (const next of flat(wanted).map((w) => (w instanceof Node ? w : document.createTextNode(w)))) {
    const before = next.key ? keyed.get(next.key) : at?.key ? null : at;
    if (!before || !alike(before, next)) {
      parent.insertBefore(next, at);
      continue;
    }
    if (before === at) at = at.nextSibling;
    else parent.insertBefore(before, at);
    if (before !== next) update(before, next);
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

// The type is asked for as an attribute: a form's property of that name is its field of that name.
const alike = (a, b) => a.nodeName === b.nodeName && a.key === b.key && a.getAttribute?.('type') === b.getAttribute?.('type');

function update(old, next) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== next.data) old.data = next.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    // Whether details are open is the user's.
    if (!next.hasAttribute(name) && name !== 'open') old.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (old.getAttribute(name) === value) continue;
    if (name === 'style') old.style.cssText = value; // which the page's policy lets scripts do, unlike setting the attribute
    else old.setAttribute(name, value);
  }
  for (const name of Object.keys(old.acts ?? {})) if (!next.acts?.[name]) old.acts[name] = null;
  for (const [name, act] of Object.entries(next.acts ?? {})) listen(old, name, act);
  morph(old, ...next.childNodes);
}

// table makes a table, which is a list of cards on a small screen. A column is [title, class].
export function table(name, columns, rows, empty) {
  if (rows.length === 0) return emptiness(empty);
  return h('div', { class: 'frame' }, h('table', { role: 'table', 'aria-label': name },
    h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, columns.map(([title, kind]) =>
      h('th', { class: kind, scope: 'col', role: 'columnheader' }, title || h('span', { class: 'unseen' }, 'Actions'))))),
    h('tbody', { role: 'rowgroup' }, rows)));
}

// row makes a row of a table; its key tells it from the others.
export const row = (columns, key, ...cells) => h('tr', { role: 'row', key }, cells.map((cell, n) =>
  h('td', { role: 'cell', class: columns[n][1], 'data-label': columns[n][0] || null }, cell)));

// emptiness is shown in place of what is not there.
export const emptiness = (...children) => h('div', { class: 'empty' }, children);

// none stands for a value that there is not.
export const none = () => h('span', { class: 'none' }, '–');

export const state = (kind, text) => h('span', { class: `state ${kind}` }, text);

// bar shows parts of a whole: [[kind, number]].
export function bar(parts, whole, text) {
  const parted = h('span', { class: 'bar', role: 'img', 'aria-label': text });
  for (const [kind, number] of parts) {
    if (number <= 0) continue;
    const part = h('span', { class: kind });
    part.style.width = `${Math.min(100, 100 * number / Math.max(whole, 1e-9))}%`;
    parted.append(part);
  }
  return parted;
}

// broken lets a long id be broken where it has a joint.
export const broken = (id) => id.split(/(?<=[/._-])/).map((part) => [part, h('wbr')]);

// crumbs shows where a page belongs.
export const crumbs = (...links) => h('nav', { class: 'crumbs', 'aria-label': 'Breadcrumbs' },
  h('ol', {}, links.map(([text, href]) => h('li', {}, h('a', { href }, text)))));

// facts lists names with what they stand for; those without are left out.
export const facts = (...pairs) => h('dl', { class: 'facts' }, pairs.filter(([, value]) => value !== null && value !== undefined && value !== '')
  .map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))));

// round keeps what is a thousandth, which is the least of a CPU that an app may have.
export const round = (n) => Math.round(n * (Math.abs(n) < 1 ? 1000 : 100)) / (Math.abs(n) < 1 ? 1000 : 100);

export const plural = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

// size words MiB.
export const size = (mib) => (mib >= 10240 ? `${round(mib / 1024)} GiB` : `${round(mib)} MiB`);

// age is how long ago a time is.
export function age(timestamp) {
  if (!timestamp) return '';
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(timestamp)) / 1000));
  for (const [unit, length] of [['d', 86400], ['h', 3600], ['min', 60]]) {
    if (seconds >= length) return `${Math.floor(seconds / length)} ${unit}`;
  }
  return `${seconds} s`;
}

// since is how long ago a time is, with the time itself for whoever points at it.
export const since = (timestamp, after = '') => h('time', { datetime: timestamp, title: timestamp }, `${age(timestamp)}${after}`);
