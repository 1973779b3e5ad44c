import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import type { AuditRecord } from '../../shared/audit/record.ts';
import { connectBus } from '../../shared/bus/connect.ts';
import { createLogger } from '../../shared/log.ts';
import { assertRecorded, auditCommand, metric, readiness, smallStream, verify } from '../chaos/audit-checks.ts';
import { readAudit } from '../chaos/audit-oracle.ts';
import { diskInFile, noDisks } from '../chaos/faulty-disk.ts';
import { openRig, type Rig } from '../chaos/rig.ts';
import { load } from '../chaos/settle.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

const stream = 'TOOLBUS_AUDIT_default';

const small = { ...smallStream, mode: 'best-effort', checkpoints: { everyMs: 1_000 } };

/** Calls until the stream takes not even the record that says what is missing; every one of them is answered. */
async function fill(rig: Rig): Promise<void> {
  for (const padding of [60_000, 600]) {
    await until(`no room for ${padding} bytes`, async () => {
      assert.equal((await rig.call({ padding: 'x'.repeat(padding) })).outcome, 'ok');
      return (await metric(rig, 'toolbus_audit_recording')) === 0;
    });
  }
  await until(
    'no room at all',
    async () => {
      assert.equal((await rig.call({})).outcome, 'ok');
      for (let looks = 0; looks < 15; looks += 1) {
        if ((await metric(rig, 'toolbus_audit_recording')) !== 0) return false;
        await delay(100);
      }
      return true;
    },
    60_000,
  );
}

const spooled = (rig: Rig) => metric(rig, 'toolbus_audit_spooled');
/** What all records of gaps say together. */
const missedIn = (audit: readonly AuditRecord[], what: 'spooled' | 'lost'): number =>
  audit.reduce((sum, each) => {
    const isGap = each.kind === 'event' && each.event === 'audit_gap';
    return isGap ? sum + Number(each.detail[what] ?? 0) : sum;
  }, 0);

const lost = (rig: Rig) => metric(rig, 'toolbus_audit_lost_total');

test('audit best-effort - a full stream stops no call, and takes what was on the disk when there is room', async () => {
  verifies('audit:best-effort');
  await using rig = await openRig({ audit: small });
  await fill(rig);
  const made = await load(rig, { agents: 4, calls: 40 });
  assert.ok(made.every(({ outcome }) => outcome === 'ok'));
  // A single small record may still have found room.
  assert.ok((await spooled(rig)) >= 60, 'an intent and an outcome of nearly each');
  assert.equal(await lost(rig), 0);
  const { status, audit } = await readiness(rig);
  assert.equal(status, 200);
  assert.match(audit, /maximum bytes|10077/);
  assert.match(audit, /\d+ records wait on the disk/);
  assert.ok(rig.ingress.logs.some((line) => line.includes('"alarm":"audit_unavailable"')));

  rig.ingress.writeConfig({ ...rig.config, audit: { ...small, maxBytes: 8_388_608 } });
  await until('it records again', async () => (await metric(rig, 'toolbus_audit_recording')) === 1, 30_000);
  const found = await assertRecorded(rig);
  assert.ok(missedIn(found, 'spooled') >= 60, 'the gaps are in the audit');
  assert.equal((await verify(rig)).code, 0);
});

test('audit best-effort - what neither stream nor disk have room for is counted, and calls go on', async () => {
  verifies('audit:best-effort');
  const audit = { ...small, spoolBytes: 65_536 };
  await using rig = await openRig({ audit });
  await fill(rig);
  const made = await load(rig, { agents: 4, calls: 200 });
  assert.ok(made.every(({ outcome }) => outcome === 'ok'));
  const missing = await lost(rig);
  assert.ok(missing > 0);
  assert.ok(rig.ingress.logs.some((line) => line.includes('"alarm":"audit_lost"')));

  rig.ingress.writeConfig({ ...rig.config, audit: { ...audit, maxBytes: 8_388_608 } });
  await until('it records again', async () => (await metric(rig, 'toolbus_audit_recording')) === 1, 30_000);
  await until('the spool is shipped', async () => (await spooled(rig)) === 0, 30_000);
  await until('the gaps are in the audit', async () => missedIn(await readAudit(rig.broker.url), 'lost') >= missing);
  const verdict = await verify(rig);
  assert.equal(verdict.code, 0, 'the chain itself has no hole');
});

test('audit best-effort - goes on without its stream, does not make it anew, and ships to the one an operator begins', async () => {
  verifies('audit:best-effort', 'audit:stream-guarded');
  await using rig = await openRig({ audit: small });
  await load(rig, { agents: 2, calls: 6 });
  const nc = await connectBus({ url: rig.broker.url, name: 'vandal', log: createLogger('silent', 'test') });
  try {
    const jsm = await jetstreamManager(nc);
    await jsm.streams.delete(stream);
    const made = await load(rig, { agents: 2, calls: 20 });
    assert.ok(made.every(({ outcome }) => outcome === 'ok'));
    await until('readiness says why', async () => /deleted/.test((await readiness(rig)).audit));
    assert.equal((await readiness(rig)).status, 200);
    assert.ok(rig.ingress.logs.some((line) => line.includes('"alarm":"audit_gap"')));
    await assert.rejects(jsm.streams.info(stream), /not found/);
  } finally {
    await nc.close();
  }
  const kept = await spooled(rig);
  assert.ok(kept >= 40);
  const accepted = await auditCommand(rig, 'accept-loss');
  assert.equal(accepted.code, 0, accepted.stderr);
  await until('the spool is shipped', async () => (await spooled(rig)) === 0, 30_000);
  const found = await readAudit(rig.broker.url);
  assert.ok(found.length >= kept);
  assert.equal(new Set(found.map(({ id }) => id)).size, found.length);
});

test(
  'audit best-effort - a frozen disk below NATS delays no call, and all is recorded after it',
  { skip: noDisks() ?? false },
  async (t) => {
    verifies('audit:best-effort', 'audit:disks');
    await using disk = await diskInFile();
    await using rig = await openRig({ store: disk.dir, audit: { ...small, maxBytes: 8_388_608 } });
    await load(rig, { agents: 2, calls: 6 });
    await disk.whileFrozen(async () => {
      const made = await load(rig, { agents: 4, calls: 100 });
      assert.ok(made.every(({ outcome }) => outcome === 'ok'));
      const slowest = Math.max(...made.map(({ startedAt, endedAt }) => endedAt - startedAt));
      t.diagnostic(`slowest answer ${Math.round(slowest)} ms`);
      await until('it is noticed', async () => (await spooled(rig)) > 0);
    });
    await until('it records again', async () => (await metric(rig, 'toolbus_audit_recording')) === 1, 30_000);
    await assertRecorded(rig);
    assert.equal((await verify(rig)).code, 0);
  },
);
