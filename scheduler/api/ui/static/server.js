// Who leads, and whether this rollcall is ready.

import { get, del, ready } from './api.js';
import { h, facts, state } from './dom.js';
import { attempt, ask, copyLine } from './dialog.js';

export function serverPage() {
  return {
    title: 'Server',
    live: true,
    async draw() {
      const [info, about, checks] = await Promise.all([get('/v2/info'), get('/rollcall/about'), ready()]);
      const config = info.marathon_config;
      const reasons = Object.entries(checks.reasons ?? {});
      const details = Object.entries(checks.details ?? {});
      return [
        h('div', { class: 'head' }, h('h1', {}, 'Server'), checks.ready ? state('good', 'Ready') : state('bad', 'Not ready')),
        reasons.length > 0 && h('section', { class: 'card notice bad', key: 'reasons', 'aria-label': 'Problems' }, h('h2', {}, 'Problems'),
          h('ul', {}, reasons.map(([name, reason]) => h('li', {}, h('strong', {}, name), `: ${reason}`)))),
        h('section', { class: 'card stack', key: 'leader', 'aria-label': 'Leader' }, h('h2', {}, 'Leader'),
          facts(['Leader', h('code', {}, info.leader ?? 'nobody')], ['You are connected to', h('code', {}, location.host)],
            ['High availability', config.ha ? 'yes: another rollcall takes over if the leader fails' : 'no: this rollcall runs alone']),
          info.leader && info.leader !== location.host && config.ha && h('p', { class: 'quiet' }, 'Changes you make here are passed on to the leader.'),
          config.ha && h('div', { class: 'buttons' }, h('button', { type: 'button', key: 'abdicate', click: abdicate }, 'Hand over leadership'))),
        h('section', { class: 'card stack', key: 'server', 'aria-label': 'This server' }, h('h2', {}, 'This server'),
          facts(['Version', info.version], ['Build', info.buildref === 'unknown' ? null : info.buildref], ['Framework', `${info.name}`], ['Framework id', info.frameworkId && h('code', {}, info.frameworkId)],
            ['DNS', about.dns ? `${about.domain} at ${about.dns}` : 'off'], ...details.map(([name, text]) => [name[0].toUpperCase() + name.slice(1), text]))),
        h('section', { class: 'card stack', key: 'more', 'aria-label': 'For scripts and monitoring' }, h('h2', {}, 'For scripts and monitoring'),
          [['/v2/openapi.json', 'OpenAPI description'], ['/metrics', 'Prometheus metrics'], ['/readyz', 'readiness check'], ['/v2/events', 'event stream']]
            .map(([path, what]) => h('div', {}, h('a', { href: path }, path), h('span', { class: 'quiet' }, ` ${what}`))),
          copyLine(`rollcall app list -url ${location.origin}`, 'the command'))];
    },
  };
}

async function abdicate() {
  if (await ask({ title: 'Hand over leadership?', action: 'Hand over leadership', text: 'Tasks and names stay as they are. Requests wait a moment until another rollcall leads.' })) {
    await attempt('Another rollcall is about to lead', () => del('/v2/leader'));
  }
}
