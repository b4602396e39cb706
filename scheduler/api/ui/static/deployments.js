// Deployments that are under way: how far they are, and what they wait for.

import { get, del, appLink } from './api.js';
import { h, bar, broken, emptiness, facts, plural, since, state } from './dom.js';
import { attempt, ask } from './dialog.js';

// What the actions of a deployment do, in words.
const doing = { StartApplication: 'Start', StopApplication: 'Stop', ScaleApplication: 'Scale', RestartApplication: 'Replace the tasks of', ResolveArtifacts: 'Fetch files of' };

export function deploymentsPage() {
  return {
    title: 'Deployments',
    live: true,
    async draw() {
      const deployments = await get('/v2/deployments?embed=progress');
      return [h('div', { class: 'head' }, h('h1', {}, 'Deployments')),
        deployments.length === 0 ? emptiness(h('p', {}, 'No deployment is under way: everything is as defined.')) : deployments.map(card)];
    },
  };
}

const inTitle = 5; // apps that a deployment is named by
const titled = (d) => d.affectedApps.slice(0, inTitle);

function card(d) {
  return h('section', { class: 'card stack', key: d.id, 'aria-label': `Deployment of ${titled(d).join(', ')}` },
    h('div', { class: 'head' }, h('h2', { class: 'grow' }, titled(d).map((id, n) => [n > 0 && ', ', h('a', { href: appLink(id), class: 'name', key: id }, broken(id))]),
      d.affectedApps.length > inTitle && ` and ${d.affectedApps.length - inTitle} more`),
      deploymentButtons(d)),
    progress(d),
    h('ol', { class: 'steps' }, d.steps.map((step, n) => stepLine(d, step, n + 1))),
    facts(['Began', since(d.version, ' ago')], ['Deployment', h('code', {}, d.id)]));
}

// progress shows how much of a deployment is done: steps, and of the present one the instances.
export function progress(d) {
  const instances = d.currentActions.flatMap((action) => action.instances ?? []);
  const part = instances.length > 0 ? instances.filter((i) => i.done).length / instances.length : 0;
  const text = `Step ${d.currentStep} of ${d.totalSteps}`;
  return h('div', {}, h('p', { class: 'small-text quiet' }, text, instances.length > 0 && `, ${instances.filter((i) => i.done).length} of ${plural(instances.length, 'instance')} done`),
    bar([['busy', d.currentStep - 1 + part]], d.totalSteps, text));
}

// stepLine lists the actions of a step: first those that wait for something, at last those that are done.
function stepLine(d, step, number) {
  const place = number < d.currentStep ? 'done' : number === d.currentStep ? 'now' : '';
  const rank = (action) => (action.done ? 2 : action.reason ? 0 : 1);
  const lines = (place === 'now' ? d.currentActions.toSorted((a, b) => rank(a) - rank(b)) : step.actions).map(actionLine);
  const shown = place === 'now' ? most : few;
  return h('li', { class: place, key: `step ${number}`, 'aria-current': place === 'now' && 'step' },
    h('div', {}, lines.slice(0, shown), lines.length > shown && h('details', { key: 'more' }, h('summary', {}, `${lines.length - shown} more`), lines.slice(shown))));
}

const actionLine = (action) => h('div', { key: `${action.action} ${action.app}` }, h('span', {}, `${doing[action.action] ?? action.action} ${action.app}`),
  action.done && [' ', state('good', 'done')],
  action.reason && h('p', { class: 'quiet' }, action.reason), instanceLines(action.instances ?? []));

const most = 20; // actions of the present step, and instances, that are listed
const few = 3; // actions of other steps that are listed

// instanceLines lists the instances that are not done, with what each waits for.
export function instanceLines(instances) {
  const waiting = instances.filter((i) => !i.done);
  return waiting.length > 0 && h('details', { key: 'instances', open: waiting.length <= 3 },
    h('summary', {}, `${plural(waiting.length, 'instance')} not done`),
    h('ul', {}, waiting.slice(0, most).map((i) => h('li', { key: i.id }, h('code', {}, broken(i.id)), i.host && ` on ${i.host}`, `: ${i.reason || i.condition}`)),
      waiting.length > most && h('li', {}, `and ${waiting.length - most} more`)));
}

export function deploymentButtons(d) {
  return h('div', { class: 'buttons' },
    h('button', { type: 'button', key: 'roll back', click: () => cancel(d, false) }, 'Roll back'),
    h('button', { type: 'button', key: 'stop', class: 'danger', click: () => cancel(d, true) }, 'Stop here'));
}

async function cancel(d, force) {
  const sure = await ask({
    title: force ? 'Stop this deployment here?' : 'Roll this deployment back?',
    text: force ? 'Its apps stay as they are now, possibly halfway between the old and the new definition.' : 'Its apps go back to what they were before it.',
    action: force ? 'Stop here' : 'Roll back', danger: force });
  if (sure) await attempt(force ? 'Deployment stopped' : 'Deployment is being rolled back', () => del(`/v2/deployments/${d.id}${force ? '?force=true' : ''}`));
}
