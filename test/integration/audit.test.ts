import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync, readSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import type { AuditRecord } from '../../shared/audit/record.ts';
import { connectBus } from '../../shared/bus/connect.ts';
import { createLogger } from '../../shared/log.ts';
import { auditCommand, fillStream, readiness, smallStream, verify } from '../chaos/audit-checks.ts';
import { judgeAudit, readAudit } from '../chaos/audit-oracle.ts';
import { openRig, type Rig } from '../chaos/rig.ts';
import { healed, tookMs } from '../chaos/settle.ts';
import { callTool } from '../helpers/rpc.ts';
import { startIngress } from '../helpers/toolbus.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

const stream = 'TOOLBUS_AUDIT_default';

async function assertAudited(rig: Rig): Promise<AuditRecord[]> {
  const audit = await readAudit(rig.broker.url);
  assert.deepEqual(judgeAudit(audit, rig.records, rig.journal()), []);
  assert.deepEqual(rig.violations(), []);
  return audit;
}

const kindsOf = (audit: readonly AuditRecord[], kind: AuditRecord['kind']) =>
  audit.filter((each) => each.kind === kind);

test('audit - a call has an intent and an outcome with all that is known of it', async () => {
  verifies('audit:two-phases');
  await using rig = await openRig({ audit: { tools: { scripted__peek: { results: 'full' } } } });
  const answered = await rig.call({ delayMs: 20 });
  assert.equal(answered.outcome, 'ok');
  await assertAudited(rig);
  await rig.call({ isError: true, padding: 'x'.repeat(70_000) });
  const audit = await readAudit(rig.broker.url);
  const [intent, second] = kindsOf(audit, 'intent');
  const [outcome, failed] = kindsOf(audit, 'outcome');
  assert.ok(intent?.kind === 'intent' && outcome?.kind === 'outcome');
  assert.ok(audit.indexOf(intent) < audit.indexOf(outcome));
  assert.deepEqual(
    [intent.agent, intent.auth, intent.address, intent.server, intent.tool, intent.decision],
    ['tester', 'key', '127.0.0.1', 'scripted', 'run', 'allowed'],
  );
  assert.match(intent.catalog ?? '', /^[0-9a-f]{16}$/);
  assert.deepEqual(intent.arguments, { mode: 'plain', bytes: 24, value: { delayMs: 20, id: 'n1' } });
  assert.equal(outcome.call, intent.call);
  assert.deepEqual([outcome.outcome, outcome.executed], ['ok', 'yes']);
  assert.match(outcome.instance ?? '', /^[A-Z0-9]{10}$/);
  assert.match(outcome.result?.sha256 ?? '', /^[0-9a-f]{64}$/);
  assert.ok(outcome.timing.total >= outcome.timing.gateway && outcome.timing.upstream > 0);
  assert.ok(second?.kind === 'intent' && second.arguments.mode === 'digest', 'large arguments are a digest');
  assert.ok(failed?.kind === 'outcome' && failed.outcome === 'tool_error');
});

test('audit - refusals are recorded, and what comes without a key is counted', async () => {
  verifies('audit:two-phases', 'audit:bounded-refusals');
  await using rig = await openRig();
  const url = rig.ingress.ready.mcp;
  await Promise.all(Array.from({ length: 200 }, () => callTool(url, 'scripted__run', {}, { key: 'tb_wrong' })));
  await rig.call({});
  const { answer } = await rig.ask({ password: 'canary-1' }, { tool: 'scripted__nothing' });
  assert.equal(answer?.response?.error?.code, -32602);
  const audit = await until('the refusals are recorded', async () => {
    const found = await readAudit(rig.broker.url);
    const counted = kindsOf(found, 'refusal').reduce(
      (sum, each) => sum + (each.kind === 'refusal' ? each.count : 0),
      0,
    );
    return counted >= 201 ? found : undefined;
  });
  const refusals = audit.flatMap((each) => (each.kind === 'refusal' ? [each] : []));
  const door = refusals.filter(({ reason }) => reason === 'unauthenticated');
  assert.ok(door.length < 20, `${door.length} records of 200 requests without a key`);
  assert.equal(
    door.reduce((sum, { count }) => sum + count, 0),
    200,
  );
  assert.equal(door[0]?.address, '127.0.0.1');
  const tool = refusals.find(({ reason }) => reason === 'unknown_tool');
  assert.equal(tool?.agent, 'tester');
  assert.equal(tool?.target, 'scripted__nothing');
  assert.doesNotMatch(JSON.stringify(audit), /canary-1/);
});

test('audit - a full stream refuses calls at once, keeps the outcomes on the disk and takes them when there is room', async (t) => {
  verifies('audit:fail-closed', 'audit:outcome-kept', 'audit:stream-guarded');
  await using rig = await openRig({ timeoutMs: 120_000, audit: smallStream });
  const slow = rig.holdCall();
  await until('the slow call runs', () => rig.journal().length > 0);
  const refused = await fillStream(rig);
  assert.deepEqual([refused.reason, refused.executed, refused.status], ['audit_unavailable', 'no', 503]);
  const again = await rig.call({});
  assert.equal(again.reason, 'audit_unavailable');
  t.diagnostic(`refused after ${Math.round(tookMs(again))} ms`);
  assert.ok(tookMs(again) < 1_000);
  assert.match((await readiness(rig)).audit, /maximum bytes|10077/);
  assert.equal((await readiness(rig)).status, 503);
  assert.ok(rig.ingress.logs.some((line) => line.includes('audit_unavailable')));

  slow.release();
  assert.equal((await slow.record).outcome, 'ok', 'its outcome is on the disk');
  const missing = kindsOf(await readAudit(rig.broker.url), 'outcome').length;
  rig.ingress.writeConfig({ ...rig.config, audit: { ...smallStream, maxBytes: 8_388_608 } });
  await healed(rig, 20_000);
  await until('the outcome is in the stream', async () => {
    const outcomes = kindsOf(await readAudit(rig.broker.url), 'outcome');
    return (
      outcomes.length >= missing + 2 &&
      judgeAudit(await readAudit(rig.broker.url), rig.records, rig.journal()).length === 0
    );
  });
  const audit = await assertAudited(rig);
  assert.ok(audit.some((each) => each.kind === 'event' && each.event === 'audit_gap'));
  await until('nothing is left on the disk', () =>
    readdirSync(auditDir(rig)).every((name) => !name.endsWith('.ndjson')),
  );
  assert.equal((await verify(rig)).code, 0);
});

test('audit - a tool that ran and can be recorded nowhere says so', async () => {
  verifies('audit:outcome-kept');
  await using rig = await openRig({ timeoutMs: 120_000, audit: smallStream });
  await rig.call({});
  // A file where the directory should be: not even root can write into it.
  rmSync(auditDir(rig), { recursive: true, force: true });
  writeFileSync(auditDir(rig), '');
  const slow = rig.holdCall();
  await until('the slow call runs', () => rig.journal().filter(({ what }) => what === 'start').length === 2);
  await fillStream(rig);
  slow.release();
  const lost = await slow.record;
  assert.deepEqual([lost.reason, lost.executed], ['audit_outcome_lost', 'yes']);
  assert.equal((await rig.call({})).reason, 'audit_unavailable');
});

test('audit - while nats-server stands still calls are refused in time, and none of them runs later', async (t) => {
  verifies('audit:fail-closed');
  await using rig = await openRig({ timeoutMs: 20_000 });
  await rig.call({});
  rig.broker.signal('SIGSTOP');
  const refused = await Promise.all(Array.from({ length: 5 }, () => rig.call({})));
  await delay(300);
  const known = await rig.call({});
  rig.broker.signal('SIGCONT');
  for (const { executed, reason } of [...refused, known]) {
    assert.equal(executed, 'no');
    assert.ok(reason === 'audit_unavailable' || reason === 'broker_unavailable', reason);
  }
  for (const record of refused) assert.ok(tookMs(record) < 2_000, `${tookMs(record)} ms`);
  t.diagnostic(`once it is known: ${known.reason} after ${Math.round(tookMs(known))} ms`);
  await healed(rig, 20_000);
  await delay(1_000);
  const audit = await assertAudited(rig);
  const calls = new Set(kindsOf(audit, 'outcome').map((each) => (each.kind === 'outcome' ? each.call : '')));
  for (const intent of kindsOf(audit, 'intent')) {
    assert.ok(intent.kind === 'intent' && calls.has(intent.call), 'an intent that came too late is closed');
  }
});

test('audit - a stream that was deleted is an alarm, is not made anew, and an operator decides', async () => {
  verifies('audit:stream-guarded', 'audit:tamper-evident');
  await using rig = await openRig({ audit: { checkpoints: { everyMs: 1_000 } } });
  for (let n = 0; n < 5; n += 1) await rig.call({});
  await until('a checkpoint is written', async () => /[1-9]\d* checkpoints/.test((await verify(rig)).stdout));
  const nc = await connectBus({ url: rig.broker.url, name: 'vandal', log: createLogger('silent', 'test') });
  const jsm = await jetstreamManager(nc);
  try {
    await assert.rejects(jsm.streams.purge(stream), /purge not permitted|not permitted/);
    await assert.rejects(jsm.streams.deleteMessage(stream, 1), /not permitted/);
    await jsm.streams.delete(stream);
    await until('calls are refused', async () => (await rig.call({})).reason === 'audit_unavailable');
    await until('readiness says why', async () => /deleted/.test((await readiness(rig)).audit));
    await delay(3_000);
    assert.equal((await rig.call({})).reason, 'audit_unavailable');
    await assert.rejects(jsm.streams.info(stream), /not found/);
    assert.ok(rig.ingress.logs.some((line) => line.includes('audit_gap')));
    const found = await verify(rig);
    assert.equal(found.code, 6);
    assert.match(found.stdout, /BAD: .*TOOLBUS_AUDIT_default/);

    const accepted = await auditCommand(rig, 'accept-loss');
    assert.equal(accepted.code, 0, accepted.stderr);
    await healed(rig, 20_000);
    const after = await verify(rig);
    assert.equal(after.code, 0, after.stdout);
    assert.match(after.stdout, /accepted a loss/);
  } finally {
    await nc.close();
  }
});

test('audit - one changed byte on the disk of nats-server is found and named', async () => {
  verifies('audit:tamper-evident');
  await using rig = await openRig({ audit: { checkpoints: { everyMs: 1_000 } } });
  for (let n = 0; n < 40; n += 1) await rig.call({});
  await until('all is covered', async () => !(await verify(rig)).stdout.includes('not covered'));
  assert.equal((await verify(rig)).code, 0);
  await rig.broker.kill();
  flipByte(join(rig.broker.dir, 'jetstream', '$G', 'streams', stream, 'msgs'));
  await rig.broker.restart();
  const found = await verify(rig, '--json');
  assert.equal(found.code, 6, found.stdout);
  // The ingress that goes on writing notices, or one that starts: whichever looks before new records hide the hole's end.
  await using next = await startIngress(rig.broker.url, { config: rig.config });
  const logs = () => [...rig.ingress.logs, ...next.logs];
  await until('the alarm is raised', () => logs().some((line) => line.includes('audit_gap')));
  const { findings } = JSON.parse(found.stdout) as { findings: ReadonlyArray<{ writer?: string; seq?: number }> };
  assert.match(findings[0]?.writer ?? '', /^[A-Z0-9]{10}$/);
  assert.ok((findings[0]?.seq ?? 0) > 1);
});

test('audit - a NATS that lost everything is noticed by an ingress that knew it', async () => {
  verifies('audit:stream-guarded');
  await using rig = await openRig();
  await rig.call({});
  await rig.broker.kill();
  rmSync(join(rig.broker.dir, 'jetstream'), { recursive: true, force: true });
  await rig.broker.restart();
  await until('readiness says why', async () => /lost|deleted/.test((await readiness(rig)).audit), 30_000);
  assert.equal((await readiness(rig)).status, 503);
});

function auditDir(rig: Rig): string {
  return join(rig.ingress.dir, '.toolbus', 'audit');
}

/** In the middle of the largest block. */
function flipByte(dir: string): void {
  const blocks = readdirSync(dir).filter((name) => name.endsWith('.blk'));
  const sized = blocks.map((name) => ({ name, size: statSync(join(dir, name)).size }));
  const [largest] = sized.sort((x, y) => y.size - x.size);
  assert.ok(largest !== undefined && largest.size > 2_000);
  const descriptor = openSync(join(dir, largest.name), 'r+');
  const at = Math.floor(largest.size / 2);
  const byte = Buffer.alloc(1);
  readSync(descriptor, byte, 0, 1, at);
  byte[0] = (byte[0] ?? 0) ^ 0x01;
  writeSync(descriptor, byte, 0, 1, at);
  closeSync(descriptor);
}
