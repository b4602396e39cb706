// Drives a running rollcall with marathon-node and marathon-event-bus-client.
//
// usage: node node_marathon.js http://host:port (with NODE_PATH where the two are installed)
'use strict';

const assert = require('assert');
const marathon = require('marathon-node');
const EventBus = require('marathon-event-bus-client');

const url = new URL(process.argv[2]);
const patience = 30000;

// recorded wraps the client's methods so that those stay in uncalled which nobody calls.
const uncalled = new Set();
function recorded(client) {
  const out = {};
  for (const [part, methods] of Object.entries(client)) {
    out[part] = {};
    for (const [name, method] of Object.entries(methods)) {
      const full = `${part === 'apps' ? 'app' : part}.${name}`; // two names of the same
      uncalled.add(full);
      out[part][name] = (...args) => {
        uncalled.delete(full);
        return method(...args);
      };
    }
  }
  return out;
}
const c = recorded(marathon(url.origin));

async function wait(what, holds) {
  const deadline = Date.now() + patience;
  while (!(await holds())) {
    assert(Date.now() < deadline, 'it never happened that ' + what);
    await new Promise((done) => setTimeout(done, 20));
  }
}

const settled = () => wait('all deployments end', async () => (await c.deployments.getList()).length === 0);

async function refused(status, promise) {
  await assert.rejects(promise, (e) => e.statusCode === status);
}

async function server() {
  assert.strictEqual((await c.misc.ping()).toString().replace(/"/g, ''), 'pong');
  assert.strictEqual((await c.info.get()).name, 'marathon');
  assert((await c.leader.get()).leader);
  await refused(409, c.leader.abdicate());
  await refused(404, c.subscriptions.getList());
  await refused(404, c.subscriptions.create('http://127.0.0.1:9/'));
  await refused(404, c.subscriptions.delete('http://127.0.0.1:9/'));
}

async function apps() {
  const app = {id: '/js/web', cmd: 'sleep 1000', cpus: 0.01, mem: 16, instances: 2};
  assert.strictEqual((await c.app.create(app)).id, '/js/web');
  await settled();
  await refused(409, c.app.create(app));
  await refused(404, c.app.getOne('js/none'));
  const listed = await c.apps.getList({id: 'js/web', embed: 'apps.tasks'});
  assert.strictEqual(listed.apps[0].tasks.length, 2);
  await c.app.update('js/web', {instances: 3}, true);
  await settled();
  const {versions} = await c.app.getVersions('js/web');
  assert.strictEqual(versions.length, 2);
  assert.strictEqual((await c.app.getVersion('js/web', versions[1])).instances, 2);
  await c.app.restart('js/web', false);
  await settled();
  const {tasks} = await c.app.getTasks('js/web');
  assert.strictEqual(tasks.length, 3);
  await c.app.killTask('js/web', tasks[0].id, true);
  await settled();
  assert.strictEqual((await c.app.getOne('js/web')).app.instances, 2);
  await c.tasks.kill({ids: [tasks[1].id]});
  await c.app.killTasks('js/web', {wipe: true});
  await wait('both are replaced', async () => (await c.tasks.getList()).tasks.filter((t) => t.appId === '/js/web' && t.state === 'TASK_RUNNING').length === 2);
  await c.app.destroy('js/web', true);
  await settled();
}

async function groups() {
  await c.groups.create({id: '/js/group', apps: [{id: 'a', cmd: 'sleep 1000', cpus: 0.01, mem: 16}]});
  await settled();
  assert.strictEqual((await c.groups.getOne('js/group')).apps[0].id, '/js/group/a');
  assert((await c.groups.getList()).groups.some((g) => g.id === '/js'));
  await c.groups.update('js/group', {scaleBy: 2}, false);
  await settled();
  assert.strictEqual((await c.app.getOne('js/group/a')).app.instances, 2);
  await c.groups.destroy('js/group', true);
  await settled();
}

async function waiting() {
  await c.app.create({id: '/js/big', cmd: 'sleep 1000', cpus: 0.01, mem: 16, constraints: [['hostname', 'LIKE', 'nowhere']]});
  const {queue} = await c.queue.get();
  assert.strictEqual(queue[0].app.id, '/js/big');
  await c.queue.resetDelay('/js/big');
  const [deployment] = await c.deployments.getList();
  await c.deployments.destroy(deployment.id, false);
  await settled();
  await refused(404, c.app.getOne('js/big'));
}

// follow resolves with a function that tells which types of events have come.
function follow() {
  const seen = new Set();
  const handlers = {};
  for (const type of ['deployment_info', 'deployment_success']) {
    handlers[type] = (name, event) => event.plan.id && seen.add(name);
  }
  const bus = new EventBus({marathonHost: url.hostname, marathonPort: url.port, handlers: handlers});
  const ready = new Promise((done) => bus.on('subscribed', () => done(seen)));
  bus.subscribe();
  return ready;
}

// stream reads events with marathon-node itself, in both of its ways. What the raw stream begins with may be gone before
// anybody can read it: it is to show that the other one begins.
async function stream() {
  const raw = await c.events.attach();
  let text = '';
  const shown = new Promise((done, fail) => raw.on('error', fail).on('data', (chunk) => {
    text += chunk;
    if (text.includes('event: event_stream_attached\r\n')) done();
  }));
  const source = c.events.createEventSource({eventType: ['event_stream_attached', 'deployment_success']});
  const first = await new Promise((done, fail) => {
    source.addEventListener('event_stream_attached', done);
    source.onerror = fail;
  });
  assert.strictEqual(JSON.parse(first.data).eventType, 'event_stream_attached');
  await shown;
  source.close();
  raw.destroy();
}

async function main() {
  const seen = await follow();
  for (const part of [server, apps, groups, waiting, stream]) {
    await part();
    console.log(part.name, 'ok');
  }
  await wait('events of deployments come', () => seen.has('deployment_info') && seen.has('deployment_success'));
  console.log('events ok');
  assert.deepStrictEqual([...uncalled], []);
  process.exit(0);
}

main().catch((e) => {
  console.error(e.stack || e);
  process.exit(1);
});
