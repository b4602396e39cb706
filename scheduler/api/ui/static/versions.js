// The versions of an app, what differs between two of them, and the way back.

import { get, put, appPath, forced } from './api.js';
import { h, table, row, since, state } from './dom.js';
import { attempt, ask } from './dialog.js';
import { difference } from './difference.js';

const columns = [['Version', 'title'], ['When'], ['', 'actions']];

// versionsView keeps which versions are compared while the page is shown.
export function versionsView(again) {
  const definitions = new Map();
  let from = null;
  let to = null;

  async function definition(app, version) {
    if (!definitions.has(version)) {
      const d = await get(appPath(app.id, `/versions/${version}`));
      for (const name of ['version', 'versionInfo']) delete d[name];
      definitions.set(version, d);
    }
    return definitions.get(version);
  }

  return async (app) => {
    const list = (await get(appPath(app.id, '/versions'))).versions;
    const [before, after] = [list.includes(from) ? from : list[1], list.includes(to) ? to : list[0]];
    const choice = (title, id, chosen, choose) => h('label', { class: 'field' }, title, h('select', { id, change: (e) => { choose(e.target.value); again(); } },
      list.map((v, n) => h('option', { value: v, selected: v === chosen, key: v }, n === 0 ? `${v} (current)` : v))));
    const restore = async (version) => {
      if (await ask({ title: 'Roll back?', text: `${app.id} goes back to its definition of ${version}.`, action: 'Roll back' })) {
        await attempt(`${app.id} is being rolled back`, (force) => put(forced(appPath(app.id), force), { version }));
      }
    };
    return [
      list.length > 1 && h('section', { class: 'card stack', key: 'difference', 'aria-label': 'What changed' }, h('h2', {}, 'What changed'),
        h('div', { class: 'fields broad' }, choice('From', 'version-from', before, (v) => { from = v; }), choice('To', 'version-to', after, (v) => { to = v; })),
        h('div', { 'aria-live': 'polite' }, difference(await definition(app, before), await definition(app, after)))),
      table('Versions', columns, list.map((version, n) => row(columns, version, h('code', {}, version), since(version, ' ago'),
        n === 0 ? state('good', 'current') : h('span', { class: 'buttons' },
          h('button', { type: 'button', class: 'small', 'aria-label': `Compare ${version} with the current version`, click: () => { [from, to] = [version, list[0]]; again(); } }, 'Compare'),
          h('button', { type: 'button', class: 'small', 'aria-label': `Roll back to ${version}`, click: () => restore(version) }, 'Roll back')))))];
  };
}
