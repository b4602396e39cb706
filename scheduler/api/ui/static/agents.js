// The agents: what they have, and what rollcall's tasks use of it.

import { get } from './api.js';
import { h, bar, broken, emptiness, facts, plural, round, size } from './dom.js';

export function agentsPage() {
  return {
    title: 'Agents',
    live: true,
    async draw() {
      const { agents } = await get('/rollcall/agents');
      return [h('div', { class: 'head' }, h('h1', {}, 'Agents'), agents.length > 0 && h('p', { class: 'quiet' }, plural(agents.length, 'agent'))),
        agents.length === 0 ? emptiness(h('p', {}, 'No agent has made an offer yet.')) : h('div', { class: 'grid' }, agents.map(card))];
    },
  };
}

function card(agent) {
  const kinds = [agent.region && ['region', agent.region], agent.zone && ['zone', agent.zone], ...Object.entries(agent.attributes)].filter(Boolean);
  return h('section', { class: 'card', key: agent.id, 'aria-label': `Agent ${agent.hostname}` },
    h('div', { class: 'head' }, h('h2', { class: 'grow' }, broken(agent.hostname)), h('span', { class: 'quiet' }, plural(agent.tasks, 'task'))),
    meter('CPUs', agent.used.cpus, agent.total?.cpus, round), meter('Memory', agent.used.mem, agent.total?.mem, size), meter('Disk', agent.used.disk, agent.total?.disk, size),
    h('details', {}, h('summary', {}, 'More'), facts(['Id', h('code', {}, agent.id)], ['Address', agent.address && h('code', {}, agent.address)],
      ...kinds.map(([name, value]) => [name, value]))));
}

// meter shows what is used of something. How much an agent of Mesos has, its master tells; before that it is not known.
function meter(name, used, total, worded) {
  const full = total > 0 ? used / total : 0;
  const text = total > 0 ? `${worded(used)} of ${worded(total)}` : `${worded(used)} (total unknown)`;
  return h('div', { class: 'meter' }, h('span', {}, name),
    total > 0 ? bar([[full > 0.9 ? 'late' : 'good', used]], total, `${name}: ${text}`) : h('span'), h('span', {}, text));
}
