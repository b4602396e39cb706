// What DNS answers, as clients see it; what changed lately, and how the servers do that other names are asked of.

import { get } from './api.js';
import { h, table, row, emptiness, facts, none, since, state } from './dom.js';
import { copyLine } from './dialog.js';
import { digLine } from './names.js';

const types = ['A', 'AAAA', 'SRV', 'PTR', 'TXT', 'CNAME', 'NS', 'SOA', 'MX', 'ANY'];
const recordColumns = [['Name', 'title'], ['TTL', 'number'], ['Type'], ['Data']];
const changeColumns = [['When'], ['Name', 'title'], ['Type'], ['Change']];
const upstreamColumns = [['Server', 'title'], ['State'], ['Latency', 'number'], ['Replies', 'number'], ['Failures', 'number']];

export function dnsPage(_, query, __, again) {
  let name = query.get('name') ?? '';
  let type = types.includes(query.get('type')) ? query.get('type') : 'A';
  let found = null;
  let problem = '';

  async function look() {
    try {
      found = await get(`/rollcall/dns?name=${encodeURIComponent(name)}&type=${type}`);
      problem = '';
    } catch (error) {
      [found, problem] = [null, error.message];
    }
  }

  async function submit(event) {
    event.preventDefault();
    const data = new FormData(event.target);
    [name, type] = [data.get('name').trim(), data.get('type')];
    history.replaceState(null, '', `#/dns?name=${encodeURIComponent(name)}&type=${type}`);
    await look();
    again();
  }

  const question = () => h('form', { class: 'card', submit, key: 'question' }, h('div', { class: 'ask' },
    h('label', { class: 'field' }, 'Name', h('input', { name: 'name', id: 'name', required: true, value: name, autocomplete: 'off', autocapitalize: 'none',
      spellcheck: 'false', 'aria-invalid': problem !== '' && 'true', 'aria-describedby': 'name-problem' })),
    h('label', { class: 'field' }, 'Type', h('select', { name: 'type', id: 'type' }, types.map((t) => h('option', { selected: t === type }, t)))),
    h('button', { class: 'first', id: 'look-up' }, 'Look up')),
  h('p', { class: 'problem', id: 'name-problem', role: 'alert' }, problem));

  return {
    title: 'DNS',
    live: true,
    async draw() {
      const about = await get('/rollcall/about');
      if (!about.dns) return [h('h1', {}, 'DNS'), emptiness(h('p', {}, 'This rollcall serves no DNS.'))];
      if (!name) name = `leader.${about.domain}`;
      else if (found || query.has('name')) await look();
      const [changes, metrics] = await Promise.all([get('/rollcall/dns/changes'), readMetrics()]);
      return [h('div', { class: 'head' }, h('h1', {}, 'DNS'), h('p', { class: 'quiet' }, `${about.domain} at ${about.dns}`)), question(),
        h('div', { 'aria-live': 'polite', key: 'answer' }, found && answer(about.dns, found)),
        h('h2', {}, 'Zone'), zone(about, metrics), h('h2', {}, 'Upstream servers'), upstreams(metrics),
        h('h2', {}, 'Recent changes'), changed(changes.changes)];
    },
  };
}

function answer(server, found) {
  const sections = [['Answer', found.answer], ['Authority', found.authority], ['Additional', found.additional]].filter(([, records]) => records.length > 0);
  return h('section', { class: 'stack', 'aria-label': 'What clients see' },
    h('div', { class: 'head' }, state({ NOERROR: 'good', NXDOMAIN: 'late' }[found.status] ?? 'bad', found.status),
      copyLine(digLine(server, found.name, found.type), 'the dig command')),
    sections.length === 0 && emptiness(h('p', {}, 'No records.')),
    sections.map(([title, records]) => [h('h2', { key: title }, title), table(title, recordColumns, records.map((r, n) =>
      row(recordColumns, `${title} ${n}`, h('code', {}, r.name), r.ttl, r.type, h('code', {}, r.data))))]));
}

const few = 12; // changes that are shown at first

const changed = (list) => [changeTable('The newest changes', list.slice(0, few)), list.length > few && h('details', { key: 'older' },
  h('summary', {}, `${list.length - few} more`), changeTable('Older changes', list.slice(few)))];

const changeTable = (title, list) => table(title, changeColumns, list.map((c, n) => row(changeColumns, `${n}`,
  since(c.time, ' ago'), h('a', { href: `#/dns?name=${encodeURIComponent(c.name)}&type=${c.type}`, class: 'name' }, c.name), c.type,
  [...c.removed.map((data) => h('div', {}, h('span', { class: 'state bad' }, 'removed'), ' ', h('code', {}, data))),
    ...c.added.map((data) => h('div', {}, h('span', { class: 'state good' }, 'added'), ' ', h('code', {}, data)))])),
h('p', {}, 'No changes since this rollcall started to answer.'));

// readMetrics reads the metrics that are about DNS: a list of [name, labels, value].
async function readMetrics() {
  const response = await fetch('/metrics', { headers: { Accept: 'text/plain' } });
  const out = [];
  for (const line of (await response.text()).split('\n')) {
    const found = /^(rollcall_dns_\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (found) out.push([found[1], Object.fromEntries([...(found[2] ?? '').matchAll(/(\w+)="([^"]*)"/g)].map(([, k, v]) => [k, v])), Number(found[3])]);
  }
  return out;
}

function upstreams(metrics) {
  const servers = new Map();
  for (const [metric, labels, value] of metrics) {
    if (!labels.upstream) continue;
    const s = servers.get(labels.upstream) ?? {};
    servers.set(labels.upstream, s);
    s[`${metric.replace(/^rollcall_dns_/, '')}${labels.result ? ` ${labels.result}` : ''}`] = value;
  }
  const condition = (s) => {
    if (s.upstream_up === 0) return state('bad', 'does not answer');
    return s['forwards_total reply'] > 0 ? state('good', 'answers') : state('', 'not asked yet');
  };
  return table('Upstream servers', upstreamColumns, [...servers].map(([address, s]) => row(upstreamColumns, address, h('code', {}, address), condition(s),
    s.upstream_latency_seconds > 0 ? `${(s.upstream_latency_seconds * 1000).toFixed(1)} ms` : none(), s['forwards_total reply'] ?? 0, s['forwards_total failure'] ?? 0)),
  h('p', {}, 'Names outside the zone are not forwarded.'));
}

function zone(about, metrics) {
  const value = (metric) => metrics.find(([name, labels]) => name === `rollcall_dns_${metric}` && Object.keys(labels).length === 0)?.[2];
  const collisions = value('zone_collisions');
  return h('div', { class: 'card' }, facts(['Domain', about.domain], ['Serial', value('zone_serial')], ['Names', value('zone_names')], ['Records', value('zone_records')],
    ['Last change', value('zone_changed_timestamp_seconds') > 0 && since(new Date(value('zone_changed_timestamp_seconds') * 1000).toISOString(), ' ago')],
    ['Name collisions', collisions > 0 ? state('late', String(collisions)) : collisions],
    ['Complete', value('zone_ready') === 0 ? state('late', 'not yet: some sources have not answered') : 'yes']));
}
