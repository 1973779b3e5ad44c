import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fixtureCommand } from '../helpers/fixture.ts';
import { agentWithKey } from '../helpers/keys.ts';
import { startNats, type TestNats } from '../helpers/nats.ts';
import { runToolbus, startToolbus, type Toolbus } from '../helpers/toolbus.ts';
import { verifies } from '../requirements.ts';

const dir = mkdtempSync(join(tmpdir(), 'toolbus-doctor-'));
const ann = agentWithKey();
const bob = { ...agentWithKey() };
const config = {
  servers: {
    good: fixtureCommand('scripted-upstream', ['--stdio']),
    missing: { command: 'no-such-program-anywhere' },
    crashing: { command: process.execPath, args: ['-e', 'console.error("the database is gone"); process.exit(3)'] },
    off: { command: 'x', disabled: true },
  },
  agents: { ann: ann.agent, bob: { ...bob.agent, allow: ['missing__*'] } },
};
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

interface Report {
  readonly steps: readonly { step: string; server?: string; status: string; detail: string; hint?: string }[];
  readonly broken?: { step: string; server?: string };
}

async function doctor(args: readonly string[]): Promise<{ code: number | null; report: Report; stderr: string }> {
  const { code, stdout, stderr } = await runToolbus(['doctor', ...args, '--json'], { cwd: dir });
  return { code, report: JSON.parse(stdout) as Report, stderr };
}
const walked = ({ steps }: Report) => steps.map(({ step, status }) => `${step} ${status}`);

test('doctor - a healthy server is ok to the end', async () => {
  const key = ['--url', toolbus.ready.mcp, '--key', ann.key];
  const { code, report } = await doctor(['good', ...joined, ...key]);
  assert.deepEqual(walked(report), ['config ok', 'nats ok', 'worker ok', 'upstream ok', 'discovery ok', 'auth ok']);
  assert.equal(report.broken, undefined);
  assert.equal(code, 0);
  const shown = await runToolbus(['doctor', 'good', ...joined, ...key], { cwd: dir });
  assert.match(shown.stdout, /nothing is broken/);
  assert.doesNotMatch(shown.stdout, new RegExp(ann.key));
});

test('doctor - an invalid configuration', async () => {
  verifies('doctor:names-broken-step');
  const file = join(dir, 'bad.yaml');
  writeFileSync(file, 'servers:\n  a: { comand: x }\n');
  const { code, report } = await doctor(['--config', file]);
  assert.deepEqual(walked(report), ['config failed']);
  assert.match(report.steps[0]?.detail ?? '', /bad\.yaml:2:\d+/);
  assert.equal(code, 2);
  const unknown = await doctor(['goood', ...joined]);
  assert.match(unknown.report.steps[0]?.hint ?? '', /did you mean good\?/);
  assert.equal(unknown.code, 2);
});

test('doctor - NATS that does not answer, and none at all', async () => {
  verifies('doctor:names-broken-step');
  const down = await doctor(['good', '--config', toolbus.configFile, '--nats', 'nats://127.0.0.1:1']);
  assert.deepEqual(walked(down.report), ['config ok', 'nats failed']);
  assert.match(down.report.steps[1]?.detail ?? '', /cannot reach NATS/);
  assert.equal(down.code, 4);
  const none = await doctor(['good', '--config', toolbus.configFile]);
  assert.match(none.report.steps[1]?.detail ?? '', /no `toolbus up` runs/);
  assert.equal(none.code, 4);
});

test('doctor - a server without worker', async () => {
  verifies('doctor:names-broken-step');
  const file = join(dir, 'more.yaml');
  writeFileSync(file, JSON.stringify({ servers: { ...config.servers, alone: { command: 'x' } } }));
  const { code, report } = await doctor(['alone', '--config', file, '--nats', nats.url]);
  assert.deepEqual(walked(report), ['config ok', 'nats ok', 'worker failed']);
  assert.match(report.steps[2]?.hint ?? '', /toolbus worker alone/);
  assert.equal(code, 4);
});

test('doctor - a command that is not there, and one that ends at once', async () => {
  verifies('doctor:names-broken-step');
  const missing = await doctor(['missing', ...joined]);
  assert.deepEqual(missing.report.broken, { step: 'upstream', server: 'missing' });
  assert.match(missing.report.steps.at(-1)?.detail ?? '', /command not found/);
  assert.ok(missing.report.steps.at(-1)?.hint);
  assert.equal(missing.code, 4);
  const crashing = await doctor(['crashing', ...joined]);
  assert.deepEqual(crashing.report.broken, { step: 'upstream', server: 'crashing' });
  assert.match(crashing.report.steps.at(-1)?.detail ?? '', /the database is gone/);
  assert.equal(crashing.code, 4);
});

test('doctor - a blocked server', async () => {
  await runToolbus(['block', 'server', 'good', '--reason', 'a test', ...joined]);
  const { code, report } = await doctor(['good', ...joined]);
  assert.deepEqual(report.broken, { step: 'discovery', server: 'good' });
  assert.match(report.steps.at(-1)?.detail ?? '', /blocked by .*: a test/);
  assert.equal(code, 5);
  await runToolbus(['unblock', 'server', 'good', ...joined]);
});

test('doctor - a wrong key, a key that may not use the server, and no ingress', async () => {
  verifies('doctor:names-broken-step');
  const at = ['good', ...joined, '--url', toolbus.ready.mcp];
  const wrong = await doctor([...at, '--key', 'tb_wrong_key']);
  assert.deepEqual(wrong.report.broken, { step: 'auth', server: 'good' });
  assert.equal(wrong.code, 3);
  const other = await doctor([...at, '--key', bob.key]);
  assert.match(other.report.steps.at(-1)?.detail ?? '', /may use nothing of good/);
  assert.equal(other.code, 3);
  const keyless = await doctor(at);
  assert.equal(keyless.report.steps.at(-1)?.status, 'skipped');
  assert.equal(keyless.code, 0);
  const gone = await doctor(['good', ...joined, '--url', 'http://127.0.0.1:9/mcp', '--key', ann.key]);
  assert.match(gone.report.steps.at(-1)?.detail ?? '', /no ingress answers/);
  assert.equal(gone.code, 4);
});

test('doctor - all servers: each ends where it is broken, the others go on', async () => {
  const { code, report } = await doctor(joined);
  const last = new Map(report.steps.map(({ server, step, status }) => [server ?? step, `${step} ${status}`]));
  assert.equal(last.get('good'), 'discovery ok');
  assert.equal(last.get('missing'), 'upstream failed');
  assert.equal(last.get('crashing'), 'upstream failed');
  assert.equal(last.get('off'), 'worker skipped');
  assert.equal(code, 4);
});
