import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Fixture, startFixture } from '../helpers/fixture.ts';
import { callTool, modern, type RpcAnswer, textOf } from '../helpers/rpc.ts';
import { startToolbus, type Toolbus } from '../helpers/toolbus.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

const dir = mkdtempSync(join(tmpdir(), 'toolbus-breaker-'));
const hangFile = join(dir, 'hang');
const fixtures: Fixture[] = [];
let toolbus: Toolbus;

before(async () => {
  fixtures.push(
    await startFixture('scripted-upstream', { env: { HANG_FILE: hangFile } }),
    await startFixture('scripted-upstream'),
  );
  const [shaky, steady] = fixtures.map(({ url }) => ({ url }));
  const breaker = { errorPercent: 50, minCalls: 4, windowMs: 10_000, resetMs: 1000 };
  toolbus = await startToolbus({ config: { servers: { shaky: { ...shaky, timeoutMs: 500, breaker }, steady } } });
});

after(async () => {
  await toolbus?.[Symbol.asyncDispose]();
  for (const fixture of fixtures) await fixture[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

const call = (tool: string, args: object = {}): Promise<RpcAnswer> =>
  callTool(toolbus.ready.mcp, tool, args, { key: toolbus.ready.key });

test('breaker - a hanging server opens it, others are unharmed, and it closes when the server is back', async () => {
  verifies('breaker:hang-opens', 'breaker:comes-back', 'breaker:others-unharmed', 'error:shape');
  assert.match(textOf(await call('shaky__run', { id: 'well' })), /^well by/);

  writeFileSync(hangFile, '');
  const hanging = Promise.all(Array.from({ length: 6 }, () => call('shaky__run', { id: 'hanging' })));
  const { mcp, key } = toolbus.ready;
  for (let count = 0; count < 5; count += 1) {
    assert.match(textOf(await call('steady__run', { id: 'steady' })), /^steady by/);
    const { response } = await modern(mcp, 'tools/list', {}, { key });
    assert.ok((response?.result?.['tools'] as { name: string }[]).some(({ name }) => name === 'shaky__run'));
  }
  for (const { response } of await hanging) assert.equal(response?.error?.data?.['reason'], 'upstream_timeout');

  const open = await until('the breaker is open', async () => {
    const answer = await call('shaky__run', { id: 'refused' });
    return answer.response?.error?.code === -31005 && answer;
  });
  assert.equal(open.status, 503);
  assert.ok(Number(open.headers.get('retry-after')) >= 1);
  const { reason, executed, retryAfterMs } = open.response?.error?.data ?? {};
  assert.deepEqual({ reason, executed }, { reason: 'circuit_open', executed: 'no' });
  assert.equal(typeof retryAfterMs, 'number');

  rmSync(hangFile);
  await until('the breaker is closed', async () => /^back by/.test(textOf(await call('shaky__run', { id: 'back' }))));
  const calls = await Promise.all(Array.from({ length: 10 }, () => call('shaky__run', { id: 'closed' })));
  for (const answer of calls) assert.match(textOf(answer), /^closed by/);
});
