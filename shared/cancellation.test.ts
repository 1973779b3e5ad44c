import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCancellation } from './cancellation.ts';

test('cancellation - tells every listener once, with the first reason', () => {
  const { signal, abort } = bound();
  let told = 0;
  const listener = () => {
    told += 1;
  };
  signal.addEventListener('abort', listener, { once: true });
  signal.addEventListener('abort', listener);
  const removed = () => assert.fail('it was removed');
  signal.addEventListener('abort', removed);
  signal.removeEventListener('abort', removed);
  assert.equal(signal.aborted, false);
  abort('first');
  abort('second');
  assert.equal(told, 1);
  assert.equal(signal.aborted, true);
  assert.equal(signal.reason, 'first');
});

test("cancellation - without a reason it has the platform's", () => {
  const { signal, abort } = bound();
  abort();
  assert.equal((signal.reason as Error).name, 'AbortError');
});

test('cancellation - a listener may remove another one while they are told', () => {
  const { signal, abort } = bound();
  let told = 0;
  const second = () => {
    told += 1;
  };
  signal.addEventListener('abort', () => signal.removeEventListener('abort', second));
  signal.addEventListener('abort', second);
  abort();
  assert.equal(told, 1);
});

function bound() {
  const cancellation = createCancellation();
  return { signal: cancellation.signal, abort: (reason?: unknown) => cancellation.abort(reason) };
}
