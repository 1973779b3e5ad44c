import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import { auditCommand, verify } from '../chaos/audit-checks.ts';
import { readAudit } from '../chaos/audit-oracle.ts';
import { openRig } from '../chaos/rig.ts';
import { verifies } from '../requirements.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

test('audit large - arguments and results above the limit are a digest and a size, which every command can read', async () => {
  verifies('audit:large', 'audit:show', 'audit:export', 'audit:replay');
  await using rig = await openRig({ audit: { results: 'full', inlineBytes: 1_024 } });
  const padding = 'x'.repeat(5_000);
  const { record, answer } = await rig.ask({ padding, size: 5_000 });
  assert.equal(record.outcome, 'ok');
  assert.equal((await rig.call({})).outcome, 'ok');

  const audit = await readAudit(rig.broker.url);
  const intent = audit.find(({ kind }) => kind === 'intent');
  assert.ok(intent?.kind === 'intent');
  const text = JSON.stringify({ padding, size: 5_000, id: record.id });
  assert.deepEqual(intent.arguments, { mode: 'digest', bytes: Buffer.byteLength(text), sha256: sha256(text) });
  const outcome = audit.find((each) => each.kind === 'outcome' && each.call === intent.call);
  assert.ok(outcome?.kind === 'outcome' && outcome.result !== undefined);
  assert.equal(outcome.result.value, undefined);
  assert.ok(outcome.result.bytes > 5_000);
  assert.match(outcome.result.sha256 ?? '', /^[0-9a-f]{64}$/);
  assert.ok(answer?.response?.result);

  const shown = await auditCommand(rig, 'show', intent.call);
  assert.equal(shown.code, 0, shown.stderr);
  assert.ok(shown.stdout.includes(`arguments: sha256 ${sha256(text)}, ${Buffer.byteLength(text)} bytes`));
  assert.ok(shown.stdout.includes(`${outcome.result.bytes} bytes, sha256 ${outcome.result.sha256}`));

  const file = join(rig.ingress.dir, 'export.ndjson');
  assert.equal((await auditCommand(rig, 'export', '--out', file)).code, 0);
  const checked = await verify(rig, '--file', file);
  assert.equal(checked.code, 0, checked.stdout);
  assert.equal((await verify(rig)).code, 0);

  const replayed = await auditCommand(rig, 'replay', '--all', '--json');
  assert.equal(replayed.code, 0, replayed.stderr);
  const { same, different, failed, skipped, reasons } = JSON.parse(replayed.stdout) as Record<string, unknown>;
  assert.deepEqual({ failed, skipped, reasons }, { failed: 0, skipped: 1, reasons: { 'arguments were not kept': 1 } });
  assert.equal(Number(same) + Number(different), 1);
});
