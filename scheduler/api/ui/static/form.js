// Creating and editing an app, in a form or as JSON.

import { get, post, put, appPath, appLink, worded } from './api.js';
import { h, crumbs } from './dom.js';
import { toast } from './dialog.js';
import { difference } from './difference.js';
import { sections } from './fields.js';

// What the server adds to a definition and does not want back.
const answered = ['version', 'versionInfo', 'tasksStaged', 'tasksRunning', 'tasksHealthy', 'tasksUnhealthy', 'deployments', 'tasks', 'lastTaskFailure'];
const fields = sections.flatMap((section) => section.fields);

export function formPage(path, _, key) {
  const id = key === 'edit' ? `/${path}` : null;
  let definition = { id: '', instances: 1, cpus: 0.1, mem: 64 };
  let before = null;
  let asJSON = false;
  const inputs = new Map();
  const problems = new Map();
  const area = h('textarea', { rows: 26, id: 'json', 'aria-label': 'Definition as JSON', spellcheck: 'false', 'aria-describedby': 'other-problems' });
  const others = h('ul', { class: 'problem problems', id: 'other-problems', role: 'alert' });
  const contents = h('div');
  const preview = h('div', { 'aria-live': 'polite' });

  // take reads what was entered; what is no definition is an error with details as the API gives them.
  function take() {
    if (asJSON) {
      definition = JSON.parse(area.value);
      return;
    }
    for (const field of fields) {
      try {
        field.write(definition, inputs.get(field.name).value.trim());
      } catch (error) {
        throw Object.assign(error, { details: [{ path: field.path, errors: [error.message] }] });
      }
    }
  }

  function complain(error) {
    others.replaceChildren();
    area.removeAttribute('aria-invalid');
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
        rest.push(detail.path === '/' ? worded(detail.errors) : `${detail.path}: ${worded(detail.errors)}`);
        continue;
      }
      inputs.get(field.name).setAttribute('aria-invalid', 'true');
      const problem = problems.get(field.name);
      problem.textContent = [problem.textContent, worded(detail.errors)].filter(Boolean).join('\n');
    }
    if (rest.length === 0 && !error.details?.length) rest.push(asJSON && error instanceof SyntaxError ? `Not valid JSON: ${error.message}` : error.message);
    others.replaceChildren(...rest.map((text) => h('li', {}, text)));
    if (asJSON) area.setAttribute('aria-invalid', 'true');
    (document.querySelector('form [aria-invalid=true]') ?? others).scrollIntoView({ block: 'center' });
    document.querySelector('form [aria-invalid=true]')?.focus({ preventScroll: true });
  }

  function control(field) {
    const problem = h('p', { class: 'problem', id: `${field.name}-problem` });
    const hint = field.hint && h('p', { class: 'hint', id: `${field.name}-hint` }, field.hint);
    const attributes = { ...field.input, name: field.name, id: `field-${field.name}`, placeholder: field.example,
      'aria-describedby': [problem.id, hint?.id].filter(Boolean).join(' ') };
    const value = field.read(definition);
    let input = null;
    if (field.area) input = h('textarea', attributes, value);
    else if (field.choices) input = h('select', attributes, field.choices.map(([v, title]) => h('option', { value: v, selected: v === value }, title)));
    else input = h('input', { ...attributes, value });
    if (field.name === 'id' && id) input.readOnly = true;
    inputs.set(field.name, input);
    problems.set(field.name, problem);
    return h('div', { class: field.wide && 'wide' }, h('label', { class: 'field' }, field.title, input), hint, problem);
  }

  function fill() {
    turn.textContent = asJSON ? 'Back to the form' : 'Edit as JSON';
    if (asJSON) area.value = JSON.stringify(definition, null, 2);
    contents.replaceChildren(...(asJSON ? [area, h('p', { class: 'hint' }, 'Everything that has no field in the form is here as well.')] : sections.map((section) =>
      h('fieldset', {}, h('legend', {}, section.title), h('div', { class: 'fields' }, section.fields.map(control))))));
  }

  // within has something done with what was entered, or says what is wrong with it.
  function within(act) {
    try {
      take();
      complain();
      act();
    } catch (error) {
      complain(error);
    }
  }

  const turn = h('button', { type: 'button', id: 'turn', click: () => within(() => { asJSON = !asJSON; fill(); }) });
  const compare = h('button', { type: 'button', id: 'compare', click: () => within(() =>
    preview.replaceChildren(h('h2', {}, 'What will change'), difference(before, definition))) }, 'Preview the change');
  const force = h('button', { class: 'danger', id: 'force', hidden: true }, 'Deploy anyway');
  const submitter = h('button', { class: 'first', id: 'submit' }, id ? 'Deploy the change' : 'Create');

  async function submit(event) {
    event.preventDefault();
    submitter.disabled = true;
    try {
      take();
      complain();
      if (id) await put(appPath(id, event.submitter?.id === 'force' ? '?force=true' : ''), definition);
      else await post('/v2/apps', definition);
      toast(id ? `${id} is being changed` : 'App created');
      location.hash = appLink(`${definition.id.startsWith('/') ? '' : '/'}${definition.id}`);
    } catch (error) {
      complain(error);
      force.hidden = error.status !== 409 || !id;
    } finally {
      submitter.disabled = false;
    }
  }

  return {
    title: id ? `Edit ${id}` : 'Create app',
    live: false,
    async draw() {
      if (id) {
        definition = (await get(appPath(id))).app;
        for (const name of answered) delete definition[name];
        before = structuredClone(definition);
      }
      fill();
      return [crumbs(['Apps', '#/apps'], ...(id ? [[id, appLink(id)]] : [])), h('div', { class: 'head' }, h('h1', {}, id ? `Edit ${id}` : 'Create app')),
        h('form', { class: 'card', submit }, contents, others, h('div', { class: 'buttons' }, submitter, force, id && compare, turn)), preview];
    },
  };
}
