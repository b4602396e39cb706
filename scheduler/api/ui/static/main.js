// Which page is shown, and when it is drawn anew.

import { follow, get } from './api.js';
import { h } from './dom.js';
import { agentsPage } from './agents.js';
import { appPage } from './app.js';
import { appsPage } from './apps.js';
import { deploymentsPage } from './deployments.js';
import { dnsPage } from './dns.js';
import { formPage } from './form.js';
import { logsPage } from './logs.js';

// A page is a function of the rest of the address that returns {title, draw, live, leave}: draw returns what is to be
// shown, live says whether to draw again when something has happened, leave is called at the end.
const pages = {
  apps: appsPage, app: appPage, create: formPage, edit: formPage, deployments: deploymentsPage, agents: agentsPage,
  dns: dnsPage, logs: logsPage,
};

const main = document.getElementById('main');
let page = null;
let drawing = 0;

async function draw(focus) {
  const turn = ++drawing;
  const now = page;
  let content;
  try {
    content = await now.draw();
  } catch (error) {
    content = h('div', { class: 'card' }, h('h1', {}, 'This cannot be shown'), h('p', { class: 'problem', role: 'alert' }, error.message));
  }
  if (turn !== drawing || now !== page) return; // something newer is being drawn
  const focused = document.activeElement?.id;
  main.replaceChildren(...[content].flat(Infinity).filter(Boolean));
  if (focus) main.focus();
  else if (focused) document.getElementById(focused)?.focus();
}

function show() {
  page?.leave?.();
  const [name, ...rest] = location.hash.replace(/^#\/?/, '').split('/');
  const [key, query] = (name || 'apps').split('?');
  const make = pages[key] ?? pages.apps;
  page = make(rest.join('/').split('?')[0], new URLSearchParams(query ?? location.hash.split('?')[1] ?? ''), key);
  document.title = `${page.title} · rollcall`;
  const section = { app: 'apps', create: 'apps', edit: 'apps', logs: 'apps' }[key] ?? key;
  for (const link of document.querySelectorAll('nav a')) {
    if (link.getAttribute('href') === `#/${section}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  draw(true);
}

async function refresh() {
  if (page.live) draw(false);
  try {
    const [deployments, info] = await Promise.all([get('/v2/deployments'), get('/v2/info')]);
    const count = document.getElementById('deployments-count');
    count.hidden = deployments.length === 0;
    count.textContent = deployments.length;
    count.setAttribute('aria-label', `${deployments.length} under way`);
    document.getElementById('about').textContent = `rollcall ${info.version}${info.leader ? ` · ${info.leader} leads` : ''}`;
  } catch {
    // The page itself says that nothing can be reached.
  }
}

window.addEventListener('hashchange', show);
show();
refresh();
follow(refresh, (linked) => {
  const link = document.getElementById('link');
  link.hidden = linked;
  link.textContent = linked ? '' : 'Live updates are interrupted; looking again every few seconds.';
});
