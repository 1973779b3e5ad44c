import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRecorded, idsOf, readiness, verify } from '../chaos/audit-checks.ts';
import { readAudit } from '../chaos/audit-oracle.ts';
import { diskInFile, diskInMemory, noDisks } from '../chaos/faulty-disk.ts';
import type { CallRecord } from '../chaos/oracle.ts';
import { openRig, type Rig } from '../chaos/rig.ts';
import { healed, load, tookMs } from '../chaos/settle.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

const skip = noDisks() ?? false;

/** Small enough for the disks of these tests. */
const audit = { maxBytes: 8_388_608, checkpoints: { everyMs: 1_000 } };

/** The contract says 600 ms; the machine may be busy. */
const refusedWithinMs = 5_000;

/** Calls until one is refused; that one. */
const untilRefused = (rig: Rig): Promise<CallRecord> =>
  until('a call is refused', async () => {
    const record = await rig.call({ padding: 'x'.repeat(8_000) });
    return record.reason === 'audit_unavailable' && record;
  });

function assertRefused(record: CallRecord): void {
  assert.deepEqual([record.reason, record.executed, record.status], ['audit_unavailable', 'no', 503]);
  assert.ok(tookMs(record) < refusedWithinMs, `refused after ${Math.round(tookMs(record))} ms`);
}

const running = (rig: Rig, count: number) =>
  until('the slow call runs', () => rig.journal().filter(({ what }) => what === 'start').length === count);

test(
  'audit disks - a full disk below NATS refuses calls, keeps outcomes, and takes all when NATS starts with room',
  { skip },
  async (t) => {
    verifies('audit:fail-closed', 'audit:outcome-kept', 'audit:disks');
    await using disk = await diskInMemory(64);
    await using rig = await openRig({ store: disk.dir, timeoutMs: 60_000, audit });
    await load(rig, { agents: 4, calls: 20 });
    const before = idsOf(await readAudit(rig.broker.url));
    const slow = rig.holdCall();
    await running(rig, 21);
    await disk.whileFull(async () => {
      const first = await untilRefused(rig);
      assertRefused(first);
      const again = await rig.call({});
      assertRefused(again);
      t.diagnostic(`refused after ${Math.round(tookMs(first))} ms, then ${Math.round(tookMs(again))} ms`);
      const said = await until('readiness says why', async () => {
        const { status, audit: reason } = await readiness(rig);
        return reason.includes('its disk is full or hangs') && { status, reason };
      });
      t.diagnostic(`readyz: ${said.reason}`);
      assert.equal(said.status, 503);
      slow.release();
      assert.equal((await slow.record).outcome, 'ok', 'its outcome is on the other disk');
    });
    // JetStream does not go on by itself after it could not write.
    await rig.broker.restart();
    await healed(rig, 30_000);
    const after = await assertRecorded(rig);
    assert.deepEqual(
      [...before].filter((id) => !idsOf(after).has(id)),
      [],
    );
    const verdict = await verify(rig);
    assert.equal(verdict.code, 0, verdict.stdout);
  },
);

test(
  'audit disks - a frozen disk below NATS refuses calls in time, and those that ran are answered',
  { skip },
  async (t) => {
    verifies('audit:fail-closed', 'audit:outcome-kept', 'audit:disks');
    await using disk = await diskInFile();
    await using rig = await openRig({ store: disk.dir, timeoutMs: 60_000, audit });
    await load(rig, { agents: 4, calls: 20 });
    const before = idsOf(await readAudit(rig.broker.url));
    const slow = rig.holdCall();
    await running(rig, 21);
    const refused = await disk.whileFrozen(async () => {
      const atOnce = await Promise.all(Array.from({ length: 5 }, () => rig.call({})));
      const known = await rig.call({});
      t.diagnostic(
        `refused after ${atOnce.map((each) => Math.round(tookMs(each)))} ms, then ${Math.round(tookMs(known))} ms`,
      );
      const { status, audit: reason } = await readiness(rig);
      t.diagnostic(`readyz: ${reason}`);
      assert.equal(status, 503);
      assert.match(reason, /no acknowledgement within|stored nothing within/);
      slow.release();
      assert.equal((await slow.record).outcome, 'ok', 'its outcome is on the other disk');
      return [...atOnce, known];
    });
    for (const record of refused) assertRefused(record);
    const thawedAt = performance.now();
    await healed(rig, 30_000);
    t.diagnostic(`calls again ${Math.round(performance.now() - thawedAt)} ms after the thaw`);
    const after = await assertRecorded(rig);
    assert.deepEqual(
      [...before].filter((id) => !idsOf(after).has(id)),
      [],
    );
    const verdict = await verify(rig);
    assert.equal(verdict.code, 0, verdict.stdout);
  },
);

test(
  'audit disks - with the disk below NATS frozen and the other one full, a tool that ran says so and no other runs',
  { skip },
  async (t) => {
    verifies('audit:fail-closed', 'audit:outcome-kept', 'audit:disks');
    await using below = await diskInFile();
    await using own = await diskInMemory(4);
    await using rig = await openRig({ store: below.dir, ingressDir: own.dir, timeoutMs: 60_000, audit });
    await rig.call({});
    const slow = rig.holdCall();
    await running(rig, 2);
    await own.whileFull(() =>
      below.whileFrozen(async () => {
        const refused = await untilRefused(rig);
        assertRefused(refused);
        slow.release();
        const releasedAt = performance.now();
        const lost = await slow.record;
        t.diagnostic(`answered ${Math.round(lost.endedAt - releasedAt)} ms after the tool`);
        assert.deepEqual([lost.reason, lost.executed], ['audit_outcome_lost', 'yes']);
        assert.ok(rig.ingress.logs.some((line) => line.includes('audit_lost')));
        assertRefused(await rig.call({}));
      }),
    );
    await healed(rig, 30_000);
    await assertRecorded(rig);
  },
);

test(
  'audit disks - with both disks frozen nobody waits for them, and what was written late is shipped',
  { skip },
  async (t) => {
    verifies('audit:fail-closed', 'audit:outcome-kept', 'audit:disks');
    await using below = await diskInFile();
    await using own = await diskInFile();
    await using rig = await openRig({ store: below.dir, ingressDir: own.dir, timeoutMs: 60_000, audit });
    await rig.call({});
    const slow = rig.holdCall();
    await running(rig, 2);
    const { id } = await own.whileFrozen(() =>
      below.whileFrozen(async () => {
        assertRefused(await untilRefused(rig));
        slow.release();
        const releasedAt = performance.now();
        const lost = await slow.record;
        t.diagnostic(`answered ${Math.round(lost.endedAt - releasedAt)} ms after the tool`);
        assert.deepEqual([lost.reason, lost.executed], ['audit_outcome_lost', 'yes']);
        assert.equal((await readiness(rig)).status, 503);
        assertRefused(await rig.call({}));
        return lost;
      }),
    );
    await healed(rig, 30_000);
    const found = await assertRecorded(rig);
    const call = found.find((each) => each.kind === 'intent' && JSON.stringify(each.arguments).includes(`"${id}"`));
    assert.ok(call?.kind === 'intent');
    await until('its outcome is in the stream after all', async () =>
      (await readAudit(rig.broker.url)).some((each) => each.kind === 'outcome' && each.call === call.call),
    );
  },
);
