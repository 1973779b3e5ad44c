import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Call } from '../../../shared/mcp/call.ts';
import type { EraVerdict } from './era-verdict.ts';
import { callOf, modernAgent, nodeArgs, openTestUpstream, run, textOf } from './testing/harness.ts';

const raw = (mode: string, more = {}) => ({
  command: process.execPath,
  args: nodeArgs('raw-stdio.ts', mode),
  era: 'legacy',
  ...more,
});
const timeout = 60_000;

test('stdio - garbage, forged ids and second answers are dropped', { timeout }, async () => {
  await using opened = await openTestUpstream(raw('honest'));
  const { tools } = await opened.manifest();
  assert.deepEqual(tools, [{ name: 'a', inputSchema: {} }]);
  await opened.state('ready');
  assert.equal(textOf((await run(opened.upstream, callOf('garbage'))).answer), 'ok');
  assert.equal(textOf((await run(opened.upstream, callOf('twice'))).answer), 'first');
  assert.equal(textOf((await run(opened.upstream, callOf('plain'))).answer), 'ok');
});

test('stdio - a line beyond the limit fails the call and starts the child again', { timeout }, async () => {
  await using opened = await openTestUpstream(raw('honest'));
  await opened.state('ready');
  await assert.rejects(run(opened.upstream, callOf('huge')), { reason: 'bad_upstream_output' });
  await opened.state('ready', 2);
  assert.equal(opened.upstream.restarts, 1);
  assert.equal(textOf((await run(opened.upstream, callOf('plain'))).answer), 'ok');
});

test('stdio - a partial line is never an answer, a last line is', { timeout }, async () => {
  await using opened = await openTestUpstream(raw('honest'));
  await opened.state('ready');
  await assert.rejects(run(opened.upstream, callOf('partial')), { reason: 'upstream_lost', executed: 'unknown' });
  await opened.state('ready', 2);
  assert.equal(textOf((await run(opened.upstream, callOf('answer-and-exit'))).answer), 'bye');
});

test(
  'stdio - a server that ends over an unknown request gets the legacy handshake, and the verdict is kept',
  { timeout },
  async () => {
    const verdicts: (EraVerdict | undefined)[] = [];
    const eraCache = { get: () => undefined, set: (verdict: EraVerdict | undefined) => void verdicts.push(verdict) };
    await using opened = await openTestUpstream(raw('exits-on-unknown', { era: 'auto' }), { eraCache });
    const manifest = await opened.manifest();
    assert.deepEqual(manifest.eras, ['legacy']);
    assert.equal(manifest.protocolVersion, '2025-06-18');
    await opened.state('ready');
    assert.deepEqual(
      opened.states.map(({ state }) => state),
      ['ready'],
    );
    assert.deepEqual(
      verdicts.map((verdict) => verdict?.eras),
      [['legacy']],
    );
  },
);

test('stdio - a server that never answers an unknown request is legacy', { timeout }, async () => {
  await using opened = await openTestUpstream(raw('silent-on-unknown', { era: 'auto' }));
  assert.deepEqual((await opened.manifest()).eras, ['legacy']);
});

test('stdio - a kept verdict saves the probe', { timeout }, async () => {
  const verdict: EraVerdict = { eras: ['legacy'], transport: 'stdio', at: Date.now() };
  const eraCache = { get: () => verdict, set() {} };
  await using opened = await openTestUpstream(raw('exits-on-unknown', { era: 'auto' }), { eraCache });
  await opened.state('ready');
  assert.equal(opened.upstream.restarts, 0);
});

test('stdio - a crash loop is told with what the child said last, cleaned', { timeout }, async () => {
  const script = String.raw`process.stderr.write('\u001b[31mhello\u0007 from stderr\n'); process.exit(9)`;
  await using opened = await openTestUpstream({ command: process.execPath, args: ['-e', script], era: 'legacy' });
  const looping = await opened.until(() =>
    opened.states.find((state) => state.state === 'down' && state.hint?.includes('within a minute')),
  );
  assert.ok(looping.state === 'down');
  assert.match(looping.error, /exit code 9.*hello from stderr$/);
  assert.doesNotMatch(looping.error, /[\x00-\x1f]/);
  await assert.rejects(run(opened.upstream, callOf('plain')), { reason: 'no_worker', executed: 'no' });
});

test('stdio - a command that does not exist is told, and nothing is thrown', { timeout }, async () => {
  await using opened = await openTestUpstream({ command: 'no-such-command-at-all' });
  const down = await opened.state('down');
  assert.ok(down.state === 'down' && down.error.includes('no-such-command-at-all'));
  await assert.rejects(run(opened.upstream, callOf('plain')), { reason: 'no_worker' });
});

test('stdio - a cursor that comes again ends the list', { timeout }, async () => {
  await using opened = await openTestUpstream(raw('same-cursor'));
  assert.deepEqual((await opened.manifest()).tools, [{ name: 'a' }]);
});

test('stdio - a question belongs to the call that is left when the others have ended', { timeout }, async () => {
  await using opened = await openTestUpstream(raw('honest'));
  await opened.state('ready');
  const { upstream } = opened;
  await run(upstream, callOf('slow'));
  const other = run(upstream, callOf('slow', { principal: { id: 'other', method: 'key' } }));
  const asking = callOf('ask');
  const held = await run(upstream, asking);
  assert.equal(textOf((await other).answer), 'ok');
  assert.ok(held.answer.kind === 'result' && held.answer.park);
  assert.equal(upstream.held, 1);
  const inputResponses = { q1: { action: 'accept' } };
  const { answer } = await run(upstream, {
    ...asking,
    params: { ...asking.params, inputResponses },
    park: held.answer.park,
  });
  assert.equal(textOf(answer), '{"action":"accept"}');
  assert.equal(upstream.held, 0);
});

test(
  'stdio - a question that may be of a call that was given up is refused, and then one asks at a time',
  { timeout },
  async () => {
    await using opened = await openTestUpstream(raw('honest'));
    await opened.state('ready');
    const { upstream } = opened;
    await run(upstream, callOf('slow'));
    const hanging = new AbortController();
    // As an agent that nobody can ask, so that the other one need not wait for it.
    const first = run(upstream, callOf('hang', { agent: { ...modernAgent, capabilities: {} } }), hanging.signal);
    const second = run(upstream, callOf('ask'));
    await new Promise((resolve) => setTimeout(resolve, 100));
    hanging.abort();
    await assert.rejects(first);
    assert.equal(textOf((await second).answer), 'refused: the question belongs to no call');

    const holding = callOf('ask');
    const held = await run(upstream, holding);
    assert.ok(held.answer.kind === 'result' && held.answer.park);
    assert.equal(upstream.admits(callOf('ask')), false, 'one that asks at a time');
    assert.equal(textOf((await run(upstream, callOf('slow'))).answer), 'ok', 'what never asks goes on');
    // Nobody answers yet: after a moment the next one may ask, and each question has its own call.
    const other = callOf('ask', { principal: { id: 'other', method: 'key' } });
    const next = await run(upstream, other);
    assert.ok(next.answer.kind === 'result' && next.answer.park);
    const answer = (call: Call, park: string, action: string) =>
      run(upstream, { ...call, params: { ...call.params, inputResponses: { q1: { action } } }, park });
    assert.equal(textOf((await answer(other, next.answer.park, 'cancel')).answer), '{"action":"cancel"}');
    assert.equal(textOf((await answer(holding, held.answer.park, 'decline')).answer), '{"action":"decline"}');
  },
);

test('stdio - what a call asks that was just given up reaches no other agent', { timeout }, async () => {
  await using opened = await openTestUpstream(raw('honest'));
  await opened.state('ready');
  const { upstream } = opened;
  await run(upstream, callOf('slow'));
  const leaving = new AbortController();
  const first = run(upstream, callOf('asks-late'), leaving.signal);
  const other = run(upstream, callOf('slow', { principal: { id: 'other', method: 'key' } }));
  leaving.abort();
  await assert.rejects(first);
  assert.equal(textOf((await other).answer), 'ok');
  const held = await run(upstream, callOf('ask'));
  assert.ok(held.answer.kind === 'result' && held.answer.park, 'a later question is asked as ever');
});

test(
  'stdio - a tool that was never called waits a moment for another such one, a known one does not',
  { timeout },
  async () => {
    await using opened = await openTestUpstream(raw('honest'));
    await opened.state('ready');
    const { upstream } = opened;
    await run(upstream, callOf('known'));
    const hanging = new AbortController();
    const unknown = run(upstream, callOf('hang'), hanging.signal);
    assert.equal(upstream.admits(callOf('known')), true);
    assert.equal(upstream.admits(callOf('new')), false);
    assert.equal(upstream.admits(callOf('new', { agent: { ...modernAgent, capabilities: {} } })), true);
    assert.equal(
      textOf((await run(upstream, callOf('new'))).answer),
      'ok',
      'a long first call holds nobody up for ever',
    );
    hanging.abort();
    await assert.rejects(unknown);
  },
);

test('stdio - a held call whose server died is lost for its agent, not unknown', { timeout }, async () => {
  await using opened = await openTestUpstream(raw('honest'));
  await opened.state('ready');
  const { upstream, states } = opened;
  const seen = states.length;
  const asking = callOf('ask-and-exit');
  const held = await run(upstream, asking);
  assert.ok(held.answer.kind === 'result');
  const { park } = held.answer;
  await opened.state('ready', seen);
  assert.equal(upstream.held, 0, 'the slot is free');
  const retry = { ...asking, params: { ...asking.params, inputResponses: { q1: { action: 'accept' } } }, park };
  await assert.rejects(run(upstream, retry), { reason: 'upstream_lost', executed: 'unknown' });
});

test('stdio - a held call without an answer asks again, and ends when its time is over', { timeout }, async () => {
  await using opened = await openTestUpstream(raw('honest'));
  await opened.state('ready');
  const holding = callOf('ask', { timeoutMs: 300 });
  const held = await run(opened.upstream, holding);
  assert.ok(held.answer.kind === 'result');
  const { park } = held.answer;
  const again = await run(opened.upstream, { ...holding, params: { ...holding.params, inputResponses: {} }, park });
  assert.ok(again.answer.kind === 'result');
  assert.equal(again.answer.resultType, 'input_required');
  // A name is good for one answer.
  assert.notEqual(again.answer.park, park);
  const replayed = await run(opened.upstream, { ...holding, park });
  assert.equal(replayed.answer.kind === 'error' && replayed.answer.error.code, -32602);
  await opened.until(() => (opened.upstream.held === 1 ? true : undefined));
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal(opened.upstream.held, 0);
  const late = await run(opened.upstream, { ...holding, park: again.answer.park });
  assert.equal(late.answer.kind === 'error' && late.answer.error.code, -32602);
});
