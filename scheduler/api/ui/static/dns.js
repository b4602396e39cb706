// What DNS answers, as clients see it.

import { get } from './api.js';
import { h, table, row, copyLine } from './dom.js';

const types = ['A', 'AAAA', 'SRV', 'ANY', 'SOA', 'NS', 'TXT', 'PTR', 'CNAME', 'MX'];
const columns = [['Name'], ['TTL', 'number'], ['Type'], ['Data']];

// figures are what the metrics page tells that matters to people.
const figures = [
  ['rollcall_dns_zone_serial', 'Serial of the zone'], ['rollcall_dns_zone_records', 'Records in the zone'],
  ['rollcall_dns_zone_names', 'Names in the zone'], ['rollcall_dns_zone_collisions', 'Names that several tasks claim'],
];

export function dnsPage(_, query) {
  const result = h('div', { 'aria-live': 'polite' });
  const problem = h('p', { class: 'problem', id: 'name-problem', role: 'alert' });
  const name = h('input', { name: 'name', id: 'name', required: true, value: query.get('name') ?? '', autocomplete: 'off',
    spellcheck: 'false', 'aria-describedby': 'name-problem' });
  const type = h('select', { name: 'type', id: 'type' }, types.map((t) => h('option', { selected: t === query.get('type') }, t)));

  async function look(event) {
    event?.preventDefault();
    problem.textContent = '';
    try {
      const found = await get(`/rollcall/dns?name=${encodeURIComponent(name.value.trim())}&type=${type.value}`);
      result.replaceChildren(h('h2', {}, `${found.status} from ${found.server}`),
        copyLine(`dig @${found.server.replace(/:(\d+)$/, ' -p $1')} ${found.name} ${found.type}`, 'the command'),
        ...[['Answer', found.answer], ['Authority', found.authority], ['Additional', found.additional]].filter(([, records]) => records.length > 0)
          .map(([title, records]) => h('section', {}, h('h2', {}, title), table(columns, records.map((r) =>
            row(columns, h('code', {}, r.name), r.ttl, r.type, h('code', {}, r.data)))))));
    } catch (error) {
      result.replaceChildren();
      problem.textContent = error.message;
    }
  }

  return {
    title: 'DNS',
    live: false,
    async draw() {
      const about = await get('/rollcall/about');
      if (!name.value && about.domain) name.value = `leader.${about.domain}`;
      else if (query.has('name')) look();
      return [h('div', { class: 'bar' }, h('h1', {}, 'DNS')),
        h('form', { class: 'card', submit: look }, h('div', { class: 'fields' },
          h('label', {}, 'Name', name, problem), h('label', {}, 'Type', type),
          h('div', {}, h('button', { class: 'first', id: 'look-up' }, 'Look up')))),
        result, h('h2', {}, 'The server'), await server(about)];
    },
  };
}

async function server(about) {
  let text = '';
  try {
    text = await (await fetch('/metrics')).text();
  } catch {
    return h('p', { class: 'quiet' }, 'Its figures cannot be read.');
  }
  const lines = text.split('\n').filter((line) => line.startsWith('rollcall_dns_'));
  const value = (metric) => lines.find((line) => line.startsWith(`${metric} `))?.slice(metric.length + 1);
  const known = figures.map(([metric, title]) => [title, value(metric)]).filter(([, v]) => v !== undefined);
  const upstreams = lines.filter((line) => line.includes('upstream') && !line.includes('_bucket'));
  return [h('dl', { class: 'card' }, h('dt', {}, 'Serves'), h('dd', {}, `${about.domain} at ${about.dns || 'no address: it is off'}`),
    known.map(([title, v]) => [h('dt', {}, title), h('dd', {}, String(Number(v)))])),
    upstreams.length > 0 && h('details', {}, h('summary', {}, 'Upstream servers'), h('pre', {}, upstreams.join('\n')))];
}
