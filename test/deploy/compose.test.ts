import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../shared/config/load.ts';
import { compose, composeText, environmentOf, interpolate, root } from './compose-file.ts';
import { newEnv } from './new-env.ts';

const services = Object.entries(compose.services);
const secrets = [
  'TOOLBUS_SECRET',
  'TOOLBUS_API_KEY_HASH',
  'NATS_INGRESS_PASSWORD',
  'NATS_WORKER_PASSWORD',
  'NATS_ROUTE_PASSWORD',
];

/** `source:target[:mode]` of a service; only sources that are files of the checkout. */
const mountedFiles = (volumes: readonly string[] = []) =>
  volumes.filter((volume) => volume.startsWith('.')).map((volume) => volume.split(':'));

test('compose - has three NATS nodes, two ingresses, two workers of one server and a proxy', () => {
  assert.deepEqual(
    services.map(([name]) => name),
    ['nats-1', 'nats-2', 'nats-3', 'ingress-1', 'ingress-2', 'worker-everything-1', 'worker-everything-2', 'nginx'],
  );
});

test('compose - every service has a pinned image and a health check, and is hardened', () => {
  for (const [name, service] of services) {
    assert.match(service.image ?? '', /^[a-z]+:\d+\.\d+\.\d+(-[a-z]+)?$/, `${name}: image`);
    assert.ok((service.healthcheck?.test.length ?? 0) > 1, `${name}: healthcheck`);
    assert.equal(service.read_only, true, `${name}: read_only`);
    assert.deepEqual(service.cap_drop, ['ALL'], `${name}: cap_drop`);
    assert.equal(service.privileged, undefined, `${name}: privileged`);
  }
});

test('compose - NATS is at least 2.14.5', () => {
  for (const node of ['nats-1', 'nats-2', 'nats-3']) {
    const [major, minor, patch] = (/:(\d+)\.(\d+)\.(\d+)/.exec(compose.services[node]?.image ?? '') ?? [])
      .slice(1)
      .map(Number);
    assert.ok(major! * 1e6 + minor! * 1e3 + patch! >= 2_014_005, node);
  }
});

test('compose - what is built and mounted exists, and configuration is mounted read-only', () => {
  for (const [name, service] of services) {
    for (const [source = '', , mode] of mountedFiles(service.volumes)) {
      assert.ok(existsSync(join(root, source)), `${name}: ${source}`);
      assert.equal(mode, 'ro', `${name}: ${source}`);
    }
    if (service.build !== undefined) assert.ok(existsSync(join(root, service.build.dockerfile)), name);
  }
  assert.doesNotMatch(composeText, /docker\.sock/);
});

test('compose - named volumes and networks are declared, and each NATS node has a volume of its own', () => {
  const used = services.flatMap(([, service]) =>
    (service.volumes ?? []).filter((volume) => !volume.startsWith('.')).map((volume) => volume.split(':')[0]!),
  );
  assert.deepEqual(used.toSorted(), Object.keys(compose.volumes).toSorted());
  assert.equal(new Set(used).size, used.length);
  for (const [name, service] of services) {
    for (const network of service.networks ?? []) assert.ok(network in compose.networks, `${name}: ${network}`);
  }
});

test('compose - only the proxy publishes a port, on loopback, and NATS has no way out', () => {
  const published = services.filter(([, service]) => (service.ports ?? []).length > 0);
  assert.deepEqual(
    published.map(([name]) => name),
    ['nginx'],
  );
  assert.deepEqual(
    compose.services['nginx']?.ports?.map((port) => interpolate(port, {})),
    ['127.0.0.1:8080:8080'],
  );
  assert.equal(compose.networks['bus']?.internal, true);
  assert.equal(compose.networks['edge']?.internal, true);
  assert.deepEqual(compose.services['nats-1']?.networks, ['bus']);
  assert.ok(!compose.services['nginx']?.networks?.includes('bus'));
});

test('compose - everything waits until what it needs is healthy', () => {
  for (const [name, service] of services) {
    for (const [needed, { condition }] of Object.entries(service.depends_on ?? {})) {
      assert.ok(needed in compose.services, `${name} needs ${needed}`);
      assert.equal(condition, 'service_healthy', `${name} needs ${needed}`);
    }
  }
  assert.deepEqual(Object.keys(compose.services['nginx']?.depends_on ?? {}), ['ingress-1', 'ingress-2']);
  assert.deepEqual(Object.keys(compose.services['worker-everything-1']?.depends_on ?? {}), [
    'nats-1',
    'nats-2',
    'nats-3',
  ]);
});

test('compose - no credential has a default: each missing one ends the start with a message', () => {
  const env = newEnv();
  assert.deepEqual(Object.keys(env).toSorted(), secrets.toSorted());
  const all = (given: Readonly<Record<string, string>>) => {
    for (const [, service] of services) environmentOf(service, given);
  };
  all(env);
  for (const name of secrets) {
    const { [name]: _, ...others } = env;
    assert.throws(() => all(others), new RegExp(`^Error: ${name} is not set: run .*new-env\\.js`));
    assert.match(composeText, new RegExp(`\\$\\{${name}:\\?`));
    assert.doesNotMatch(composeText, new RegExp(`\\$\\{${name}:-`));
  }
});

test('compose - made secrets differ each time and are long', () => {
  const [one, other] = [newEnv(), newEnv()];
  for (const name of secrets) {
    assert.notEqual(one[name], other[name]);
    assert.ok((one[name]?.length ?? 0) >= 64, name);
  }
});

test('compose - ingresses and workers load the mounted configuration with their environment', async () => {
  for (const name of ['ingress-1', 'worker-everything-2']) {
    const service = compose.services[name]!;
    const env = environmentOf(service, newEnv());
    const [source = '', target] = mountedFiles(service.volumes)[0] ?? [];
    const command = service.command ?? [];
    assert.equal(command[command.indexOf('--config') + 1], target, `${name} is started with the mounted file`);

    const { config, warnings } = await loadConfig({ file: join(root, source), env, cwd: root, forUp: false });
    assert.deepEqual(warnings, []);
    assert.equal(config.auth.mode, 'keys');
    assert.equal(config.cluster.secret, env['TOOLBUS_SECRET']);
    assert.equal(config.nats.url, env['NATS_URL']);
    assert.deepEqual(config.agents['demo']?.keys, [env['TOOLBUS_API_KEY_HASH']]);
    if (command[0] === 'worker') assert.ok(command[1]! in config.servers);
  }
});

test('compose - the configuration refuses to load without the hash of a key', async () => {
  const { TOOLBUS_API_KEY_HASH: _, ...env } = newEnv();
  const file = join(root, 'deploy/compose/toolbus.yaml');
  await assert.rejects(loadConfig({ file, env, cwd: root, forUp: false }), /TOOLBUS_API_KEY_HASH/);
});

const hasCompose = spawnSync('docker', ['compose', 'version'], { stdio: 'ignore' }).status === 0;

test(
  'compose - docker compose accepts the file',
  { skip: hasCompose ? false : 'docker compose is not installed' },
  () => {
    const run = (env: Readonly<Record<string, string>>) =>
      spawnSync('docker', ['compose', '--project-directory', root, '--env-file', '/dev/null', 'config', '--quiet'], {
        cwd: root,
        env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
        encoding: 'utf8',
      });
    const accepted = run(newEnv());
    assert.equal(accepted.status, 0, accepted.stderr);
    const refused = run({});
    assert.notEqual(refused.status, 0);
    assert.match(refused.stderr, /is not set: run/);
  },
);
