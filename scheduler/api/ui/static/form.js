// Creating and editing an app, in a form or as JSON.

import { get, post, put, appPath } from './api.js';
import { h, toast } from './dom.js';

// What the form knows of a definition. The rest stays as it is: it is seen in the JSON.
// path is where the API's errors say that a value is wrong.
const number = (step) => ({ type: 'number', min: 0, step });
const fields = [
  { name: 'id', title: 'Id', hint: '/group/name', path: '/id', input: { required: true, spellcheck: 'false' },
    read: (d) => d.id, write: (d, v) => { d.id = v; } },
  { name: 'instances', title: 'Instances', path: '/instances', input: number(1),
    read: (d) => d.instances ?? 1, write: (d, v) => { d.instances = Number(v); } },
  { name: 'cpus', title: 'CPUs', path: '/cpus', input: number('any'), read: (d) => d.cpus ?? 0.1, write: (d, v) => { d.cpus = Number(v); } },
  { name: 'mem', title: 'Memory, MiB', path: '/mem', input: number('any'), read: (d) => d.mem ?? 64, write: (d, v) => { d.mem = Number(v); } },
  { name: 'cmd', title: 'Command', hint: 'python3 -m http.server $PORT0', path: '/cmd', wide: true, input: { spellcheck: 'false' },
    read: (d) => d.cmd ?? '', write: (d, v) => set(d, 'cmd', v) },
  { name: 'image', title: 'Image, if it runs in a container', hint: 'crate/crate:0.47.3', path: '/container/docker/image', input: { spellcheck: 'false' },
    read: (d) => d.container?.docker?.image ?? '', write: writeImage },
  { name: 'ports', title: 'Ports, 0 for any', hint: '0, 8080', path: '/portDefinitions', input: { pattern: '[0-9, ]*' },
    read: (d) => (d.portDefinitions ?? []).map((p) => p.port).join(', '), write: writePorts },
  { name: 'health', title: 'Path of a health check', hint: '/health', path: '/healthChecks', input: {},
    read: (d) => d.healthChecks?.[0]?.path ?? '', write: writeHealth },
  { name: 'env', title: 'Environment, NAME=value on each line', path: '/env', wide: true, area: true, input: { rows: 3, spellcheck: 'false' },
    read: (d) => Object.entries(d.env ?? {}).map(([k, v]) => `${k}=${v}`).join('\n'), write: writeEnv },
];

function set(d, name, value) {
  if (value === '') delete d[name];
  else d[name] = value;
}

function writeImage(d, image) {
  if (image === '') {
    if (d.container?.docker) delete d.container;
    return;
  }
  d.container ??= { type: 'DOCKER' };
  d.container.docker = { ...d.container.docker, image };
}

function writePorts(d, text) {
  const wanted = text.split(',').map((p) => p.trim()).filter(Boolean).map(Number);
  const before = (d.portDefinitions ?? []).map((p) => p.port);
  if (JSON.stringify(wanted) === JSON.stringify(before)) return;
  d.portDefinitions = wanted.map((port, n) => ({ protocol: 'tcp', ...d.portDefinitions?.[n], port }));
  delete d.ports;
}

function writeHealth(d, path) {
  if (path === (d.healthChecks?.[0]?.path ?? '')) return;
  if (path === '') delete d.healthChecks;
  else d.healthChecks = [{ protocol: 'HTTP', portIndex: 0, ...d.healthChecks?.[0], path }, ...(d.healthChecks ?? []).slice(1)];
}

function writeEnv(d, text) {
  const env = {};
  for (const line of text.split('\n')) {
    const at = line.indexOf('=');
    if (at > 0) env[line.slice(0, at).trim()] = line.slice(at + 1);
  }
  if (Object.keys(env).length > 0) d.env = env;
  else delete d.env;
}

// What the server adds to a definition and does not want back.
const answered = ['version', 'versionInfo', 'tasksStaged', 'tasksRunning', 'tasksHealthy', 'tasksUnhealthy', 'deployments', 'tasks', 'lastTaskFailure'];

export function formPage(path, _, key) {
  const id = key === 'edit' ? `/${path}` : null;
  let definition = { id: '', instances: 1, cpus: 0.1, mem: 64 };
  let asJSON = false;
  const inputs = new Map();
  const problems = new Map();
  const area = h('textarea', { rows: 24, id: 'json', 'aria-label': 'Definition as JSON', spellcheck: 'false', 'aria-describedby': 'other-problems' });
  const others = h('p', { class: 'problem', id: 'other-problems', role: 'alert' });

  function take() {
    if (asJSON) definition = JSON.parse(area.value);
    else for (const field of fields) field.write(definition, inputs.get(field.name).value.trim());
  }

  function complain(error) {
    others.textContent = '';
    for (const field of fields) {
      problems.get(field.name)?.replaceChildren();
      inputs.get(field.name)?.removeAttribute('aria-invalid');
    }
    if (!error) return;
    const rest = [];
    for (const detail of error.details ?? []) {
      const at = detail.path.replace(/\((\d+)\)/g, '/$1');
      const field = asJSON ? null : fields.find((f) => at === f.path || at.startsWith(`${f.path}/`));
      if (!field) {
        rest.push(`${detail.path}: ${detail.errors.join(', ')}`);
        continue;
      }
      inputs.get(field.name).setAttribute('aria-invalid', 'true');
      problems.get(field.name).textContent = detail.errors.join(', ');
    }
    others.textContent = rest.length > 0 || !error.details?.length ? [...rest, error.details?.length ? '' : error.message].join('\n').trim() : '';
    document.querySelector('[aria-invalid=true]')?.focus();
  }

  function form() {
    return h('div', { class: 'fields' }, fields.map((field) => {
      const problem = h('p', { class: 'problem', id: `${field.name}-problem` });
      const attributes = { ...field.input, name: field.name, id: `field-${field.name}`, placeholder: field.hint, 'aria-describedby': problem.id };
      const input = field.area ? h('textarea', attributes, field.read(definition)) : h('input', { ...attributes, value: field.read(definition) });
      if (field.name === 'id' && id) input.readOnly = true;
      inputs.set(field.name, input);
      problems.set(field.name, problem);
      return h('label', { class: field.wide && 'wide' }, field.title, input, problem);
    }));
  }

  const contents = h('div');
  const turn = h('button', { type: 'button', id: 'turn', click: () => {
    try {
      take();
      asJSON = !asJSON;
      fill();
      complain();
    } catch (error) {
      complain(error);
    }
  } });

  function fill() {
    turn.textContent = asJSON ? 'Back to the form' : 'Edit as JSON';
    if (asJSON) area.value = JSON.stringify(definition, null, 2);
    contents.replaceChildren(asJSON ? area : form());
  }

  async function submit(event) {
    event.preventDefault();
    try {
      take();
      const force = event.submitter?.id === 'force' ? '?force=true' : '';
      if (id) await put(appPath(id, force), definition);
      else await post('/v2/apps', definition);
      toast(id ? `${id} is being changed` : 'The app is created');
      location.hash = `#/app${definition.id.startsWith('/') ? '' : '/'}${definition.id}`;
    } catch (error) {
      complain(error);
      buttons.querySelector('#force').hidden = error.status !== 409 || !id;
    }
  }

  const buttons = h('div', { class: 'bar' }, h('button', { class: 'first', id: 'submit' }, id ? 'Deploy the change' : 'Create'),
    h('button', { class: 'danger', id: 'force', hidden: true }, 'Deploy it in place of what is under way'), turn);

  return {
    title: id ? `Edit ${id}` : 'Create app',
    live: false,
    async draw() {
      if (id) {
        definition = (await get(appPath(id))).app;
        for (const name of answered) delete definition[name];
      }
      fill();
      return [h('div', { class: 'bar' }, h('h1', {}, id ? `Edit ${id}` : 'Create app')),
        h('form', { class: 'card', submit }, contents, others, buttons)];
    },
  };
}
