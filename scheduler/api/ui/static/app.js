// One app, in several views.

import { get, put, post, del, appPath, appLink, forced } from './api.js';
import { h, table, row, state, broken, crumbs, facts, none, round, since, size } from './dom.js';
import { attempt, ask, copyButton } from './dialog.js';
import { badge, condition, instancesBar, scale } from './apps.js';
import { debugView } from './debug.js';
import { deploymentButtons, progress } from './deployments.js';
import { namesView } from './names.js';
import { versionsView } from './versions.js';

const tabs = [['tasks', 'Tasks'], ['names', 'DNS names'], ['debug', 'Debug'], ['versions', 'Versions'], ['definition', 'Definition']];

export function appPage(path, query, _, again) {
  const id = `/${path}`;
  const tab = tabs.some(([name]) => name === query.get('tab')) ? query.get('tab') : 'tasks';
  const view = { tasks: tasksView, names: namesView, debug: debugView, versions: versionsView(again), definition: definitionView }[tab];
  return {
    title: id,
    live: true,
    async draw() {
      const [{ app }, { queue }, deployments] = await Promise.all([
        get(appPath(id, '?embed=app.tasks&embed=app.counts&embed=app.deployments&embed=app.lastTaskFailure')),
        get('/v2/queue?embed=lastUnusedOffers'), get('/v2/deployments?embed=progress')]);
      const waiting = queue.find((entry) => entry.app.id === app.id);
      const groups = id.split('/').slice(1, -1);
      return [
        crumbs(['Apps', '#/apps'], ...groups.map((name, n) => [name, `#/apps?find=${encodeURIComponent(`/${groups.slice(0, n + 1).join('/')}/`)}`])),
        h('div', { class: 'head' }, h('h1', {}, broken(id)), badge(condition(app, waiting)), actions(app)),
        h('div', { class: 'card' }, facts(
          ['Instances', h('span', {}, `${app.tasksRunning} of ${app.instances} run `, instancesBar(app))],
          ['Health', app.healthChecks?.length > 0 ? `${app.tasksHealthy} healthy, ${app.tasksUnhealthy} unhealthy` : 'no health checks'],
          ['Per instance', `${round(app.cpus)} CPUs, ${size(app.mem)}`], ['Image', app.container?.docker?.image],
          ['Changed', since(app.version, ' ago')])),
        ...deployments.filter((d) => d.affectedApps.includes(app.id)).map((d) => deploying(app, d)),
        tab !== 'debug' && failing(app),
        h('nav', { class: 'tabs', 'aria-label': 'Views of the app' }, tabs.map(([name, title]) =>
          h('a', { href: `#/app${id}?tab=${name}`, key: name, 'aria-current': name === tab && 'page' }, title))),
        h('div', { class: 'stack', key: `view ${tab}` }, await view(app, waiting))];
    },
  };
}

// deploying tells of a deployment that changes the app, and what it waits for.
function deploying(app, d) {
  const reasons = d.currentActions.filter((a) => a.app === app.id && a.reason).map((a) => a.reason);
  return h('section', { class: 'card notice stack', key: d.id, 'aria-label': 'Deployment' },
    h('div', { class: 'head' }, h('h2', { class: 'grow' }, 'A deployment is under way'), deploymentButtons(d)),
    progress(d), reasons.map((reason) => h('p', {}, reason)));
}

// failing tells of the last task that failed, if none has run well since.
function failing(app) {
  const failure = app.lastTaskFailure;
  if (!failure || app.tasks.some((task) => task.startedAt > failure.timestamp && !app.healthChecks?.length)) return null;
  return h('section', { class: 'card notice bad', key: 'failure', 'aria-label': 'Last failure' },
    h('p', {}, h('strong', {}, 'A task failed '), since(failure.timestamp, ' ago'), ` on ${failure.host}: ${failure.message || failure.state}. `,
      h('a', { href: `#/logs/${failure.taskId}?file=stderr` }, 'Its logs')));
}

function actions(app) {
  const change = (title, act, danger) => h('button', { type: 'button', key: title, class: danger && 'danger', click: act }, title);
  const confirm = async (title, text, done, act) => {
    if (await ask({ title: `${title} ${app.id}?`, text, action: title })) await attempt(done, act);
  };
  return h('div', { class: 'buttons' },
    change('Scale', () => scale(app)),
    app.instances > 0 && change('Restart', () => confirm('Restart', 'Replaces its tasks, as its upgrade strategy allows.',
      `${app.id} is being restarted`, (force) => post(forced(appPath(app.id, '/restart'), force)))),
    app.instances > 0 && change('Suspend', () => confirm('Suspend', 'Kills all of its tasks and keeps its definition.',
      `${app.id} is being suspended`, (force) => put(forced(appPath(app.id), force), { instances: 0 }))),
    h('a', { class: 'button', href: `#/edit${app.id}`, key: 'Edit' }, 'Edit'),
    change('Destroy', async () => {
      const sure = await ask({ title: `Destroy ${app.id}?`, action: 'Destroy', danger: true, word: app.id,
        text: 'Kills its tasks and deletes its definition and all versions.' });
      if (sure && await attempt(`${app.id} is being destroyed`, (force) => del(forced(appPath(app.id), force)))) location.hash = '#/apps';
    }, true));
}

function health(app, task) {
  if (!app.healthChecks?.length) return none();
  const results = task.healthCheckResults ?? [];
  if (results.length === 0) return state('busy', 'not checked yet');
  const failed = results.find((r) => !r.alive);
  return failed ? [state('bad', 'unhealthy'), failed.lastFailureCause && h('p', { class: 'hint' }, failed.lastFailureCause)] : state('good', 'healthy');
}

const columns = [['Task', 'title'], ['Address'], ['State'], ['Health'], ['Running for', 'number'], ['', 'actions']];

function tasksView(app) {
  const kill = async (task) => {
    const data = await ask({ title: 'Kill this task?', action: 'Kill', danger: true, text: `${task.id} on ${task.host}. Another task takes its place.`,
      fields: [h('label', { class: 'check' }, h('input', { type: 'checkbox', name: 'scale' }), 'Scale the app down by one instead')] });
    if (data) await attempt('The task is being killed', (force) => del(forced(appPath(app.id, `/tasks/${task.id}${data.has('scale') ? '?scale=true' : ''}`), force)));
  };
  return table('Tasks', columns, app.tasks.map((task) => row(columns, task.id,
    h('code', {}, broken(task.id)),
    (task.ports.length > 0 ? task.ports : ['']).map((port) => h('div', {}, h('code', {}, port ? `${task.host}:${port}` : task.host))),
    state(task.state === 'TASK_RUNNING' ? 'good' : 'busy', task.state.replace('TASK_', '').toLowerCase()),
    health(app, task), since(task.startedAt),
    h('span', { class: 'buttons' }, h('a', { class: 'button small', href: `#/logs/${task.id}` }, 'Logs'),
      h('button', { type: 'button', class: 'small danger', 'aria-label': `Kill ${task.id}`, click: () => kill(task) }, 'Kill')))),
  h('p', {}, app.instances === 0 ? 'This app is suspended: it has no instances.' : ['No task is running. ', h('a', { href: `${appLink(app.id)}?tab=debug` }, 'Why?')]));
}

async function definitionView(app) {
  const text = JSON.stringify(await get(appPath(app.id, `/versions/${app.version}`)), null, 2);
  return [h('div', { class: 'buttons' }, copyButton(text, 'the definition'), h('a', { class: 'button small', href: `#/edit${app.id}` }, 'Edit')),
    h('pre', { tabindex: 0, 'aria-label': 'Definition' }, text)];
}
