import assert from 'node:assert/strict';
import { test } from 'node:test';
import { budgets, judge } from './budgets.ts';
import { regressions } from './compare.ts';
import { createRecorder, type Results } from './results.ts';
import { type TargetName, targetNames } from './targets/target.ts';

type Values = Partial<Record<TargetName, Readonly<Record<string, number>>>>;

function resultsOf(values: Values): Results {
  const recorder = createRecorder();
  for (const target of targetNames) {
    for (const [metric, value] of Object.entries(values[target] ?? {})) recorder.record(target, metric, value);
  }
  const machine = { cpu: '', cores: 2, memoryGiB: 1, kernel: '', node: '', nats: '', commit: '', loadBefore: 0 };
  return {
    format: 1,
    date: '',
    quick: false,
    rounds: 1,
    era: 'legacy',
    machine,
    figures: recorder.figures(),
    faults: [],
  };
}

const outcomes = (values: Values) => judge(resultsOf(values)).map(({ outcome }) => outcome);

test('budgets - a run without toolbus measures none of them', () => {
  const values = { direct: { 'c1.p50': 0.1 }, floor: { 'c1.p50': 0.7 } };
  assert.deepEqual(
    outcomes(values),
    budgets.map(() => 'not measured'),
  );
});

test('budgets - latency is judged by what is added to the direct call', () => {
  const verdict = (p50: number) =>
    judge(resultsOf({ direct: { 'c1.p50': 0.1 }, floor: { 'c1.p50': 0.6 }, toolbus: { 'c1.p50': p50 } }))[0];
  assert.equal(verdict(0.79)?.outcome, 'pass');
  assert.equal(verdict(0.81)?.outcome, 'fail');
  assert.ok(Math.abs((verdict(0.81)?.limit ?? 0) - 0.7) < 1e-9);
});

test('budgets - throughput must reach its limit, not stay below it', () => {
  const rps = (value: number) =>
    judge(resultsOf({ floor: { 'c64.rps': 1000 }, toolbus: { 'c64.rps': value } })).find(
      (verdict) => verdict.budget.bound === 'at least',
    )?.outcome;
  assert.equal(rps(900), 'pass');
  assert.equal(rps(899), 'fail');
});

test('budgets - an fsync before every acknowledgement may cost a quarter of the throughput', () => {
  const rps = (value: number) =>
    judge(resultsOf({ toolbus: { 'c64.rps': 1000 }, synced: { 'c64.rps': value } })).find(
      (verdict) => verdict.outcome !== 'not measured',
    )?.outcome;
  assert.equal(rps(750), 'pass');
  assert.equal(rps(749), 'fail');
});

test('comparison - flags what is more than a quarter worse, in the right direction', () => {
  const before = resultsOf({
    floor: { 'c64.rps': 1000 },
    toolbus: { 'c64.rps': 1000, 'c1.p50': 1, 'c64.cpu.ingress': 1 },
  });
  const faster = resultsOf({ toolbus: { 'c64.rps': 2000, 'c1.p50': 0.5 } });
  assert.deepEqual(regressions(faster, before), []);

  const slower = resultsOf({
    floor: { 'c64.rps': 990 },
    toolbus: { 'c64.rps': 500, 'c1.p50': 1.2, 'c64.cpu.ingress': 9 },
  });
  const [only, ...others] = regressions(slower, before);
  assert.deepEqual(others, []);
  assert.equal(only?.metric, 'c64.rps');
  assert.equal(only?.worse, 1);
  assert.ok((only?.floorWorse ?? 1) < 0.02);
});

test('comparison - a metric that only one run has is no regression', () => {
  assert.deepEqual(regressions(resultsOf({ toolbus: { 'c1.p50': 5 } }), resultsOf({ toolbus: { 'c1.p99': 1 } })), []);
});
