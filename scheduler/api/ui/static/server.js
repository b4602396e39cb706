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
        reasons.length > 0 && h('section', { class: 'card notice bad', key: 'reasons', 'aria-label': 'What is missing' }, h('h2', {}, 'What is missing'),
          h('ul', {}, reasons.map(([name, reason]) => h('li', {}, h('strong', {}, name), `: ${reason}`)))),
        h('section', { class: 'card stack', key: 'leader', 'aria-label': 'Who leads' }, h('h2', {}, 'Who leads'),
          facts(['Leader', h('code', {}, info.leader ?? 'nobody')], ['This page comes from', h('code', {}, location.host)],
            ['Several rollcalls', config.ha ? 'yes: another leads when this one fails' : 'no: this one runs alone']),
          info.leader && info.leader !== location.host && config.ha && h('p', { class: 'quiet' }, 'What you do here is passed on to the leader.'),
          config.ha && h('div', { class: 'buttons' }, h('button', { type: 'button', key: 'abdicate', click: abdicate }, 'Let another lead'))),
        h('section', { class: 'card stack', key: 'server', 'aria-label': 'What runs' }, h('h2', {}, 'What runs'),
          facts(['Version', info.version], ['Build', info.buildref], ['Framework', `${info.name}`], ['Framework id', info.frameworkId && h('code', {}, info.frameworkId)],
            ['DNS', about.dns ? `${about.domain} at ${about.dns}` : 'off'], ...details)),
        h('section', { class: 'card stack', key: 'more', 'aria-label': 'For programs' }, h('h2', {}, 'For programs'),
          [['/v2/openapi.json', 'the API, described'], ['/metrics', 'metrics for Prometheus'], ['/readyz', 'whether everything is usable'], ['/v2/events', 'the event stream']]
            .map(([path, what]) => h('div', {}, h('a', { href: path }, path), h('span', { class: 'quiet' }, ` ${what}`))),
          copyLine(`rollcall app list -url ${location.origin}`, 'the command'))];
    },
  };
}

async function abdicate() {
  if (await ask({ title: 'Let another lead?', action: 'Let another lead', text: 'Tasks and names stay as they are. Requests wait a moment until another leads.' })) {
    await attempt('Another is going to lead', () => del('/v2/leader'));
  }
}
