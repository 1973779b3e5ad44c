import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { type CpuReading, cpuSeconds, openUsage } from './usage.ts';

const reading = (coarseSeconds: number, threads: Readonly<Record<string, number>>): CpuReading => ({
  coarseSeconds,
  threads: new Map(Object.entries(threads)),
});

test('CPU - is the sum of the threads to the nanosecond, a new one from its start', () => {
  const before = reading(1, { 10: 1_000, 11: 500 });
  assert.equal(cpuSeconds(before, reading(1, { 10: 3_000, 11: 500, 12: 1_000_000 })), 1_002_000 / 1e9);
});

test('CPU - of a process whose thread ended is what the process counts as a whole', () => {
  const before = reading(1, { 10: 1_000, 11: 900_000_000 });
  assert.equal(cpuSeconds(before, reading(1.25, { 10: 2_000 })), 0.25);
});

test('CPU - holds what all threads of a process used', { skip: process.platform !== 'linux' }, async () => {
  const usage = openUsage();
  assert.ok(usage !== undefined);
  // A thread that works for 300 ms of CPU and stays, while this one waits.
  const source = `
    const { parentPort } = require('node:worker_threads');
    parentPort.on('message', () => {
      const until = process.cpuUsage().user + 300_000;
      while (process.cpuUsage().user < until);
      parentPort.postMessage('done');
    });
    parentPort.postMessage('ready');`;
  const worker = new Worker(source, { eval: true });
  const message = () => new Promise((resolve) => worker.once('message', resolve));
  await message();
  const before = usage.cpu(process.pid);
  const whole = process.cpuUsage();
  const done = message();
  worker.postMessage('work');
  await done;
  const { user, system } = process.cpuUsage(whole);
  const seconds = cpuSeconds(before, usage.cpu(process.pid));
  await worker.terminate();
  assert.ok(seconds > 0.25, `${seconds} s`);
  // Both count the same; the kernel tells the one a tick later than the other.
  assert.ok(Math.abs(seconds - (user + system) / 1e6) < 0.1, `${seconds} s and ${(user + system) / 1e6} s`);
});

test('CPU - of a process that is gone cannot be read', { skip: process.platform !== 'linux' }, () => {
  assert.throws(() => openUsage()?.cpu(2 ** 30), /ENOENT/);
});
