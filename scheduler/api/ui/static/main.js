// Which page is shown, and when it is brought up to date.

import { follow, get, post } from './api.js';
import { h, morph, plural } from './dom.js';
import { attempt, ask } from './dialog.js';
import { agentsPage } from './agents.js';
import { appPage } from './app.js';
import { appsPage } from './apps.js';
import { deploymentsPage } from './deployments.js';
import { dnsPage } from './dns.js';
import { formPage } from './form.js';
import { logsPage } from './logs.js';
import { serverPage } from './server.js';

// A page is a function of the rest of the address, of the query, of the page's name, and of a function that has it drawn
// again, that returns {title, draw, live, leave}: draw returns what is to be shown, live says whether to draw again when
// something has happened, leave is called at the end.
const pages = {
  apps: appsPage, app: appPage, create: formPage, edit: formPage, deployments: deploymentsPage, agents: agentsPage,
  dns: dnsPage, logs: logsPage, server: serverPage,
};
const sections = { app: 'apps', create: 'apps', edit: 'apps', logs: 'apps' };
const patience = 300; // milliseconds before a page says that it is being loaded

const main = document.getElementById('main');
let page = null;
let place = ''; // the address without its query
let drawing = 0;

async function draw(arriving) {
  const turn = ++drawing;
  const now = page;
  const loading = arriving && setTimeout(() => {
    if (turn === drawing) morph(main, h('h1', { class: 'unseen' }, now.title), h('p', { class: 'loading', role: 'status' }, 'Loading…'));
  }, patience);
  main.setAttribute('aria-busy', 'true');
  let content;
  try {
    content = await now.draw();
  } catch (error) {
    content = [h('h1', {}, now.title), h('div', { class: 'card notice bad stack' },
      h('p', { class: 'problem', role: 'alert' }, error.message),
      h('div', { class: 'buttons' }, h('button', { type: 'button', id: 'again', click: () => draw(false) }, 'Try again'), h('a', { class: 'button', href: '#/apps' }, 'All apps')))];
  }
  clearTimeout(loading);
  if (turn !== drawing || now !== page) return; // something newer is being drawn
  if (arriving) main.replaceChildren();
  morph(main, content);
  main.removeAttribute('aria-busy');
  if (arriving) main.focus({ preventScroll: true });
}

function show() {
  const [path, search] = location.hash.replace(/^#\/?/, '').split('?');
  const [key, ...rest] = (path || 'apps').split('/');
  const arriving = path !== place || page === null;
  place = path;
  page?.leave?.();
  const shown = (pages[key] ?? pages.apps)(rest.map(decode).join('/'), new URLSearchParams(search ?? ''), key, () => {
    if (page === shown) draw(false);
  });
  page = shown;
  document.title = `${page.title} · rollcall`;
  for (const link of document.querySelectorAll('#pages a')) {
    const current = link.getAttribute('href') === `#/${sections[key] ?? key}`;
    if (current) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
    if (current && arriving) link.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }
  if (arriving) window.scrollTo(0, 0);
  draw(arriving);
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

async function refresh() {
  const drawn = page.live && draw(false);
  try {
    const [deployments, info, losses] = await Promise.all([get('/v2/deployments'), get('/v2/info'), get('/rollcall/losses')]);
    const count = document.getElementById('deployments-count');
    count.hidden = deployments.length === 0;
    count.replaceChildren(String(deployments.length), h('span', { class: 'unseen' }, ' under way'));
    document.getElementById('leader').textContent = info.leader ? `${info.leader} leads` : 'no leader';
    warn(losses);
  } catch {
    // The page itself says that nothing can be reached.
  }
  await drawn;
}

// warn tells when many agents are lost at once: their tasks are replaced only when somebody says so.
function warn(losses) {
  const banner = document.getElementById('losses');
  banner.hidden = !losses.held;
  if (!losses.held) return;
  morph(banner, h('p', {}, h('strong', {}, `${plural(losses.agents, 'agent was', 'agents were')} lost at once. `),
    'Their tasks are not replaced until the agents return, or until you confirm that they are gone.'),
  h('div', { class: 'buttons' }, h('button', { type: 'button', id: 'confirm-losses', class: 'danger small', click: async () => {
    if (await ask({ title: 'Replace the tasks of the lost agents?', action: 'Replace them', danger: true,
      text: 'If the agents are merely unreachable, their tasks run twice until the agents return.' })) {
      await attempt('The tasks are being replaced', () => post('/rollcall/losses/confirm'));
    }
  } }, 'They are gone')));
}

// The address of a page is behind the #, so that this link must not become one.
document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});
window.addEventListener('hashchange', show);
show();
follow(refresh, (linked) => {
  const live = document.getElementById('live');
  live.className = linked ? 'state good' : 'state late';
  live.textContent = linked ? 'Live' : 'Interrupted';
  const link = document.getElementById('link');
  link.hidden = linked;
  link.textContent = linked ? '' : 'Live updates are interrupted; retrying every few seconds.';
});
