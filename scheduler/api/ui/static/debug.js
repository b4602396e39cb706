// Why an app does not start: what the queue says of it, and what failed.

import { del } from './api.js';
import { h, table, row, state, emptiness, plural, round, since, size } from './dom.js';
import { attempt } from './dialog.js';

export const reasons = {
  UnfulfilledRole: 'offered to another role', UnfulfilledConstraint: 'constraints not met', NoCorrespondingReservationFound: 'no reservation fits',
  AgentMaintenance: 'the agent is going into maintenance', InsufficientCpus: 'too few CPUs', InsufficientMemory: 'too little memory',
  InsufficientDisk: 'too little disk', InsufficientGpus: 'too few GPUs', InsufficientPorts: 'the ports are taken',
  DeclinedScarceResources: 'kept for those who need its scarce resources', ContainerEngineUnavailable: 'no container engine',
};
const columns = [['Agent', 'title'], ['Refused because'], ['Free CPUs', 'number'], ['Free memory', 'number'], ['Seen', 'number']];
const scalar = (offer, name) => offer.resources.filter((r) => r.name === name).reduce((sum, r) => sum + (r.scalar ?? 0), 0);

export function debugView(app, waiting) {
  return [waiting ? queueCard(app, waiting) : h('div', { class: 'card', key: 'queue' }, h('p', {}, state('good', 'Nothing is waiting'),
    ' All instances of this app have been launched.')), waiting && offers(waiting), failureCard(app), unhealthy(app)];
}

function queueCard(app, entry) {
  const declined = entry.processedOffersSummary.rejectSummaryLastOffers.filter((r) => r.declined > 0);
  return h('section', { class: 'card notice late', key: 'queue', 'aria-label': 'Queue' },
    h('h2', {}, `${plural(entry.count, 'instance has', 'instances have')} been waiting for `, since(entry.since)),
    h('p', { class: 'quiet' }, `Each needs ${round(app.cpus)} CPUs, ${size(app.mem)} of memory${app.disk > 0 ? `, ${size(app.disk)} of disk` : ''}.`),
    !entry.delay.overdue && h('p', {}, `Its tasks failed, so the next start is delayed by ${entry.delay.timeLeftSeconds} s. `,
      h('button', { type: 'button', class: 'small', key: 'reset', click: () =>
        attempt('The delay is over', () => del(`/v2/queue${app.id}/delay`)) }, 'Start now')),
    declined.length > 0 && h('ul', {}, declined.map((r) => h('li', { key: r.reason }, `${reasons[r.reason] ?? r.reason}: ${r.declined} of ${plural(r.processed, 'offer')}`))),
    declined.length === 0 && entry.delay.overdue && h('p', {}, 'No offer has been considered yet.'));
}

const offers = (entry) => table('Refused offers', columns, (entry.lastUnusedOffers ?? []).map((o) => row(columns, o.offer.id,
  h('strong', {}, o.offer.hostname), (o.explanation ?? o.reason.map((r) => reasons[r] ?? r)).join(', '),
  round(scalar(o.offer, 'cpus')), size(scalar(o.offer, 'mem')), since(o.timestamp, ' ago'))),
h('p', {}, 'No offer has been refused since.'));

function failureCard(app) {
  const failure = app.lastTaskFailure;
  if (!failure) return emptiness(h('p', {}, 'No task of this app has failed.'));
  return h('section', { class: 'card notice bad', key: 'failure', 'aria-label': 'The last failure' },
    h('h2', {}, 'Last failed task'),
    h('p', {}, state('bad', failure.state.replace('TASK_', '').toLowerCase()), ' ', since(failure.timestamp, ' ago'), ` on ${failure.host}`),
    failure.message && h('p', {}, h('code', {}, failure.message)),
    h('p', {}, h('a', { href: `#/logs/${failure.taskId}?file=stderr` }, 'Its logs')));
}

function unhealthy(app) {
  const sick = app.tasks.flatMap((task) => (task.healthCheckResults ?? []).filter((r) => !r.alive).map((r) => [task, r]));
  return sick.length > 0 && h('section', { class: 'card notice bad', key: 'unhealthy', 'aria-label': 'Failing health checks' },
    h('h2', {}, 'Failing health checks'),
    h('ul', {}, sick.map(([task, r]) => h('li', {}, h('code', {}, task.id), `: ${r.lastFailureCause || 'no answer'}, ${plural(r.consecutiveFailures, 'time')} in a row`))));
}
