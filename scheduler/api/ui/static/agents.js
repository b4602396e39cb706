// The agents, and what they run.

import { get } from './api.js';
import { h, table, row, round } from './dom.js';

const columns = [['Agent'], ['Address'], ['Attributes'], ['Tasks', 'number'], ['CPUs', 'number'], ['Memory', 'number'], ['Disk', 'number hide-small']];

export function agentsPage() {
  return {
    title: 'Agents',
    live: true,
    async draw() {
      const { agents } = await get('/rollcall/agents');
      return [h('div', { class: 'bar' }, h('h1', {}, 'Agents')),
        h('p', { class: 'quiet' }, 'Those that have made offers, and what rollcall\'s tasks use of them.'),
        table(columns, agents.map((agent) => row(columns,
          [h('strong', {}, agent.hostname), h('div', { class: 'quiet' }, h('code', {}, agent.id))],
          agent.address ?? '',
          [agent.region, agent.zone, ...Object.entries(agent.attributes).map(([name, value]) => `${name}: ${value}`)].filter(Boolean).map((a) => h('div', {}, a)),
          agent.tasks, round(agent.used.cpus), `${round(agent.used.mem)} MiB`, `${round(agent.used.disk)} MiB`)),
        'No agent has made an offer yet.')];
    },
  };
}
