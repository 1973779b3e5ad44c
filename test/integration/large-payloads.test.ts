import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openRig } from '../chaos/rig.ts';
import { countedText } from '../fixtures/scripted/program.ts';
import { textOf } from '../helpers/rpc.ts';
import { verifies } from '../requirements.ts';

const mib = 1024 * 1024;

test('large payloads - results and arguments beyond one NATS message arrive unchanged, many at a time', async () => {
  verifies('call:large-result');
  // nats-server's own max_payload of 1 MiB.
  await using rig = await openRig({ workers: 1, timeoutMs: 20_000, limits: { bodyBytes: 4 * mib } });
  for (const size of [700_000, 3 * mib, 6 * mib]) {
    const { answer, record } = await rig.ask({ size });
    assert.equal(record.status, 200, record.message);
    assert.ok(answer !== undefined && textOf(answer) === countedText(size), `${size} characters came back otherwise`);
  }
  const many = await Promise.all(Array.from({ length: 4 }, () => rig.ask({ size: 2 * mib })));
  for (const { answer } of many) assert.ok(answer !== undefined && textOf(answer) === countedText(2 * mib));

  const padding = 'x'.repeat(2 * mib);
  const record = await rig.call({ padding });
  assert.equal(record.outcome, 'ok', record.message);
  assert.equal((await rig.call({ padding: padding + padding })).status, 413);
});
