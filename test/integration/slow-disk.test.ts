import assert from 'node:assert/strict';
import { test } from 'node:test';
import { auditStreamNames } from '../../shared/bus/audit-stream.ts';
import { assertRecorded, metric, readiness } from '../chaos/audit-checks.ts';
import { tally } from '../chaos/oracle.ts';
import { openRigOn } from '../chaos/rig.ts';
import { assertPromisesKept, healed, load, tookMs } from '../chaos/settle.ts';
import { startSlowStorage } from '../chaos/slow-storage.ts';
import { undisturbed } from '../helpers/standstill.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

const slowMs = 200;
/** An intent may have to wait for the message before its own as well: a machine that stands still for longer adds the rest to half a second. */
const allowedMs = 60;

test('slow disk - calls take longer, none is refused, and records share messages so that the rate stays', async (t) => {
  verifies('audit:slow-disk');
  const storage = await startSlowStorage(auditStreamNames('default').records);
  await using rig = await openRigOn(storage, { concurrency: 64, timeoutMs: 20_000 });
  await load(rig, { agents: 64, calls: 64, delayMs: 0 });

  /** Whatever is refused must be the machine's doing. */
  async function measure(agents: number, calls: number) {
    const { value, stoodMs } = await undisturbed(() => round(agents, calls), { allowedMs, attempts: 6 });
    const { records, seconds, messages } = value;
    const { ok = 0, audit_unavailable: unrecorded = 0, ...others } = tally(records);
    const times = records.map(tookMs).sort((a, b) => a - b);
    t.diagnostic(
      `${agents} agents: ${ok} ok, ${unrecorded} not recorded in time, ${messages} messages, ${seconds.toFixed(1)} s, ` +
        `median ${Math.round(times[calls / 2] ?? 0)} ms, stood still for ${Math.round(stoodMs)} ms`,
    );
    assert.deepEqual(others, {});
    assert.ok(unrecorded === 0 || stoodMs > allowedMs, `${unrecorded} were refused`);
    const [quickest = 0] = records
      .filter(({ outcome }) => outcome === 'ok')
      .map(tookMs)
      .sort((a, b) => a - b);
    assert.ok(quickest >= 2 * slowMs - 20, `${quickest} ms: the intent and the outcome are waited for`);
    return { ...value, ok };
  }

  async function round(agents: number, calls: number) {
    const figures = async () => ({
      written: await metric(rig, 'toolbus_audit_records_total'),
      packs: await metric(rig, 'toolbus_audit_packs_total'),
      held: storage.held,
    });
    const before = await figures();
    const startedAt = performance.now();
    const records = await load(rig, { agents, calls, delayMs: 0 });
    const seconds = (performance.now() - startedAt) / 1_000;
    const after = await figures();
    const messages = after.packs - before.packs;
    const held = after.held - before.held;
    assert.ok(held > 1 && held >= messages - 1, `${held} of ${messages} were held`);
    return { records, seconds, messages, perMessage: (after.written - before.written) / messages };
  }

  storage.holdAcks(slowMs);
  const few = await measure(4, 24);
  assert.ok(few.ok > 12, `${few.ok} of 24`);
  const { ok, seconds, perMessage } = await measure(64, 256);
  assert.ok(perMessage > 4, `${perMessage} records in a message`);
  // With a message for each record, all agents together would get two and a half.
  assert.ok(ok / seconds > 5, `${ok / seconds} calls a second`);
  storage.holdAcks(0);
  await healed(rig);
  await assertRecorded(rig);
  await assertPromisesKept(rig, 500);
});

test('slow disk - above the limit calls are refused and nothing runs, until it stores in time again', async (t) => {
  verifies('audit:slow-disk', 'audit:fail-closed');
  const storage = await startSlowStorage(auditStreamNames('default').records);
  await using rig = await openRigOn(storage, {});
  assert.equal((await rig.call()).outcome, 'ok');
  const ran = rig.journal().length;
  storage.holdAcks(1_500);
  const first = await load(rig, { agents: 16, calls: 16 });
  const later = await load(rig, { agents: 4, calls: 24 });
  t.diagnostic(`the first took ${Math.round(Math.max(...first.map(tookMs)))} ms, then ${JSON.stringify(tally(later))}`);
  assert.ok(storage.held > 0);
  assert.deepEqual(tally([...first, ...later]), { audit_unavailable: 40 });
  for (const { executed, status } of [...first, ...later]) assert.deepEqual([executed, status], ['no', 503]);
  assert.ok(Math.min(...first.map(tookMs)) > 400, 'they had their half second');
  assert.equal(rig.journal().length, ran, 'no tool was started');
  // Between an acknowledgement that came too late and the next call that misses it, it looks as if all were well.
  await until('readyz tells of it', async () => {
    await rig.call();
    return (await readiness(rig)).status === 503;
  });
  storage.holdAcks(0);
  await healed(rig);
  assert.equal((await readiness(rig)).status, 200);
  assert.deepEqual(tally(await load(rig, { agents: 8, calls: 40 })), { ok: 40 });
  await assertRecorded(rig);
  await assertPromisesKept(rig);
});
