// One app: its tasks, names, definition, versions, and why it does not start.

import { get, put, post, del, appPath } from './api.js';
import { h, table, row, state, attempt, ask, age, copyLine } from './dom.js';
import { condition, scale } from './apps.js';
import { difference } from './difference.js';

const tabs = [['tasks', 'Tasks'], ['names', 'DNS names'], ['debug', 'Why it does not start'], ['versions', 'Versions'], ['definition', 'Definition']];

export function appPage(path, query) {
  const id = `/${path}`;
  const tab = tabs.some(([name]) => name === query.get('tab')) ? query.get('tab') : 'tasks';
  return {
    title: id,
    live: tab !== 'versions',
    async draw() {
      const { app } = await get(appPath(id, '?embed=app.tasks&embed=app.counts&embed=app.deployments&embed=app.lastTaskFailure'));
      const contents = { tasks, names, debug, versions, definition }[tab];
      return [
        h('p', {}, h('a', { href: '#/apps' }, '← Apps')),
        h('div', { class: 'bar' }, h('h1', {}, id), condition(app), actions(app)),
        h('nav', { class: 'tabs', 'aria-label': 'Views of the app' }, tabs.map(([name, title]) =>
          h('a', { href: `#/app${id}?tab=${name}`, id: `tab-${name}`, 'aria-current': name === tab && 'page' }, title))),
        await contents(app)];
    },
  };
}

function actions(app) {
  const change = (name, title, act, danger) =>
    h('button', { type: 'button', id: `do-${name}`, class: danger && 'danger', click: act }, title);
  const confirm = async (title, text, action, done, act) => {
    if (await ask({ title: `${title} ${app.id}`, text, action })) await attempt(done, act);
  };
  return h('div', { class: 'bar' },
    change('scale', 'Scale', () => scale(app)),
    change('restart', 'Restart', () => confirm('Restart', 'Its tasks are replaced, by the rules of its upgrade strategy.', 'Restart',
      `${app.id} is restarted`, () => post(appPath(app.id, '/restart')))),
    app.instances > 0 && change('suspend', 'Suspend', () => confirm('Suspend', 'All of its tasks are ended. Its definition stays.', 'Suspend',
      `${app.id} is suspended`, () => put(appPath(app.id), { instances: 0 }))),
    h('a', { class: 'button', href: `#/edit${app.id}` }, 'Edit'),
    change('destroy', 'Destroy', async () => {
      const sure = await ask({ title: `Destroy ${app.id}`, action: 'Destroy', danger: true, word: app.id,
        text: 'Its tasks are ended, and its definition and versions are forgotten.' });
      if (sure && await attempt(`${app.id} is being destroyed`, () => del(appPath(app.id)))) location.hash = '#/apps';
    }, true));
}

function health(task) {
  const results = task.healthCheckResults ?? [];
  if (results.length === 0) return state('', 'not checked');
  return results.every((r) => r.alive) ? state('good', 'healthy') : state('bad', 'unhealthy');
}

const taskColumns = [['Task'], ['Address'], ['State'], ['Health'], ['Runs for', 'number'], ['', 'actions']];

function tasks(app) {
  const kill = async (task) => {
    const data = await ask({ title: 'Kill this task?', action: 'Kill', danger: true, text: task.id,
      fields: [h('label', {}, h('input', { type: 'checkbox', name: 'scale' }), ' and scale the app down by one')] });
    if (data) await attempt('The task is killed', () => del(appPath(app.id, `/tasks/${task.id}${data.has('scale') ? '?scale=true' : ''}`)));
  };
  const failure = app.lastTaskFailure;
  return [
    table(taskColumns, app.tasks.map((task) => row(taskColumns,
      h('code', {}, task.id),
      (task.ports.length > 0 ? task.ports : ['']).map((port) => h('div', {}, port ? `${task.host}:${port}` : task.host)),
      state(task.state === 'TASK_RUNNING' ? 'good' : 'busy', task.state.replace('TASK_', '').toLowerCase()),
      health(task), age(task.startedAt),
      [h('a', { class: 'button', href: `#/logs/${task.id}` }, 'Logs'), ' ',
        h('button', { type: 'button', class: 'danger', id: `kill-${task.id}`, click: () => kill(task) }, 'Kill')])),
    'No task runs.'),
    failure && h('div', { class: 'card' }, h('h2', {}, 'The last failure'),
      h('p', {}, `${failure.state}, ${age(failure.timestamp)} ago on ${failure.host}: ${failure.message || 'no message'} `,
        h('a', { href: `#/logs/${failure.taskId}` }, 'its logs')))];
}

// names shows what clients find the app by. It asks DNS, so that it says what they see.
async function names(app) {
  const about = await get('/rollcall/about');
  if (!about.dns) return h('p', { class: 'quiet' }, 'This rollcall serves no DNS.');
  const labels = app.id.split('/').filter(Boolean).reverse();
  const host = labels.join('.');
  const tail = `${about.framework}.${about.domain}`;
  const asked = [[`${host}.${tail}`, 'A'], [`_${host}._tcp.${tail}`, 'SRV']];
  const ports = [...(app.portDefinitions ?? []), ...(app.container?.portMappings ?? [])];
  for (const name of new Set(ports.map((port) => port.name).filter(Boolean))) asked.push([`_${name}._${host}._tcp.${tail}`, 'SRV']);
  const [server, port] = [about.dns.slice(0, about.dns.lastIndexOf(':')), about.dns.slice(about.dns.lastIndexOf(':') + 1)];
  return Promise.all(asked.map(async ([name, type]) => {
    const found = await get(`/rollcall/dns?name=${encodeURIComponent(name)}&type=${type}`);
    return h('section', { class: 'card' }, copyLine(name, 'the name'),
      copyLine(`dig +short @${server}${port === '53' ? '' : ` -p ${port}`} ${name} ${type}`, 'the command'),
      h('p', { class: 'quiet' }, found.answer.length === 0 ? found.status : `${found.answer.length} ${type} records, kept by clients for ${found.answer[0].ttl} s`),
      found.answer.length > 0 && h('pre', {}, found.answer.map((record) => record.data).join('\n')));
  }));
}

const reasons = {
  UnfulfilledRole: 'offered to another role', UnfulfilledConstraint: 'the constraints are not met', NoCorrespondingReservationFound: 'no reservation fits',
  AgentMaintenance: 'the agent is going into maintenance', InsufficientCpus: 'too few CPUs', InsufficientMemory: 'too little memory',
  InsufficientDisk: 'too little disk', InsufficientGpus: 'too few GPUs', InsufficientPorts: 'the ports are taken',
  DeclinedScarceResources: 'kept for those who need its scarce resources', ContainerEngineUnavailable: 'no container engine',
};

async function debug(app) {
  const { queue } = await get('/v2/queue?embed=lastUnusedOffers');
  const entry = queue.find((q) => q.app.id === app.id);
  if (!entry) return h('p', { class: 'quiet' }, 'It does not wait for anything.');
  const declined = entry.processedOffersSummary.rejectSummaryLastOffers.filter((r) => r.declined > 0);
  const columns = [['Agent'], ['Refused because']];
  return [
    h('div', { class: 'card' }, h('p', {}, `${entry.count} instances wait since ${age(entry.since)}.`),
      !entry.delay.overdue && h('p', {}, `Its tasks failed, so the next is started in ${entry.delay.timeLeftSeconds} s. `,
        h('button', { type: 'button', id: 'reset-delay', click: () => attempt('It is started now', () => del(`/v2/queue${app.id}/delay`)) }, 'Start now')),
      declined.length > 0 && h('ul', {}, declined.map((r) => h('li', {}, `${reasons[r.reason] ?? r.reason}: ${r.declined} of ${r.processed} offers`)))),
    table(columns, (entry.lastUnusedOffers ?? []).map((o) => row(columns, o.offer.hostname, o.reason.map((r) => reasons[r] ?? r).join(', '))),
      'No agent has made an offer since.')];
}

async function versions(app) {
  const list = (await get(appPath(app.id, '/versions'))).versions;
  const shown = h('div', { 'aria-live': 'polite' });
  const compare = (version) => attempt(null, async () => {
    const then = await get(appPath(app.id, `/versions/${version}`));
    const now = await get(appPath(app.id, `/versions/${list[0]}`));
    for (const d of [then, now]) for (const name of ['version', 'versionInfo']) delete d[name];
    shown.replaceChildren(h('h2', {}, `From ${version} to the present`), difference(then, now));
  });
  const restore = async (version) => {
    if (await ask({ title: 'Roll back?', text: `${app.id} becomes again what it was on ${version}.`, action: 'Roll back' })) {
      await attempt(`${app.id} is rolled back`, () => put(appPath(app.id), { version }));
    }
  };
  const columns = [['Version'], ['', 'actions']];
  return [table(columns, list.map((version, n) => row(columns, h('code', {}, version), n === 0 ? 'present' : [
    h('button', { type: 'button', click: () => compare(version) }, 'Compare'), ' ',
    h('button', { type: 'button', click: () => restore(version) }, 'Roll back')])), 'There are none.'), shown];
}

async function definition(app) {
  return h('pre', {}, JSON.stringify(await get(appPath(app.id, `/versions/${app.version}`)), null, 2));
}
