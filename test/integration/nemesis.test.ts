import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runNemesis } from '../chaos/nemesis/run.ts';
import { verifies } from '../requirements.ts';

const seed = Number(process.env['NEMESIS_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

test('nemesis - ten seconds of ingresses killed, with a dozen agents of each era', async (t) => {
  verifies('session:nemesis', 'session:resume', 'notice:everywhere');
  t.diagnostic(`NEMESIS_SEED=${seed}`);
  const report = await runNemesis({
    seed,
    seconds: 10,
    killEveryMs: 1_500,
    legacyAgents: 12,
    modernAgents: 12,
    thinkMs: [300, 1_200],
  });
  t.diagnostic(JSON.stringify({ ...report, violations: report.violations.length }));
  assert.deepEqual(report.violations, []);
  assert.ok(report.kills >= 2, `only ${report.kills} kills`);
  assert.ok((report.counts['ok'] ?? 0) >= 20, 'most calls are answered all the same');
});
