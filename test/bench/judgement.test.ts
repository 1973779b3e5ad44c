import assert from 'node:assert/strict';
import { test } from 'node:test';
import { budgets, judge } from './budgets.ts';
import { regressions } from './compare.ts';
import { createRecorder, type Results, resultsFormat } from './results.ts';
import { type TargetName, targetNames } from './targets/target.ts';

/** A single number is a metric of one turn; several are its turns. */
type Values = Partial<Record<TargetName, Readonly<Record<string, number | readonly number[]>>>>;

function resultsOf(values: Values): Results {
  const recorder = createRecorder();
  for (const target of targetNames) {
    for (const [metric, given] of Object.entries(values[target] ?? {})) {
      const turns = typeof given === 'number' ? [given] : given;
      for (const [index, value] of turns.entries()) recorder.record(target, metric, `1.${index + 1}`, value);
    }
  }
  const machine = { cpu: '', cores: 2, memoryGiB: 1, kernel: '', node: '', nats: '', commit: '', loadBefore: 0 };
  return {
    format: resultsFormat,
    date: '',
    quick: false,
    rounds: 1,
    era: 'legacy',
    machine,
    disturbance: { windows: 0, repeated: 0, disturbed: 0 },
    figures: recorder.figures(),
    faults: [],
  };
}

/** The verdicts on what was measured. */
const verdicts = (values: Values) => judge(resultsOf(values)).filter(({ outcome }) => outcome !== 'not measured');

test('budgets - a run without toolbus measures none of them', () => {
  assert.deepEqual(verdicts({ direct: { 'c1.p50': 0.1 }, floor: { 'c1.p50': 0.7 } }), []);
  assert.equal(judge(resultsOf({})).length, budgets.length);
});

test('budgets - latency is judged by what is added to the direct call', () => {
  const verdict = (p50: number) =>
    verdicts({ direct: { 'c1.p50': 0.1 }, floor: { 'c1.p50': 0.6 }, toolbus: { 'c1.p50': p50 } })[0];
  assert.equal(verdict(0.79)?.outcome, 'pass');
  assert.equal(verdict(0.81)?.outcome, 'fail');
  assert.ok(Math.abs((verdict(0.81)?.measured?.median ?? 0) - 1.42) < 1e-9);
});

test('budgets - throughput must reach its limit, not stay below it', () => {
  const rps = (value: number) => verdicts({ floor: { 'c64.rps': 1000 }, toolbus: { 'c64.rps': value } })[0]?.outcome;
  assert.equal(rps(900), 'pass');
  assert.equal(rps(899), 'fail');
});

test('budgets - windows of the same turn are compared: turns in which all were slow decide nothing', () => {
  // Both lost nine tenths of the machine in two turns of five. The ratio of the medians would be 0.095.
  const floor = { 'c64.rps': [1000, 1000, 100, 100, 1000] };
  const toolbus = { 'c64.rps': [950, 94, 95, 95, 96] };
  const [verdict] = verdicts({ floor, toolbus });
  assert.equal(verdict?.measured?.pairs, 5);
  assert.equal(verdict?.measured?.median, 0.95);
  assert.equal(verdict?.measured?.low, 0.096);
  assert.equal(verdict?.outcome, 'pass');
});

test('budgets - a turn in which the floor was not measured is not made up for', () => {
  const recorder = createRecorder();
  recorder.record('floor', 'c64.rps', '1.2', 1000);
  recorder.record('toolbus', 'c64.rps', '1.1', 5000);
  assert.ok(judge({ figures: recorder.figures() }).every(({ outcome }) => outcome === 'not measured'));
  recorder.record('toolbus', 'c64.rps', '1.2', 500);
  const [verdict] = judge({ figures: recorder.figures() }).filter(({ outcome }) => outcome !== 'not measured');
  assert.equal(verdict?.measured?.median, 0.5);
});

test('budgets - audit may add so many milliseconds, by the differences of neighbouring windows', () => {
  const outcome = (toolbus: readonly number[]) =>
    verdicts({ toolbus: { 'c1.p50': toolbus }, unaudited: { 'c1.p50': [1, 5, 1] } })[0]?.outcome;
  assert.equal(outcome([1.3, 5.3, 9]), 'pass');
  assert.equal(outcome([1.4, 5.4, 1]), 'fail');
});

test('budgets - an fsync before every acknowledgement may cost a quarter of the throughput', () => {
  const rps = (value: number) => verdicts({ toolbus: { 'c64.rps': 1000 }, synced: { 'c64.rps': value } })[0]?.outcome;
  assert.equal(rps(750), 'pass');
  assert.equal(rps(749), 'fail');
});

test('budgets - a second worker is compared with one worker of the same turn', () => {
  const outcome = (two: readonly number[]) =>
    verdicts({ toolbus: { 'worker1.rps': [1000, 100, 1000], 'worker2.rps': two } })[0]?.outcome;
  assert.equal(outcome([1900, 190, 500]), 'pass');
  assert.equal(outcome([1700, 170, 2000]), 'fail');
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
