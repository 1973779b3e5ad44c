import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from '@nats-io/transport-node';
import { subjectsOf } from '../../shared/bus/subjects.ts';
import { startBroker } from '../chaos/broker.ts';
import { type CallRecord, tally } from '../chaos/oracle.ts';
import { openRigOn, type Rig, type Worker } from '../chaos/rig.ts';
import { assertPromisesKept, healed, load } from '../chaos/settle.ts';
import { descendantsOf } from '../helpers/processes.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

/** A few megabytes, besides those that the kernel takes, have a connection cut off; what comes at once to one that reads does not. */
const impatient = ['max_pending: 4194304', 'write_deadline: "2s"'];
/** In the offer itself: larger arguments follow the acceptance. */
const padding = 40_000;

/** Makes calls, and sends the worker what it ignores, until nats-server cuts it off. Offers alone are soon not made to it any more. */
async function untilCut(rig: Rig, { ready }: Worker): Promise<CallRecord[]> {
  const nc = await connect({ servers: rig.broker.url });
  const subject = subjectsOf('default').instanceControl('scripted', ready.instance);
  const ballast = new Uint8Array(250_000);
  let cut = false;
  const calls = load(rig, { agents: 24, padding, over: () => cut });
  try {
    await until(
      'nats-server cuts it off',
      async () => {
        nc.publish(subject, ballast);
        return (await rig.broker.slowConsumers()).length > 0;
      },
      60_000,
    );
  } finally {
    cut = true;
    await nc.close();
  }
  return calls;
}

/** What the texts of results and the journal name: the upstream of this worker is among them. */
const upstreamsOf = (worker: Worker) => descendantsOf(worker.pid).map(({ pid }) => pid);
function assertRefused(records: readonly CallRecord[]): void {
  for (const { executed, reason = '' } of records) {
    assert.equal(executed, 'no');
    assert.match(reason, /^(overloaded|no_worker)$/);
  }
}
const reconnections = ({ logs }: Worker) => logs.filter((line) => line.includes('"reconnect"')).length;

test('slow consumer - a worker that does not read is cut off, the other one serves, and it comes back by itself', async (t) => {
  verifies('bus:slow-consumer');
  await using rig = await openRigOn(await startBroker({ settings: impatient }), { workers: 2, timeoutMs: 30_000 });
  const [victim] = rig.workers;
  assert.ok(victim);
  const own = upstreamsOf(victim);
  const byVictim = ({ text }: CallRecord) => own.some((pid) => text.endsWith(` by ${pid}`));
  const held = Array.from({ length: 6 }, () => rig.holdCall());
  await until('they run', () => rig.journal().length === held.length);
  victim.signal('SIGSTOP');
  for (const { release } of held) release();
  const ranAtVictim = new Set(rig.journal().flatMap(({ id, pid }) => (own.includes(pid) ? [id] : [])));
  for (const { id, reason } of await Promise.all(held.map(({ record }) => record)))
    assert.equal(reason, ranAtVictim.has(id) ? 'upstream_lost' : undefined, 'what it ran is lost, and nothing else');
  const meanwhile = await untilCut(rig, victim);
  t.diagnostic(`while it did not read: ${JSON.stringify(tally(meanwhile))}`);
  assert.deepEqual(await rig.broker.slowConsumers(), ['toolbus worker scripted calls']);
  const refused = meanwhile.filter(({ outcome }) => outcome !== 'ok');
  assertRefused(refused);
  // Offers that found nobody in time, where this machine has no time for either worker.
  assert.ok(refused.length * 20 < meanwhile.length, `${refused.length} of ${meanwhile.length}`);
  assert.ok(!meanwhile.some(byVictim));

  const thawedAt = performance.now();
  victim.signal('SIGCONT');
  await until('it has noticed', () => reconnections(victim) > 0);
  await until('it answers calls again', async () => (await load(rig, { agents: 4, calls: 8 })).some(byVictim));
  t.diagnostic(`answers again ${Math.round(performance.now() - thawedAt)} ms after it goes on`);
  assert.deepEqual(tally(await load(rig, { agents: 8, calls: 80 })), { ok: 80 });
  await assertPromisesKept(rig);
});

test('slow consumer - the only worker: calls are refused, none of those runs when it reads again', async (t) => {
  verifies('bus:slow-consumer');
  await using rig = await openRigOn(await startBroker({ settings: impatient }), { workers: 1, timeoutMs: 4_000 });
  const [victim] = rig.workers;
  assert.ok(victim);
  victim.signal('SIGSTOP');
  const refused = [...(await untilCut(rig, victim)), ...(await load(rig, { agents: 4, calls: 8 }))];
  t.diagnostic(JSON.stringify(tally(refused)));
  assertRefused(refused);
  victim.signal('SIGCONT');
  await healed(rig);
  assert.ok(reconnections(victim) > 0);
  await assertPromisesKept(rig);
});
