import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readJournal } from '../fixtures/scripted/journal.ts';
import { type Fixture, fixtureCommand, startFixture } from '../helpers/fixture.ts';
import { callTool, type RpcAnswer, textOf } from '../helpers/rpc.ts';
import { startToolbus, type Toolbus } from '../helpers/toolbus.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

const dir = mkdtempSync(join(tmpdir(), 'toolbus-upstreams-'));
const journal = join(dir, 'journal');
const fixtures: Fixture[] = [];
let toolbus: Toolbus;

before(async () => {
  for (let count = 0; count < 4; count += 1) fixtures.push(await startFixture('scripted-upstream'));
  const [http, first, second, killed] = fixtures.map(({ url }) => url);
  const stdio = { ...fixtureCommand('scripted-upstream', ['--stdio']), env: { JOURNAL: journal, COLOR: 'blue' } };
  toolbus = await startToolbus({
    config: {
      servers: {
        stdio,
        mortal: { ...stdio, breaker: { minCalls: 100 } },
        http: { url: http },
        several: { url: [first, second], concurrency: 1 },
        killed: { url: killed },
        legacy: { ...fixtureCommand('conformance-v1', ['--stdio']), era: 'legacy' },
        v2: fixtureCommand('conformance-v2', ['--stdio']),
      },
    },
    env: { TOOLBUS_TEST_SECRET: 'not for children' },
  });
});

after(async () => {
  await toolbus?.[Symbol.asyncDispose]();
  for (const fixture of fixtures) await fixture[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

const call = (tool: string, args: object = {}): Promise<RpcAnswer> =>
  callTool(toolbus.ready.mcp, tool, args, { key: toolbus.ready.key });

test('upstream stdio - gets the configured environment and nothing of ours', async () => {
  verifies('upstream:stdio');
  const environment = JSON.parse(textOf(await call('stdio__environment'))) as Record<string, string>;
  assert.equal(environment['COLOR'], 'blue');
  assert.ok(environment['PATH']);
  assert.equal(environment['TOOLBUS_TEST_SECRET'], undefined);
});

test('upstream stdio - garbage between messages is not fatal', async () => {
  verifies('upstream:garbage');
  for (const id of ['one', 'two']) {
    assert.match(textOf(await call('stdio__run', { id, garbage: true })), new RegExp(`^${id} by`));
  }
});

test('upstream stdio - a result of many megabytes arrives', async () => {
  verifies('call:large-result');
  const size = 12 * 1024 * 1024;
  assert.equal(textOf(await call('stdio__run', { size })).length, size);
});

for (const die of ['before', 'after'] as const) {
  test(`upstream stdio - death ${die} the effect is upstream_lost, the child is restarted, nothing runs twice`, async () => {
    verifies('error:upstream-lost', 'error:shape', 'upstream:stdio', 'bus:no-double-execution');
    const id = `death-${die}`;
    const began = Date.now();
    const { status, response } = await call('mortal__run', { id, die });
    assert.ok(Date.now() - began < 3500, 'within 3.5 s');
    assert.equal(status, 200);
    assert.equal(response?.error?.code, -31007);
    assert.equal(response?.error?.data?.['reason'], 'upstream_lost');
    assert.equal(response?.error?.data?.['executed'], 'unknown');
    await until('the child is back', async () => /^back by/.test(textOf(await call('mortal__run', { id: 'back' }))));
    const entries = readJournal(journal).filter((entry) => entry.id === id);
    assert.deepEqual(
      entries.map(({ what }) => what),
      die === 'before' ? ['start'] : ['start', 'effect'],
    );
  });
}

test('upstream HTTP - death during a call is upstream_lost', async () => {
  verifies('error:upstream-lost', 'upstream:http');
  const { response } = await call('killed__run', { die: 'before' });
  assert.equal(response?.error?.code, -31007);
});

test('upstream HTTP - answers as plain JSON and as a stream', async () => {
  verifies('upstream:http');
  assert.match(textOf(await call('http__run', { id: 'plain' })), /^plain by/);
  const { mcp, key } = toolbus.ready;
  const streamed = await callTool(mcp, 'http__run', { id: 'stream', progress: 3 }, { key, meta: { progressToken: 1 } });
  assert.equal(streamed.before.length, 3);
  assert.match(textOf(streamed), /^stream by/);
});

test('upstream HTTP - several URLs are several instances that share the load', async () => {
  verifies('upstream:several-urls');
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, index) => call('several__run', { id: `n${index}`, delayMs: 200 })),
  );
  const pids = new Set(answers.map((answer) => textOf(answer).split(' by ')[1]));
  assert.equal(pids.size, 2);
});

for (const server of ['legacy', 'v2']) {
  test(`upstream stdio ${server} - a server of an SDK is called`, async () => {
    assert.match(textOf(await call(`${server}__test_simple_text`)), /simple text response/);
  });
}
