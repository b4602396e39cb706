// What the form knows of a definition. The rest stays as it is: it is seen in the JSON.

// A field has a path, where the API's errors say that a value is wrong, and reads from a definition and writes to it.
const number = (step) => ({ type: 'number', min: 0, step, required: true });
const numeric = (v) => {
  if (v === '') throw new Error('must be a number');
  return Number(v);
};
const text = { spellcheck: 'false', autocapitalize: 'none', autocomplete: 'off' };

export const sections = [
  { title: 'What runs', fields: [
    { name: 'id', title: 'Id', example: '/group/name', path: '/id', wide: true, input: { ...text, required: true },
      hint: 'Slashes separate groups. In DNS, /shop/web becomes web.shop.',
      read: (d) => d.id, write: (d, v) => { d.id = v; } },
    { name: 'cmd', title: 'Command', example: 'python3 -m http.server $PORT0', path: '/cmd', wide: true, input: text, hint: 'Runs in /bin/sh.',
      read: (d) => d.cmd ?? '', write: (d, v) => set(d, 'cmd', v) },
    { name: 'image', title: 'Container image', example: 'crate/crate:0.47.3', path: '/container/docker/image', wide: true, input: text,
      hint: 'A Docker image. Leave empty to run the command directly on the agent.',
      read: (d) => d.container?.docker?.image ?? '', write: writeImage }] },
  { title: 'Resources', fields: [
    { name: 'instances', title: 'Instances', path: '/instances', input: number(1), read: (d) => d.instances ?? 1, write: (d, v) => { d.instances = numeric(v); } },
    { name: 'cpus', title: 'CPUs per instance', path: '/cpus', input: number('any'), read: (d) => d.cpus ?? 0.1, write: (d, v) => { d.cpus = numeric(v); } },
    { name: 'mem', title: 'Memory per instance, MiB', path: '/mem', input: number('any'), read: (d) => d.mem ?? 64, write: (d, v) => { d.mem = numeric(v); } },
    { name: 'disk', title: 'Disk per instance, MiB', path: '/disk', input: number('any'), read: (d) => d.disk ?? 0,
      write: (d, v) => { if (numeric(v) !== (d.disk ?? 0)) d.disk = numeric(v); } }] },
  { title: 'Ports and health', fields: [
    { name: 'ports', title: 'Ports', example: 'http=0, 8080', path: '/portDefinitions', input: text,
      hint: 'Numbers, or name=number, separated by commas; 0 picks a free service port. Tasks find the ports to listen on in $PORT0, $PORT1, …',
      read: readPorts, write: writePorts },
    { name: 'check', title: 'Health check', path: '/healthChecks/0/protocol', input: {}, choices: [['', 'none'], ['MESOS_HTTP', 'HTTP, on the agent'], ['HTTP', 'HTTP, by rollcall'],
      ['MESOS_HTTPS', 'HTTPS, on the agent'], ['HTTPS', 'HTTPS, by rollcall'], ['MESOS_TCP', 'TCP, on the agent'], ['TCP', 'TCP, by rollcall'], ['COMMAND', 'a command, in the task']],
      hint: 'Checks the first port.', read: (d) => d.healthChecks?.[0]?.protocol ?? (d.healthChecks?.length > 0 ? 'HTTP' : ''), write: writeCheck },
    { name: 'health', title: 'Path or command', example: '/health', path: '/healthChecks', input: text,
      read: (d) => d.healthChecks?.[0]?.command?.value ?? d.healthChecks?.[0]?.path ?? '', write: writeHealth }] },
  { title: 'Environment, labels, placement', fields: [
    { name: 'env', title: 'Environment', example: 'NAME=value', path: '/env', wide: true, area: true, input: { ...text, rows: 3 }, hint: 'One variable per line.',
      read: (d) => lines(d.env), write: (d, v) => writeLines(d, 'env', v) },
    { name: 'labels', title: 'Labels', example: 'team=shop', path: '/labels', wide: true, area: true, input: { ...text, rows: 2 }, hint: 'One label per line.',
      read: (d) => lines(d.labels), write: (d, v) => writeLines(d, 'labels', v) },
    { name: 'constraints', title: 'Constraints', example: 'hostname UNIQUE', path: '/constraints', wide: true, area: true, input: { ...text, rows: 2 },
      hint: 'One per line: field, operator (UNIQUE, CLUSTER, GROUP_BY, LIKE, UNLIKE, MAX_PER, IS) and, for some operators, a value.',
      read: readConstraints, write: writeConstraints }] },
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

// Ports of containers with networks of their own are in the JSON only.
function readPorts(d) {
  return (d.portDefinitions ?? []).map((p) => (p.name ? `${p.name}=${p.port}` : p.port)).join(', ');
}

function writePorts(d, value) {
  if (value === readPorts(d)) return;
  d.portDefinitions = value.split(',').map((p) => p.trim()).filter(Boolean).map((p, n) => {
    const [, name, port] = /^(?:([^=\s]+)=)?(\d+)$/.exec(p) ?? [];
    if (port === undefined) throw new Error(`'${p}' is not a port: write a number, or name=number`);
    const { name: before, ...rest } = d.portDefinitions?.[n] ?? {};
    return { protocol: 'tcp', ...rest, ...(name ? { name } : {}), port: Number(port) };
  });
  delete d.ports;
}

function writeCheck(d, protocol) {
  if (protocol === (d.healthChecks?.[0]?.protocol ?? (d.healthChecks?.length > 0 ? 'HTTP' : ''))) return;
  const [first, ...rest] = d.healthChecks ?? [];
  if (protocol === '') {
    if (rest.length > 0) d.healthChecks = rest;
    else delete d.healthChecks;
    return;
  }
  const { path, command, portIndex, ...kept } = first ?? {};
  d.healthChecks = [{ ...kept, protocol, ...(protocol === 'COMMAND' || kept.port !== undefined ? {} : { portIndex: portIndex ?? 0 }) }, ...rest];
}

function writeHealth(d, value) {
  const check = d.healthChecks?.[0];
  if (!check) return;
  delete check.path;
  delete check.command;
  if (check.protocol === 'COMMAND') check.command = { value };
  else if (!check.protocol?.endsWith('TCP')) set(check, 'path', value);
}

// Values that are no text, such as secrets, stay in the JSON and are not shown as lines.
function lines(values) {
  return Object.entries(values ?? {}).filter(([, v]) => typeof v === 'string').map(([k, v]) => `${k}=${v}`).join('\n');
}

function writeLines(d, name, value) {
  if (value === lines(d[name]).trim()) return; // values of several lines stay as they are
  const out = Object.fromEntries(Object.entries(d[name] ?? {}).filter(([, v]) => typeof v !== 'string'));
  for (const line of value.split('\n').filter((l) => l.trim() !== '')) {
    const at = line.indexOf('=');
    if (at <= 0) throw new Error(`'${line}' does not begin with NAME=`);
    out[line.slice(0, at).trim()] = line.slice(at + 1);
  }
  if (Object.keys(out).length > 0) d[name] = out;
  else delete d[name];
}

function readConstraints(d) {
  return (d.constraints ?? []).map((c) => c.join(' ')).join('\n');
}

function writeConstraints(d, value) {
  if (value === readConstraints(d)) return; // values may have spaces in them
  const out = value.split('\n').map((line) => line.trim().split(/\s+/).filter(Boolean)).filter((c) => c.length > 0);
  if (out.length > 0) d.constraints = out;
  else delete d.constraints;
}
