import assert from 'node:assert/strict';
import { test } from 'node:test';
import { verifies } from '../requirements.ts';
import { runNemesis } from './nemesis/run.ts';

/** `NEMESIS_SEED` repeats a run, as far as a cluster of processes can be repeated; `NEMESIS_AGENTS` is how many there are of each era. */
const seed = Number(process.env['NEMESIS_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const agents = Number(process.env['NEMESIS_AGENTS'] ?? 200);

test('nemesis - a minute of one ingress killed every second, with 200 agents of each era', async (t) => {
  verifies('session:nemesis');
  t.diagnostic(`NEMESIS_SEED=${seed}`);
  const report = await runNemesis({
    seed,
    seconds: 60,
    killEveryMs: 1_000,
    legacyAgents: agents,
    modernAgents: agents,
    thinkMs: [2_000, 6_000],
  });
  t.diagnostic(JSON.stringify({ ...report, violations: report.violations.length }));
  assert.deepEqual(report.violations.slice(0, 50), []);
  assert.ok(report.kills >= 10, `only ${report.kills} kills`);
});
