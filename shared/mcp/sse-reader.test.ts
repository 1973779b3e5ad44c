import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSseReader } from './sse-reader.ts';

type Told = readonly ['event', type: string, data: string] | readonly ['id' | 'retry', string | number] | 'overflow';

function told(pieces: readonly (string | Buffer)[], limitBytes = 1_000): Told[] {
  const all: Told[] = [];
  const feed = createSseReader({
    limitBytes,
    onEvent: (type, data) => all.push(['event', type, data.toString()]),
    onId: (id) => all.push(['id', id]),
    onRetry: (retryMs) => all.push(['retry', retryMs]),
    onOverflow: () => all.push('overflow'),
  });
  for (const piece of pieces) feed(Buffer.from(piece));
  return all;
}

const stream = '\ufeff: hello\nid: 7\nevent: endpoint\ndata: one\ndata:two\nretry: 250\n\ndata\n\nid: 8\n\n';

const whole: Told[] = [
  ['id', '7'],
  ['retry', 250],
  ['event', 'endpoint', 'one\ntwo'],
  ['event', 'message', ''],
  ['id', '8'],
];

test('sse reader - reads events, ids and retry times as the WHATWG describes them', () => {
  assert.deepEqual(told([stream]), whole);
  assert.deepEqual(told([stream.replaceAll('\n', '\r\n')]), whole);
});

test('sse reader - tells the same when every byte comes alone', () => {
  assert.deepEqual(told(Array.from(Buffer.from(stream), (byte) => Buffer.of(byte))), whole);
});

test('sse reader - ignores unknown fields, ids with NUL, retries that are no number, and an event that never ends', () => {
  assert.deepEqual(told(['x: 1\nid: a\0b\nretry: soon\nretry: 1e3\nretry: 99999999999\n\ndata: cut off\n']), []);
});

test('sse reader - an event beyond the limit is told once, in one line or in many, and nothing comes after it', () => {
  const rest = 'data: later\n\n';
  assert.deepEqual(told([`data: ${'x'.repeat(11)}\n\n`, rest], 10), ['overflow']);
  assert.deepEqual(told([`data: ${'x'.repeat(500)}`, `${'x'.repeat(500)}\n\n`, rest], 10), ['overflow']);
  assert.deepEqual(told(['data: 12345\n'.repeat(3), '\n', rest], 10), ['overflow']);
  assert.deepEqual(told(['data: 1234567890\n\n'], 10), [['event', 'message', '1234567890']]);
});
