import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { openMachineClock, parseMachineTime, stolenShare } from './steal.ts';

const line = (user: number, idle: number, stolen: number): string =>
  `cpu  ${user} 10 20 ${idle} 5 1 2 ${stolen} 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\nintr 1\n`;

test('steal - is read from the line of all CPUs; idle, iowait and guest are not busy', () => {
  assert.deepEqual(parseMachineTime(line(100, 999, 40)), { busy: 133, stolen: 40 });
  assert.deepEqual(parseMachineTime('cpu  1 0 0 0 0 0 0 7 1 0'), { busy: 1, stolen: 7 });
});

test('steal - counts against the time that was asked for, not against idle time', () => {
  const before = parseMachineTime(line(100, 1000, 40));
  assert.equal(stolenShare(before, parseMachineTime(line(160, 9000, 80))), 0.4);
  assert.equal(stolenShare(before, parseMachineTime(line(160, 1000, 80))), 0.4);
});

test('steal - is none where nothing ran, and where the counter went back', () => {
  const before = parseMachineTime(line(100, 0, 40));
  assert.equal(stolenShare(before, before), 0);
  assert.equal(stolenShare(before, parseMachineTime(line(150, 0, 39))), 0);
});

test('steal - reads this machine', { skip: process.platform !== 'linux' }, () => {
  const before = parseMachineTime(readFileSync('/proc/stat', 'latin1'));
  const until = performance.now() + 100;
  while (performance.now() < until);
  const after = openMachineClock()?.();
  assert.ok(after !== undefined && after.busy + after.stolen > before.busy + before.stolen);
});
