import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fixtureCommand } from '../helpers/fixture.ts';
import { startNats, type TestNats } from '../helpers/nats.ts';
import { runToolbus, startToolbus, type Toolbus } from '../helpers/toolbus.ts';
import { verifies } from '../requirements.ts';

const dir = mkdtempSync(join(tmpdir(), 'toolbus-cli-'));
const config = { servers: { scripted: fixtureCommand('scripted-upstream', ['--stdio']) } };
let nats: TestNats;
let toolbus: Toolbus;
let joined: string[];

before(async () => {
  nats = await startNats();
  toolbus = await startToolbus({ config, args: ['--nats', nats.url] });
  joined = ['--config', toolbus.configFile, '--nats', nats.url];
});

after(async () => {
  await toolbus?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

function write(name: string, text: string): string {
  const file = join(dir, name);
  writeFileSync(file, text);
  return file;
}

test('cli - help and version exit 0, unknown commands and flags exit 2', async () => {
  verifies('cli:exit-codes');
  assert.equal((await runToolbus(['--help'])).code, 0);
  assert.match((await runToolbus(['--version'])).stdout, /^\d+\.\d+\.\d+/);
  assert.equal((await runToolbus(['frobnicate'])).code, 2);
  assert.equal((await runToolbus(['check', '--frobnicate'])).code, 2);
});

test('cli check - prints what would run and starts nothing', async () => {
  verifies('cli:check');
  const result = await runToolbus(['check', '--config', toolbus.configFile, '--json']);
  assert.equal(result.code, 0, result.stderr);
  assert.match(result.stdout, /scripted/);
  assert.doesNotThrow(() => JSON.parse(result.stdout));
});

test('cli check - an unknown key exits 2 with place, key and the nearest valid one', async () => {
  verifies('config:invalid');
  const file = write('typo.yaml', 'servers:\n  github:\n    comand: npx\n');
  const { code, stderr } = await runToolbus(['check', '--config', file]);
  assert.equal(code, 2);
  assert.match(stderr, /typo\.yaml:3:5/);
  assert.match(stderr, /comand/);
  assert.match(stderr, /command/);
});

test('cli check - an unset variable, a bad CIDR and broken YAML exit 2 and name no value', async () => {
  const unset = '$'.concat('{TOOLBUS_TEST_UNSET}');
  const cases = {
    'unset.yaml': `servers:\n  a:\n    command: x\n    env: { TOKEN: "${unset}" }\n`,
    'cidr.yaml': 'servers: {}\naccess:\n  allowIps: ["300.0.0.0/8"]\n',
    'broken.yaml': 'servers: [\n',
  };
  for (const [name, text] of Object.entries(cases)) {
    const { code, stderr } = await runToolbus(['check', '--config', write(name, text)]);
    assert.equal(code, 2, name);
    assert.match(stderr, new RegExp(`${name}:\\d+:\\d+`), name);
  }
});

test('cli check - a client’s mcpServers file is accepted as it is', async () => {
  const file = write('claude.json', JSON.stringify({ mcpServers: config.servers }));
  const { code, stderr } = await runToolbus(['check', '--config', file]);
  assert.equal(code, 0, stderr);
});

test('cli - an unreachable NATS exits 4', async () => {
  verifies('cli:exit-codes');
  const unreachable = ['--config', toolbus.configFile, '--nats', 'nats://127.0.0.1:1'];
  assert.equal((await runToolbus(['servers', ...unreachable])).code, 4);
});

test('cli servers - lists workers and breakers', async () => {
  verifies('cli:servers');
  const { code, stdout, stderr } = await runToolbus(['servers', ...joined, '--json']);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /"scripted"/);
  assert.match(stdout, /closed/);
});

test('cli tools - ls, inspect and call', async () => {
  verifies('cli:tools');
  const ls = await runToolbus(['tools', 'ls', ...joined]);
  assert.equal(ls.code, 0, ls.stderr);
  assert.match(ls.stdout, /scripted__run/);
  const inspect = await runToolbus(['tools', 'inspect', 'scripted__run', ...joined]);
  assert.equal(inspect.code, 0, inspect.stderr);
  assert.match(inspect.stdout, /delayMs/);
  const call = await runToolbus(['tools', 'call', 'scripted__run', '{"id":"from-json"}', ...joined]);
  assert.equal(call.code, 0, call.stderr);
  assert.match(call.stdout, /from-json by/);
  const pairs = await runToolbus(['tools', 'call', 'scripted__run', 'id=from-pairs', 'delayMs=1', ...joined]);
  assert.match(pairs.stdout, /from-pairs by/);
});

test('cli tools call - a failing and an unknown tool exit 5', async () => {
  verifies('cli:exit-codes');
  assert.equal((await runToolbus(['tools', 'call', 'scripted__run', 'isError=true', ...joined])).code, 5);
  assert.equal((await runToolbus(['tools', 'call', 'scripted__nothing', ...joined])).code, 5);
});
