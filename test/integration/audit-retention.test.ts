import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRecorded, fillStream, metric, readiness, smallStream, verify } from '../chaos/audit-checks.ts';
import { readAudit } from '../chaos/audit-oracle.ts';
import { openRig, type Rig } from '../chaos/rig.ts';
import { healed } from '../chaos/settle.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

const small = { ...smallStream, checkpoints: { everyMs: 1_000 } };

const large = (rig: Rig) => rig.call({ padding: 'x'.repeat(60_000) });

test('audit retention - at four fifths of the stream there is an alarm while calls go on', async () => {
  verifies('audit:stream-guarded');
  await using rig = await openRig({ audit: small });
  assert.ok(!(await readiness(rig)).audit.includes('full'));
  // An intent of each holds its argument: fifteen are some 900,000 bytes.
  for (let calls = 0; calls < 15; calls += 1) assert.equal((await large(rig)).outcome, 'ok');
  const said = await until(
    'readiness says so',
    async () => {
      const { audit, status } = await readiness(rig);
      return audit.includes('% full') && { audit, status };
    },
    30_000,
  );
  assert.equal(said.status, 200);
  assert.match(said.audit, /^recording; the stream is (8|9)\d % full$/);
  assert.ok(rig.ingress.logs.some((line) => line.includes('"alarm":"audit_nearly_full"')));
  const share =
    (await metric(rig, 'toolbus_audit_stream_bytes')) / (await metric(rig, 'toolbus_audit_stream_max_bytes'));
  assert.ok(share >= 0.8 && share < 1, `${share}`);
  assert.equal((await rig.call({})).outcome, 'ok');
  await assertRecorded(rig);
});

test('audit retention - a full stream loses no old record, and takes new ones when their age ends the oldest', async (t) => {
  verifies('audit:stream-guarded', 'audit:retention');
  const ageMs = 20_000;
  await using rig = await openRig({ audit: { ...small, maxAgeDays: ageMs / 86_400_000 } });
  const begun = performance.now();
  const first = await large(rig);
  assert.equal(first.outcome, 'ok');
  const [oldest] = await readAudit(rig.broker.url);
  assert.equal((await fillStream(rig)).reason, 'audit_unavailable');
  t.diagnostic(`full after ${Math.round(performance.now() - begun)} ms`);
  if (performance.now() - begun < ageMs * 0.8) {
    const ids = (await readAudit(rig.broker.url)).map(({ id }) => id);
    assert.ok(oldest !== undefined && ids.includes(oldest.id), 'discard: new');
  }
  await healed(rig, 60_000);
  t.diagnostic(`calls again after ${Math.round(performance.now() - begun)} ms`);
  const now = await readAudit(rig.broker.url);
  assert.ok(!now.some(({ id }) => id === oldest?.id), 'it has reached its age');
  assert.equal((await readiness(rig)).status, 200);
  assert.ok(!rig.ingress.logs.some((line) => line.includes('"alarm":"audit_gap"')), 'an end by age is no loss');
  const verdict = await verify(rig);
  assert.equal(verdict.code, 0, verdict.stdout);
});
