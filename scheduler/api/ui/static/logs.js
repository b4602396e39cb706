// What a task writes, followed live.

import { get, appLink } from './api.js';
import { h, broken, crumbs } from './dom.js';

const keep = 1 << 20; // characters that are shown at most
const first = 64 << 10; // bytes that are read of what is there already
const pause = 1000; // milliseconds between two looks at the file

// plain is text without the sequences by which programs colour what they write to a terminal.
const plain = (text) => text.replace(/\x1b\[[0-9;?]*[A-Za-z]/g, '');

export function logsPage(task, query) {
  const file = query.get('file') === 'stderr' ? 'stderr' : 'stdout';
  const path = `/rollcall/tasks/${encodeURIComponent(task)}/files/${file}`;
  const log = h('pre', { class: 'log wrap', tabindex: 0, role: 'log', 'aria-live': 'off', 'aria-label': `${file} of ${task}` });
  const note = h('p', { class: 'quiet', role: 'status' });
  const following = h('input', { type: 'checkbox', id: 'follow', checked: true, change: () => following.checked && toEnd() });
  const wrapped = h('input', { type: 'checkbox', id: 'wrap', checked: true, change: () => log.classList.toggle('wrap', wrapped.checked) });
  const toEnd = () => { log.scrollTop = log.scrollHeight; };
  let offset = null;
  let timer = null;
  let left = false;

  // Whoever scrolls back reads: what is new does not take the place away.
  log.addEventListener('scroll', () => {
    following.checked = log.scrollHeight - log.scrollTop - log.clientHeight < 24;
  });

  async function read() {
    try {
      if (offset === null) offset = Math.max(0, (await get(`${path}?offset=-1`)).offset - first);
      const part = await get(`${path}?offset=${offset}&length=${keep}`);
      if (part.length > 0) {
        const follows = following.checked;
        offset += part.length;
        if (log.textContent.length + part.data.length > keep) log.textContent = log.textContent.slice(-keep / 2);
        log.append(plain(part.data));
        if (follows) toEnd();
      } else if ((await get(`${path}?offset=-1`)).offset < offset) {
        offset = 0; // the file was rotated
      }
      note.textContent = log.textContent === '' ? 'Nothing written yet.' : '';
    } catch (error) {
      note.textContent = error.message;
    }
    if (!left) timer = setTimeout(read, pause);
  }

  return {
    title: `${file} of ${task}`,
    live: false,
    draw() {
      read();
      const app = `/${task.split('.')[0].replaceAll('_', '/')}`;
      return [crumbs(['Apps', '#/apps'], [app, appLink(app)]),
        h('div', { class: 'head', key: `head ${file}` }, h('h1', {}, broken(task)), h('label', { class: 'check' }, following, 'Follow'), h('label', { class: 'check' }, wrapped, 'Wrap lines')),
        h('nav', { class: 'tabs', 'aria-label': 'Files' }, ['stdout', 'stderr'].map((name) =>
          h('a', { href: `#/logs/${task}?file=${name}`, key: name, 'aria-current': name === file && 'page' }, name))),
        h('div', { class: 'stack', key: file }, log, note)];
    },
    leave() {
      left = true;
      clearTimeout(timer);
    },
  };
}
