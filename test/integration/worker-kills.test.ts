import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runWorkerKills } from '../chaos/worker-kills.ts';
import { verifies } from '../requirements.ts';

test('worker kills - 20 kills under 500 calls leave no process and no subscription, and no promise broken', async (t) => {
  verifies('bus:worker-killed', 'bus:no-double-execution');
  const report = await runWorkerKills({ calls: 500, kills: 20, agents: 12, workers: 4 });
  t.diagnostic(JSON.stringify(report));
  assert.deepEqual(report.violations, []);
  assert.deepEqual(report.subscriptions[1], report.subscriptions[0]);
  assert.ok(
    report.slowestLossMs < 3_500 + report.longestStallMs,
    `a lost call was answered ${report.slowestLossMs} ms after the kill`,
  );
});
