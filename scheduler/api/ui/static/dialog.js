// What the page asks and says beside its contents.

import { h } from './dom.js';

// toast says that something was done, or why not.
export function toast(text, bad) {
  const note = h('div', { class: bad ? 'toast bad' : 'toast', role: bad ? 'alert' : null }, h('p', {}, text),
    h('button', { type: 'button', class: 'plain', 'aria-label': 'Dismiss', click: () => note.remove() }, '×'));
  document.getElementById('toasts').append(note);
  setTimeout(() => note.remove(), bad ? 20000 : 5000);
}

// attempt does something and says how it went. It returns whether it was done. An action with a parameter can be forced:
// when a deployment is in the way, the user decides.
export async function attempt(done, action, force = false) {
  try {
    await action(force);
    if (done) toast(done);
    return true;
  } catch (error) {
    if (error.locked && action.length > 0 && !force) {
      return await ask({ title: 'Another deployment is under way', action: 'Replace it', danger: true,
        text: 'It has to finish first. Or replace it: it stops where it is, and this change is made now.' }) !== null && attempt(done, action, true);
    }
    toast(error.message, true);
    return false;
  }
}

// ask opens a dialog and resolves to the form's data, or to null when it was closed. Only a word that has to be typed
// makes the button work, where one is given.
export function ask({ title, text, fields = [], action, danger, word }) {
  return new Promise((resolve) => {
    const button = h('button', { class: danger ? 'danger' : 'first', value: 'go', disabled: word !== undefined }, action);
    const typed = word === undefined ? null : h('label', { class: 'field' }, h('span', {}, 'To confirm, type ', h('code', {}, word)),
      h('input', { name: 'word', autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false',
        input: (e) => { button.disabled = e.target.value !== word; } }));
    const form = h('form', { method: 'dialog' }, h('h2', { id: 'dialog-title' }, title), text && h('p', { id: 'dialog-text' }, text), fields, typed,
      h('div', { class: 'buttons' }, h('button', { type: 'button', click: () => dialog.close() }, 'Cancel'), button));
    const dialog = h('dialog', { 'aria-labelledby': 'dialog-title', 'aria-describedby': text && 'dialog-text', close: () => {
      resolve(dialog.returnValue === 'go' ? new FormData(form) : null);
      dialog.remove();
    } }, form);
    document.body.append(dialog);
    dialog.showModal();
    form.querySelector('input:not([type=checkbox]), select, textarea')?.select?.();
    (form.querySelector('input:not([type=checkbox]), select, textarea') ?? form.querySelector('button')).focus();
  });
}

// copyButton puts text on the clipboard.
export function copyButton(text, what) {
  return h('button', { class: 'small', type: 'button', 'aria-label': `Copy ${what}`, key: `copy ${text}`, click: async (event) => {
    const button = event.target;
    if (!await attempt(null, () => copy(text))) return;
    button.textContent = 'Copied';
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  } }, 'Copy');
}

// copyLine shows text with a button that copies it.
export const copyLine = (text, what, shown) => h('div', { class: 'copy' }, h('code', {}, shown ?? text), copyButton(text, what));

// copy puts text on the clipboard. Browsers have navigator.clipboard on safe connections only, and may refuse it.
async function copy(text) {
  try {
    return await navigator.clipboard.writeText(text);
  } catch {
    // The older way is left.
  }
  const area = h('textarea', { class: 'unseen' }, text);
  document.body.append(area);
  const focused = document.activeElement;
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  focused?.focus({ preventScroll: true });
  if (!done) throw new Error('The browser does not let the page copy. Select the text and copy it yourself.');
}
