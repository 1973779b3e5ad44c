import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { AuditRecord } from '../../shared/audit/record.ts';
import { assertRecorded, idsOf, verify } from '../chaos/audit-checks.ts';
import { judgeAudit, readAudit } from '../chaos/audit-oracle.ts';
import { openRig } from '../chaos/rig.ts';
import { healed, load } from '../chaos/settle.ts';
import { startIngress } from '../helpers/toolbus.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

/** Calls whose intent has no outcome. */
function orphansOf(audit: readonly AuditRecord[]): string[] {
  const ended = new Set(audit.flatMap((each) => (each.kind === 'outcome' ? [each.call] : [])));
  return audit.flatMap((each) => (each.kind === 'intent' && !ended.has(each.call) ? [each.call] : []));
}

test('audit kills - nats-server killed under load loses no record that it had acknowledged', async () => {
  verifies('audit:survives-kills');
  await using rig = await openRig({ workers: 2, timeoutMs: 10_000, audit: { checkpoints: { everyMs: 1_000 } } });
  await load(rig, { agents: 8, calls: 60 });
  const before = await readAudit(rig.broker.url);
  let over = false;
  const running = load(rig, { agents: 8, over: () => over });
  await delay(500);
  await rig.broker.restart();
  await delay(1_500);
  over = true;
  await running;
  await healed(rig);
  const kept = idsOf(await assertRecorded(rig));
  assert.deepEqual(
    [...idsOf(before)].filter((id) => !kept.has(id)),
    [],
  );
  const verdict = await verify(rig);
  assert.equal(verdict.code, 0, verdict.stdout);
});

test('audit kills - a worker killed at any moment leaves an outcome that does not say too much', async () => {
  verifies('audit:survives-kills');
  await using rig = await openRig({ workers: 2, timeoutMs: 10_000 });
  // Before the effect, after it, and at the edge of both.
  const calls = [400, 100, 0].flatMap((delayMs) => Array.from({ length: 3 }, () => rig.call({ delayMs })));
  await until('some of them run', () => rig.journal().length > 3);
  rig.workers[0]?.signal('SIGKILL');
  const died = [rig.call({ die: 'before' }), rig.call({ die: 'after' })];
  await Promise.all([...calls, ...died]);
  const audit = await readAudit(rig.broker.url);
  assert.deepEqual(judgeAudit(audit, rig.records, rig.journal()), []);
  assert.deepEqual(orphansOf(audit), []);
  for (const each of audit) {
    if (each.kind === 'outcome' && each.outcome === 'upstream_lost') assert.equal(each.executed, 'unknown');
  }
});

test('audit kills - an ingress killed under load leaves intents that nobody reads as calls that ran', async () => {
  verifies('audit:survives-kills');
  await using rig = await openRig({ workers: 2, timeoutMs: 10_000, audit: { checkpoints: { everyMs: 1_000 } } });
  let over = false;
  const running = load(rig, { agents: 8, delayMs: 100, over: () => over });
  await delay(2_000);
  rig.ingress.signal('SIGKILL');
  over = true;
  await running;
  // What had begun at a worker goes on there.
  await delay(1_000);
  const audit = await readAudit(rig.broker.url);
  assert.deepEqual(judgeAudit(audit, rig.records, rig.journal()), []);
  assert.ok(orphansOf(audit).length > 0, 'calls were in flight');
  const verdict = await verify(rig);
  assert.equal(verdict.code, 0, verdict.stdout);
  // Another one begins a chain of its own behind it.
  await using next = await startIngress(rig.broker.url, { config: rig.config });
  assert.ok(next.ready.mcp);
  await until('it records', async () => {
    const writers = new Set((await readAudit(rig.broker.url)).map(({ writer }) => writer));
    return writers.size === 2;
  });
  assert.equal((await verify(rig)).code, 0);
});

test('audit kills - what an ended ingress had on the disk is shipped by the next on its directory, once', async () => {
  verifies('audit:outcome-kept', 'audit:survives-kills');
  await using rig = await openRig({ timeoutMs: 20_000, audit: { checkpoints: { everyMs: 1_000 } } });
  await rig.call({});
  const slow = rig.call({ delayMs: 1_500 });
  await until('it runs', () => rig.journal().filter(({ what }) => what === 'start').length === 2);
  await rig.broker.kill();
  const lost = await slow;
  assert.equal(lost.reason, 'upstream_lost');
  rig.ingress.signal('SIGKILL');
  await rig.broker.restart();
  await using next = await startIngress(rig.broker.url, { config: rig.config, dir: rig.ingress.dir });
  assert.ok(next.ready.mcp);
  const outcome = await until('the outcome is in the stream', async () =>
    (await readAudit(rig.broker.url)).find((each) => each.kind === 'outcome' && each.outcome === 'upstream_lost'),
  );
  assert.ok(outcome.kind === 'outcome' && outcome.executed === 'unknown');
  const audit = await readAudit(rig.broker.url);
  assert.deepEqual(judgeAudit(audit, rig.records, rig.journal()), []);
  assert.deepEqual(orphansOf(audit), []);
});
