// All apps, by group.

import { get, put, del, appPath, appLink, forced } from './api.js';
import { h, table, row, state, bar, broken, emptiness, none, round, size, plural } from './dom.js';
import { attempt, ask } from './dialog.js';
import { reasons } from './debug.js';

// Conditions that an app may be in, worst last to be seen first. Those of Marathon's page.
const conditions = [['Running', 'good'], ['Suspended', ''], ['Deploying', 'busy'], ['Waiting', 'late'], ['Delayed', 'late'], ['Unhealthy', 'bad']];

// condition is how an app is doing, in a word. Waiting says of its instances that wait whether they wait for a delay.
export function condition(app, waiting) {
  if (app.tasksUnhealthy > 0) return 'Unhealthy';
  if (waiting) return waiting.delay.overdue ? 'Waiting' : 'Delayed';
  if (app.deployments?.length > 0) return 'Deploying';
  if (app.instances === 0) return 'Suspended';
  return app.tasksRunning < app.instances ? 'Waiting' : 'Running';
}

// why says in a few words what is in the way of an app that is not as it should be.
function why(app, waiting) {
  if (app.condition === 'Unhealthy') return `${app.tasksUnhealthy} of ${app.tasksRunning} tasks fail their health checks`;
  const failure = app.lastTaskFailure;
  if (app.condition === 'Delayed' && failure) return `${failure.message || failure.state}, on ${failure.host}`;
  const declined = waiting?.processedOffersSummary.rejectSummaryLastOffers.filter((r) => r.declined > 0) ?? [];
  return declined.map((r) => `${reasons[r.reason] ?? r.reason}: ${r.declined} of ${plural(r.processed, 'offer')}`).join(', ');
}

export const badge = (word) => state(conditions.find(([name]) => name === word)[1], word);

// instancesBar shows how many of the instances that are wanted run, and how they are.
export function instancesBar(app) {
  const checked = app.healthChecks?.length > 0;
  const unknown = checked ? app.tasksRunning - app.tasksHealthy - app.tasksUnhealthy : 0;
  return bar([['good', checked ? app.tasksHealthy : app.tasksRunning], ['busy', unknown], ['bad', app.tasksUnhealthy]], app.instances,
    `${app.tasksRunning} of ${app.instances} run`);
}

const columns = [['App', 'title'], ['State', 'corner'], ['Instances', 'number'], ['Healthy', 'number'], ['CPUs', 'number'], ['Memory', 'number'], ['', 'actions']];
const groupOf = (id) => id.slice(0, id.lastIndexOf('/')) || '/';

export function appsPage(_, query, __, again) {
  let wanted = query.get('find') ?? '';
  let only = query.get('state');
  const folded = new Set();

  // remember keeps what is looked for in the address, without a step back for each letter.
  function remember() {
    const search = new URLSearchParams([['find', wanted], ['state', only ?? '']].filter(([, v]) => v)).toString();
    history.replaceState(null, '', `#/apps${search && `?${search}`}`);
    again();
  }

  function line(app) {
    return row(columns, app.id, [h('a', { href: appLink(app.id), class: 'name' }, broken(app.id.slice(app.id.lastIndexOf('/') + 1))),
      app.why && h('p', { class: 'hint' }, app.why)],
      badge(app.condition),
      h('span', { class: 'instances' }, `${app.tasksRunning} of ${app.instances}`, instancesBar(app)),
      app.healthChecks?.length > 0 ? `${app.tasksHealthy} of ${app.tasksRunning}` : none(),
      round(app.cpus * app.instances), size(app.mem * app.instances),
      h('button', { class: 'small', type: 'button', 'aria-label': `Scale ${app.id}`, click: () => scale(app) }, 'Scale'));
  }

  function groupLine(group, apps) {
    const open = !folded.has(group);
    const count = apps.length === 0 ? 'no apps' : plural(apps.length, 'app');
    return h('tr', { role: 'row', class: 'group', key: `group ${group}` },
      h('td', { role: 'cell', colspan: columns.length - 1 }, h('button', { type: 'button', class: 'fold', 'aria-expanded': String(open),
        click: () => {
          if (open) folded.add(group);
          else folded.delete(group);
          again();
        } }, broken(group)), ' ', h('span', { class: 'quiet' }, count)),
      h('td', { role: 'cell', class: 'actions' }, group !== '/' && h('span', { class: 'buttons' },
        apps.length > 0 && h('button', { class: 'small', type: 'button', 'aria-label': `Scale the group ${group}`, click: () => scaleGroup(group) }, 'Scale'),
        h('button', { class: 'small danger', type: 'button', 'aria-label': `Destroy the group ${group}`, click: () => destroyGroup(group) }, 'Destroy'))));
  }

  return {
    title: 'Apps',
    live: true,
    async draw() {
      const [{ apps }, { queue }, root] = await Promise.all([
        get('/v2/apps?embed=apps.counts&embed=apps.deployments&embed=apps.lastTaskFailure'), get('/v2/queue'), get('/v2/groups?embed=group.groups')]);
      const waiting = new Map(queue.map((entry) => [entry.app.id, entry]));
      for (const app of apps) {
        app.condition = condition(app, waiting.get(app.id));
        app.why = why(app, waiting.get(app.id));
      }
      const named = apps.filter((app) => app.id.toLowerCase().includes(wanted.toLowerCase()));
      const shown = named.filter((app) => !only || app.condition === only);
      const groups = new Map(shown.length === apps.length ? groupsIn(root).map((id) => [id, []]) : []);
      for (const app of shown) groups.set(groupOf(app.id), [...groups.get(groupOf(app.id)) ?? [], app]);
      const lines = [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([group, within]) => [
        (group !== '/' || groups.size > 1) && groupLine(group, within),
        ...(folded.has(group) ? [] : within.sort((a, b) => (a.id < b.id ? -1 : 1)).map(line))]).filter(Boolean);

      return [
        h('div', { class: 'head' }, h('h1', {}, 'Apps'),
          apps.length > 0 && h('input', { class: 'search', type: 'search', id: 'find', placeholder: 'Find an app', 'aria-label': 'Find an app', value: wanted,
            input: (e) => { wanted = e.target.value; remember(); } }),
          h('a', { class: 'button first', href: '#/create', key: 'create' }, 'Create app')),
        apps.length > 0 && h('div', { class: 'filters', role: 'group', 'aria-label': 'Filter by state', key: 'filters' },
          [[null, 'All'], ...conditions.map(([name]) => [name, name])].map(([name, title]) => {
            const count = named.filter((app) => !name || app.condition === name).length;
            return (count > 0 || !name || name === only) && h('button', { type: 'button', key: title, 'aria-pressed': String(only === name),
              click: () => { only = name; remember(); } }, title, h('strong', {}, String(count)));
          })),
        lines.length > 0 ? table('Apps', columns, lines)
          : apps.length > 0 ? emptiness(h('p', {}, 'No app matches.'))
            : emptiness(h('p', {}, 'There are no apps yet.'),
              h('p', {}, 'Create one here, with ', h('code', {}, 'rollcall app apply'), ', or with a POST to ', h('code', {}, '/v2/apps'), '.'))];
    },
  };
}

// groupsIn lists groups that have nothing in them: the others are seen by their apps.
const groupsIn = (group) => group.groups.flatMap((g) => (g.groups.length === 0 ? [g.id] : groupsIn(g)));

export async function scale(app) {
  const data = await ask({ title: `Scale ${app.id}`, action: 'Scale', fields: [
    h('label', { class: 'field' }, 'Instances', h('input', { name: 'instances', type: 'number', min: 0, step: 1, required: true, value: app.instances }))] });
  if (data) await attempt(`${app.id} is being scaled`, (force) => put(forced(appPath(app.id), force), { instances: Number(data.get('instances')) }));
}

async function scaleGroup(id) {
  const data = await ask({ title: `Scale ${id}`, action: 'Scale', text: 'Multiplies the instances of every app in the group.', fields: [
    h('label', { class: 'field' }, 'Factor', h('input', { name: 'factor', type: 'number', min: 0, step: 'any', required: true, value: 2 }))] });
  if (data) await attempt(`${id} is being scaled`, (force) => put(forced(`/v2/groups${id}`, force), { scaleBy: Number(data.get('factor')) }));
}

async function destroyGroup(id) {
  const data = await ask({ title: `Destroy ${id}`, action: 'Destroy', danger: true, word: id,
    text: 'Kills all tasks of its apps and subgroups, and deletes their definitions.' });
  if (data) await attempt(`${id} is being destroyed`, (force) => del(forced(`/v2/groups${id}`, force)));
}
