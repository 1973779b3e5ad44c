import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runWorkerKills } from './worker-kills.ts';

/** V8 takes what it is given before it collects: up to this much more than early in the run is not growth. */
const flat = { share: 1.2, mib: 20 };

test('worker kills - 500 kills under 10,000 calls leave no process, no subscription and no memory behind', async (t) => {
  const report = await runWorkerKills({ calls: 10_000, kills: 500, agents: 16, workers: 4 });
  t.diagnostic(JSON.stringify(report));
  assert.deepEqual(report.violations, []);
  assert.deepEqual(report.subscriptions[1], report.subscriptions[0]);
  assert.ok(
    report.slowestLossMs < 3_500 + report.longestStallMs,
    `a lost call was answered ${report.slowestLossMs} ms after the kill`,
  );
  const [early, late] = report.ingressMiB;
  assert.ok(late <= Math.max(early * flat.share, early + flat.mib), `the ingress grew from ${early} to ${late} MiB`);
});
