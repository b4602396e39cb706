// Deployments that are under way.

import { get, del } from './api.js';
import { h, attempt, ask } from './dom.js';
import { appLink } from './apps.js';

export function deploymentsPage() {
  return {
    title: 'Deployments',
    live: true,
    async draw() {
      const deployments = await get('/v2/deployments');
      return [h('div', { class: 'bar' }, h('h1', {}, 'Deployments')),
        deployments.length === 0 ? h('p', { class: 'quiet' }, 'None is under way: everything is as it is wanted.') : deployments.map(card)];
    },
  };
}

function card(d) {
  return h('section', { class: 'card' },
    h('div', { class: 'bar' }, h('h1', {}, d.affectedApps.map((id, n) => [n > 0 && ', ', h('a', { href: appLink(id) }, id)])),
      h('button', { type: 'button', id: `roll-back-${d.id}`, click: () => cancel(d, false) }, 'Roll back'),
      h('button', { type: 'button', id: `abandon-${d.id}`, class: 'danger', click: () => cancel(d, true) }, 'Abandon')),
    h('label', {}, `Step ${d.currentStep} of ${d.totalSteps}`, h('progress', { value: d.currentStep - 1, max: d.totalSteps })),
    h('ul', {}, d.currentActions.map((action) => h('li', {}, `${action.action} ${action.app}`, action.reason && `: ${action.reason}`,
      action.instances?.length > 0 && h('ul', {}, action.instances.map((i) => h('li', {}, h('code', {}, i.id ?? i.instanceId), ` ${i.reason ?? i.state ?? ''}`)))))),
    h('p', { class: 'quiet' }, h('code', {}, d.id)));
}

async function cancel(d, force) {
  const sure = await ask({
    title: force ? 'Abandon this deployment?' : 'Roll this deployment back?',
    text: force ? 'Apps stay as they are at this moment.' : 'Apps become again what they were before it.',
    action: force ? 'Abandon' : 'Roll back', danger: force });
  if (sure) await attempt(force ? 'It is abandoned' : 'It is rolled back', () => del(`/v2/deployments/${d.id}${force ? '?force=true' : ''}`));
}
