// What a task writes, followed live.

import { get } from './api.js';
import { h } from './dom.js';

const keep = 1 << 20; // characters that are shown at most
const first = 64 << 10; // bytes that are read of what is there already

export function logsPage(task, query) {
  const file = query.get('file') === 'stderr' ? 'stderr' : 'stdout';
  const path = `/rollcall/tasks/${encodeURIComponent(task)}/files/${file}`;
  const log = h('pre', { class: 'log', tabindex: 0, 'aria-label': `${file} of ${task}` });
  const note = h('p', { class: 'quiet', role: 'status' });
  const following = h('input', { type: 'checkbox', id: 'follow', checked: true });
  let offset = null;
  let timer = null;
  let left = false;

  async function read() {
    try {
      if (offset === null) offset = Math.max(0, (await get(`${path}?offset=-1`)).offset - first);
      const part = await get(`${path}?offset=${offset}&length=${keep}`);
      if (part.data !== '') {
        // Offsets are bytes, of which a character may be several.
        offset += new TextEncoder().encode(part.data).length;
        log.textContent = (log.textContent + part.data).slice(-keep);
        if (following.checked) log.scrollTop = log.scrollHeight;
      } else if ((await get(`${path}?offset=-1`)).offset < offset) {
        offset = 0; // the file was rotated
      }
      note.textContent = log.textContent === '' ? 'Nothing was written yet.' : '';
    } catch (error) {
      note.textContent = error.message;
    }
    if (!left) timer = setTimeout(read, 1000);
  }

  return {
    title: `${file} of ${task}`,
    live: false,
    draw() {
      read();
      const app = `/${task.split('.')[0].replaceAll('_', '/')}`;
      return [h('p', {}, h('a', { href: `#/app${app}` }, `← ${app}`)),
        h('div', { class: 'bar' }, h('h1', {}, task), h('label', {}, following, ' Follow')),
        h('nav', { class: 'tabs', 'aria-label': 'Files' }, ['stdout', 'stderr'].map((name) =>
          h('a', { href: `#/logs/${task}?file=${name}`, 'aria-current': name === file && 'page' }, name))),
        log, note];
    },
    leave() {
      left = true;
      clearTimeout(timer);
    },
  };
}
