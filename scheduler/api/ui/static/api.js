// Requests to the API, and its event stream.

export class Refused extends Error {
  constructor(status, message, details) {
    super(message);
    this.status = status;
    this.details = details; // of a 422: [{path, errors}]
    this.locked = false; // a deployment is in the way, which force=true cancels
  }
}

export async function request(method, path, body) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: { Accept: 'application/json', ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Refused(0, 'rollcall cannot be reached');
  }
  const text = await response.text();
  let answer = null;
  try {
    answer = text === '' ? null : JSON.parse(text);
  } catch {
    answer = { message: text };
  }
  if (!response.ok) {
    const details = Array.isArray(answer?.details) ? answer.details : [];
    const said = details.map((d) => `${d.path}: ${worded(d.errors)}`).join('; ');
    if (response.status === 409 && Array.isArray(answer?.deployments)) {
      throw Object.assign(new Refused(409, 'Another deployment is under way.'), { locked: true });
    }
    const message = answer?.message ?? `${response.status} ${response.statusText}`;
    throw new Refused(response.status, said ? `${message}: ${said}` : message, details);
  }
  return answer;
}

// words are what the codes stand for that Marathon's API gives instead of a sentence.
const words = {
  'error.expected.jsnumber': 'must be a number', 'error.expected.jsstring': 'must be text', 'error.expected.jsboolean': 'must be true or false',
  'error.expected.jsarray': 'must be a list', 'error.expected.jsobject': 'must be an object', 'error.path.missing': 'is missing',
  'error.expected.int': 'must be a whole number', 'error.pattern': 'has characters that are not allowed',
};

// The rule for ids comes as a regular expression, which says little to most people.
const idRule = /^must fully match regular expression '\^\(\(\[a-z0-9\]/;

// worded is the errors of a detail as a sentence. A code that comes with a sentence is left out.
export function worded(errors) {
  const sentences = errors.filter((e) => !e.startsWith('error.'))
    .map((e) => (idRule.test(e) ? 'use lower-case letters, digits, hyphens and dots only, and begin and end each part with a letter or digit' : e));
  return (sentences.length > 0 ? sentences : errors.map((e) => words[e] ?? e)).join(', ');
}

export const get = (path) => request('GET', path);
// ready asks what is missing; the answer of a server that is not ready is one, too.
export const ready = async () => (await fetch('/readyz')).json();
export const post = (path, body) => request('POST', path, body);
export const put = (path, body) => request('PUT', path, body);
export const del = (path) => request('DELETE', path);

// appPath is the path of an app in the API.
export const appPath = (id, rest = '') => `/v2/apps/${id.split('/').filter(Boolean).map(encodeURIComponent).join('/')}${rest}`;

// forced is a path that has a deployment cancelled that is in the way.
export const forced = (path, force) => (force ? `${path}${path.includes('?') ? '&' : '?'}force=true` : path);

// appLink is the page of an app.
export const appLink = (id) => `#/app${id}`;

const eventTypes = ['status_update_event', 'deployment_success', 'deployment_failed', 'deployment_info', 'deployment_step_success',
  'deployment_step_failure', 'group_change_success', 'group_change_failed', 'api_post_event', 'app_terminated_event',
  'health_status_changed_event', 'instance_changed_event', 'instance_health_changed_event', 'failed_health_check_event',
  'unhealthy_instance_kill_event', 'unknown_instance_terminated_event'];

const soonest = 250; // milliseconds between two calls
const share = 4; // of the time, at most one part in so many goes into calls
const idle = 3000; // milliseconds between calls while there is no stream

// follow calls changed a moment after events came, many of them at a time, and linked with whether the stream is there.
// While it is not, changed is called from time to time. A page that nobody looks at has no stream: browsers allow six
// connections to a server, for all tabs together.
export function follow(changed, linked) {
  let source = null;
  let timer = null;
  let poll = null;
  let wait = soonest;
  let missed = false; // something happened during a call, which may have asked before that
  const call = () => {
    missed = timer !== null;
    timer ??= setTimeout(async () => {
      missed = false;
      const began = performance.now();
      try {
        await changed();
      } finally {
        wait = Math.max(soonest, share * (performance.now() - began));
        timer = null;
        if (missed) call();
      }
    }, wait);
  };
  const close = () => {
    source?.close();
    source = null;
    clearInterval(poll);
    poll = null;
  };
  const open = () => {
    close();
    if (document.hidden) return;
    source = new EventSource('/rollcall/events');
    for (const type of eventTypes) source.addEventListener(type, call);
    source.addEventListener('open', () => {
      clearInterval(poll);
      poll = null;
      linked(true);
      call();
    });
    source.addEventListener('error', () => {
      linked(false);
      poll ??= setInterval(() => {
        if (source.readyState === EventSource.CLOSED) open();
        call();
      }, idle);
    });
  };
  document.addEventListener('visibilitychange', open);
  window.addEventListener('pagehide', close);
  window.addEventListener('pageshow', (event) => event.persisted && open());
  open();
}
