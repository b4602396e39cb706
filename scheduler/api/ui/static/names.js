// What clients find an app by. DNS itself is asked, so that the page says what they see.

import { get } from './api.js';
import { h, emptiness, plural, state } from './dom.js';
import { copyLine } from './dialog.js';

// digLine is the command that asks what the page asks.
export function digLine(server, name, type) {
  const at = server.lastIndexOf(':');
  const [host, port] = [server.slice(0, at).replace(/^\[|\]$/g, ''), server.slice(at + 1)];
  return `dig +short @${host}${port === '53' ? '' : ` -p ${port}`} ${name} ${type}`;
}

export async function namesView(app) {
  const about = await get('/rollcall/about');
  if (!about.dns) return emptiness(h('p', {}, 'This rollcall serves no DNS.'));
  const host = app.id.split('/').filter(Boolean).reverse().join('.');
  const tail = `${about.framework}.${about.domain}`;
  const asked = [['Addresses', `${host}.${tail}`, 'A'], ['Addresses and ports', `_${host}._tcp.${tail}`, 'SRV']];
  const ports = [...(app.portDefinitions ?? []), ...(app.container?.portMappings ?? [])];
  for (const name of new Set(ports.map((port) => port.name).filter(Boolean))) {
    asked.push([`Port ${name}`, `_${name}._${host}._tcp.${tail}`, 'SRV']);
  }
  return h('div', { class: 'grid broad', key: 'names' }, await Promise.all(asked.map(async ([title, name, type]) => {
    const found = await get(`/rollcall/dns?name=${encodeURIComponent(name)}&type=${type}`);
    const records = found.answer.filter((record) => record.type === type);
    return h('section', { class: 'card stack', key: name, 'aria-label': title },
      h('div', { class: 'head' }, h('h2', { class: 'grow' }, title),
        records.length > 0 ? state('good', `${plural(records.length, `${type} record`)}`) : state('late', found.status === 'NOERROR' ? 'no records' : found.status)),
      copyLine(name, `the name ${name}`), copyLine(digLine(about.dns, name, type), 'the dig command'),
      records.length > 0 && [h('pre', { tabindex: 0, 'aria-label': `Records of ${name}` }, records.map((record) => record.data).join('\n')),
        h('p', { class: 'hint' }, `TTL ${records[0].ttl} s: clients may keep an answer that long.`)]);
  })));
}
