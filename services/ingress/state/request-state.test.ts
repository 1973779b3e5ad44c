import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createSealer } from '../../../shared/seal.ts';
import { openRequestState, type StatedRequest, sealRequestState } from './request-state.ts';
import { openTaskId, sealTaskId } from './task-id.ts';

const sealer = createSealer('a secret of the tests');
const request: StatedRequest = {
  principal: 'alice',
  method: 'tools/call',
  server: 'github',
  params: { name: 'merge', arguments: { pull: 7, options: { squash: true } } },
};
const state = { server: 'github', instance: 'one', park: 'p1', state: undefined };
const minute = 60_000;

test('request state - comes back as it was, the upstream’s own byte for byte', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.option(fc.string(), { nil: undefined }), (own, park) => {
      const sealed = { server: 'github', instance: 'one', park, state: own };
      const text = sealRequestState(sealer, request, sealed, 0);
      assert.deepEqual(openRequestState(sealer, request, text, 0), sealed);
    }),
  );
});

test('request state - the retry may add answers, change _meta and write its members in another order', () => {
  const text = sealRequestState(sealer, request, state, 0);
  const retry = {
    ...request,
    params: {
      requestState: text,
      inputResponses: { q: { action: 'accept' } },
      _meta: { traceparent: 'x' },
      arguments: { options: { squash: true }, pull: 7 },
      name: 'merge',
    },
  };
  assert.deepEqual(openRequestState(sealer, retry, text, 0), state);
});

test('request state - belongs to one principal, method, server and set of params, and expires', () => {
  const text = sealRequestState(sealer, request, state, 0);
  const others: StatedRequest[] = [
    { ...request, principal: 'bob' },
    { ...request, method: 'prompts/get' },
    { ...request, server: 'gitlab' },
    { ...request, params: { ...request.params, name: 'delete' } },
    { ...request, params: { ...request.params, extra: 1 } },
  ];
  for (const other of others) assert.equal(openRequestState(sealer, other, text, 0), undefined, JSON.stringify(other));
  assert.ok(openRequestState(sealer, request, text, 9 * minute));
  assert.equal(openRequestState(sealer, request, text, 11 * minute), undefined);
});

test('request state - is refused after any change', () => {
  const text = sealRequestState(sealer, request, state, 0);
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.constantFrom('A', 'b', '9', '_', '.'), (at, other) => {
      const changed = text.slice(0, at) + other + text.slice(at + 1);
      fc.pre(changed !== text);
      assert.equal(openRequestState(sealer, request, changed, 0), undefined);
    }),
  );
});

test('task id - names server, worker and task to its own principal only', () => {
  const task = { server: 'github', instance: 'one', id: 'task-1' };
  const text = sealTaskId(sealer, 'alice', task);
  assert.deepEqual(openTaskId(sealer, 'alice', text), task);
  assert.equal(openTaskId(sealer, 'bob', text), undefined);
  assert.equal(openTaskId(sealer, 'alice', 'task-1'), undefined);
  assert.equal(openTaskId(sealer, 'alice', sealRequestState(sealer, request, state, 0)), undefined);
});
