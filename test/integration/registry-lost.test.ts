import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { tally } from '../chaos/oracle.ts';
import { openRig } from '../chaos/rig.ts';
import { assertPromisesKept, load } from '../chaos/settle.ts';
import { runToolbus } from '../helpers/toolbus.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

test('registry lost - calls go on without it, what is blocked stays blocked, and workers write it again', async () => {
  verifies('bus:registry-lost');
  await using rig = await openRig({ workers: 2, agents: ['stranger'] });
  const where = ['--config', rig.ingress.configFile, '--nats', rig.broker.url];
  const blocked = await runToolbus(['block', 'agent', 'stranger', ...where]);
  assert.equal(blocked.code, 0, blocked.stderr);
  const isRefused = async () => (await rig.call({}, { agent: 'stranger' })).status === 403;
  await until('the stranger is out', isRefused);

  const operator = await connect({ servers: rig.broker.url });
  const { streams } = await jetstreamManager(operator);
  const buckets: string[] = [];
  // Without the one that holds the secret and knows of the audit stream, audited calls are refused.
  for await (const { config } of streams.list())
    if (config.name.startsWith('KV_') && !config.name.endsWith('_cluster')) buckets.push(config.name);
  assert.ok(buckets.length > 4);
  for (const name of buckets) await streams.delete(name);
  await operator.close();

  assert.deepEqual(tally(await load(rig, { agents: 4, calls: 40 })), { ok: 40 });
  // Longer than a worker is known that is not heard of.
  await delay(6_000);
  await until('both workers are in it again', async () => {
    const known = await rig.instances();
    return known.length === 2 && known.every(({ state }) => state === 'ready');
  });
  const { stdout } = await runToolbus(['tools', 'ls', ...where, '--json', '--all']);
  assert.match(stdout, /scripted__run/, 'who starts now finds the tools');
  assert.deepEqual(tally(await load(rig, { agents: 4, calls: 40 })), { ok: 40 });
  assert.ok(await isRefused());
  const isOfCalls = (violation: string) => !violation.includes('this agent is blocked');
  await assertPromisesKept({ ...rig, violations: () => rig.violations().filter(isOfCalls) }, 500);
});
