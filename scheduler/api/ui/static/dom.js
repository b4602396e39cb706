// Elements and the small things that all pages share.

// h makes an element. Attributes that are functions are listeners, those that are null or false are left out; children
// are elements, text, or lists of these.
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (typeof value === 'function') element.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return element;
}

// table makes a table. A column is [title, class].
export function table(columns, rows, empty) {
  if (rows.length === 0) return h('p', { class: 'quiet' }, empty);
  return h('div', { class: 'scroll' }, h('table', {},
    h('thead', {}, h('tr', {}, columns.map(([title, kind]) => h('th', { class: kind, scope: 'col' }, title)))),
    h('tbody', {}, rows)));
}

export const row = (columns, ...cells) =>
  h('tr', {}, cells.map((cell, n) => h('td', { class: columns[n]?.[1] }, cell)));

export const state = (kind, text) => h('span', { class: `state ${kind}` }, text);

// copyLine shows text with a button that copies it.
export function copyLine(text, what) {
  const button = h('button', { class: 'small', type: 'button', 'aria-label': `Copy ${what}: ${text}`, click: async () => {
    await copy(text);
    button.textContent = 'Copied';
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  } }, 'Copy');
  return h('div', { class: 'copy' }, h('code', {}, text), button);
}

// copy puts text on the clipboard. Browsers have navigator.clipboard on safe connections only.
async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = h('textarea', { class: 'skip' }, text);
  document.body.append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
}

export function toast(text, bad) {
  const note = h('p', { class: bad ? 'toast bad' : 'toast' }, text);
  document.getElementById('toasts').append(note);
  setTimeout(() => note.remove(), bad ? 10000 : 4000);
}

// attempt does something and says so when it fails. It returns whether it did not.
export async function attempt(done, action) {
  try {
    await action();
    if (done) toast(done);
    return true;
  } catch (error) {
    toast(error.message, true);
    return false;
  }
}

// ask opens a dialog and resolves to the form's data, or to null when it was closed. Only a word that has to be typed
// makes the button work, where one is given.
export function ask({ title, text, fields = [], action, danger, word }) {
  return new Promise((resolve) => {
    const button = h('button', { class: danger ? 'danger' : 'first', value: 'go', disabled: word !== undefined }, action);
    const typed = word === undefined ? null : h('label', {}, `Type ${word} to go on`,
      h('input', { name: 'word', autocomplete: 'off', input: (e) => { button.disabled = e.target.value !== word; } }));
    const form = h('form', { method: 'dialog' }, h('h2', { id: 'dialog-title' }, title), text && h('p', {}, text), fields, typed,
      h('div', { class: 'bar' }, h('button', { type: 'button', click: () => dialog.close() }, 'Cancel'), button));
    const dialog = h('dialog', { 'aria-labelledby': 'dialog-title', close: () => {
      resolve(dialog.returnValue === 'go' ? new FormData(form) : null);
      dialog.remove();
    } }, form);
    document.body.append(dialog);
    dialog.showModal();
    form.querySelector('input, select, textarea')?.focus();
  });
}

export function age(timestamp) {
  if (!timestamp) return '';
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(timestamp)) / 1000));
  for (const [unit, length] of [['d', 86400], ['h', 3600], ['min', 60]]) {
    if (seconds >= length) return `${Math.floor(seconds / length)} ${unit}`;
  }
  return `${seconds} s`;
}

export const round = (n) => Math.round(n * 100) / 100;
