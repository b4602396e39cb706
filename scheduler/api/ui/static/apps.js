// All apps, by group.

import { get, put, appPath, del } from './api.js';
import { h, table, row, state, attempt, ask, round } from './dom.js';

// condition is how an app is doing, in a word.
export function condition(app) {
  if (app.deployments?.length > 0) return state('busy', 'Deploying');
  if (app.instances === 0) return state('', 'Suspended');
  if (app.tasksUnhealthy > 0) return state('bad', 'Unhealthy');
  if (app.tasksRunning < app.instances) return state('busy', 'Waiting');
  return state('good', 'Running');
}

export const appLink = (id) => `#/app${id}`;

const columns = [['App'], ['State'], ['Instances', 'number'], ['Healthy', 'number hide-small'], ['CPUs', 'number hide-small'],
  ['Memory', 'number hide-small'], ['', 'actions']];

export function appsPage(_, query) {
  let wanted = query.get('find') ?? '';
  const rows = h('div');
  let apps = [];

  function fill() {
    const shown = apps.filter((app) => app.id.toLowerCase().includes(wanted.toLowerCase()));
    const out = [];
    let group = null;
    for (const app of shown) {
      const within = app.id.slice(0, app.id.lastIndexOf('/')) || '/';
      if (within !== group) {
        group = within;
        out.push(h('tr', { class: 'group' }, h('td', { colspan: columns.length - 1 }, within),
          h('td', { class: 'actions' }, within !== '/' && h('button', { class: 'small danger', type: 'button', id: `destroy-group${within}`,
            'aria-label': `Destroy the group ${within}`, click: () => destroyGroup(within) }, 'Destroy'))));
      }
      out.push(row(columns,
        h('a', { href: appLink(app.id), id: `link${app.id}` }, app.id.slice(app.id.lastIndexOf('/') + 1)),
        condition(app), `${app.tasksRunning} of ${app.instances}`,
        app.healthChecks?.length > 0 ? `${app.tasksHealthy} of ${app.tasksRunning}` : '–',
        round(app.cpus * app.instances), `${round(app.mem * app.instances)} MiB`,
        h('button', { class: 'small', type: 'button', id: `scale${app.id}`, 'aria-label': `Scale ${app.id}`, click: () => scale(app) }, 'Scale')));
    }
    rows.replaceChildren(table(columns, out, apps.length === 0
      ? 'There are no apps yet. Create one here, or POST its JSON to /v2/apps.' : 'No app has such a name.'));
  }

  return {
    title: 'Apps',
    live: true,
    async draw() {
      apps = (await get('/v2/apps?embed=apps.counts&embed=apps.deployments')).apps.sort(byGroup);
      fill();
      return [
        h('div', { class: 'bar' }, h('h1', {}, 'Apps'),
          h('input', { class: 'search', type: 'search', id: 'find', placeholder: 'Find an app', 'aria-label': 'Find an app', value: wanted,
            input: (e) => { wanted = e.target.value; fill(); } }),
          h('a', { class: 'button first', href: '#/create' }, 'Create app')),
        rows];
    },
  };
}

// byGroup sorts the apps of a group together, before those of the groups below it.
function byGroup(a, b) {
  const [within, other] = [a, b].map((app) => app.id.slice(0, app.id.lastIndexOf('/') + 1));
  return within === other ? (a.id < b.id ? -1 : 1) : within < other ? -1 : 1;
}

export async function scale(app) {
  const data = await ask({ title: `Scale ${app.id}`, action: 'Scale', fields: [
    h('label', {}, 'Instances', h('input', { name: 'instances', type: 'number', min: 0, step: 1, required: true, value: app.instances }))] });
  if (data) await attempt(`${app.id} is scaled`, () => put(appPath(app.id), { instances: Number(data.get('instances')) }));
}

async function destroyGroup(id) {
  const data = await ask({ title: `Destroy ${id}`, action: 'Destroy', danger: true, word: id,
    text: 'Its apps, the groups in it, and all of their tasks are ended and forgotten.' });
  if (data) await attempt(`${id} is being destroyed`, () => del(`/v2/groups${id}`));
}
