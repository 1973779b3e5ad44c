import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Entry } from '../fixtures/scripted/journal.ts';
import { type CallRecord, judge } from './oracle.ts';

const record = (fields: Partial<CallRecord>): CallRecord => ({
  id: 'a',
  startedAt: 0,
  endedAt: 10,
  status: 200,
  responses: 1,
  outcome: 'ok',
  text: 'a by 1',
  ...fields,
});
const refused = record({ outcome: 'error', status: 503, text: '', reason: 'no_worker', executed: 'no' });
const entries = (...whats: Entry['what'][]): Entry[] => whats.map((what) => ({ what, id: 'a', pid: 1 }));
const options = { timeoutMs: 1_000, slackMs: 0 };

test('oracle - finds nothing where every promise was kept', () => {
  assert.deepEqual(judge([record({})], entries('start', 'effect'), options), []);
  assert.deepEqual(judge([refused], [], options), []);
  const lost = record({ outcome: 'error', text: '', reason: 'upstream_lost', executed: 'unknown', endedAt: 4_900 });
  assert.deepEqual(judge([lost], entries('start'), options), []);
  assert.deepEqual(judge([lost], entries('start', 'effect'), options), []);
});

test('oracle - names each broken promise', () => {
  const cases: [CallRecord, Entry[], RegExp][] = [
    [record({}), entries('start', 'effect', 'start', 'effect'), /2 effects/],
    [record({}), entries('start'), /OK with 0 effects/],
    [record({ text: 'b by 1' }), entries('start', 'effect'), /got the answer "b by 1"/],
    [record({ responses: 2 }), entries('start', 'effect'), /answered 2 times/],
    [record({ endedAt: 1_600 }), entries('start', 'effect'), /took 1600 ms/],
    [refused, entries('start'), /executed "no", but it ran/],
    [record({ outcome: 'error', text: '' }), [], /without saying/],
  ];
  for (const [call, journal, expected] of cases) assert.match(judge([call], journal, options).join('\n'), expected);
});
