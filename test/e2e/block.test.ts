import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readJournal } from '../fixtures/scripted/journal.ts';
import { fixtureCommand } from '../helpers/fixture.ts';
import { agentWithKey } from '../helpers/keys.ts';
import { startNats, type TestNats } from '../helpers/nats.ts';
import { callTool, modern, openLegacySession, readMessages, textOf } from '../helpers/rpc.ts';
import { runToolbus, startIngress, startToolbus, type Toolbus } from '../helpers/toolbus.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

const dir = mkdtempSync(join(tmpdir(), 'toolbus-block-'));
const journal = join(dir, 'journal');
const ann = agentWithKey();
const bob = agentWithKey();
const config = {
  servers: {
    one: { ...fixtureCommand('scripted-upstream', ['--stdio']), env: { JOURNAL: journal } },
    two: { ...fixtureCommand('scripted-upstream', ['--stdio']), env: { JOURNAL: journal } },
  },
  agents: { ann: ann.agent, bob: bob.agent },
};
let nats: TestNats;
let first: Toolbus;
let second: Toolbus;

before(async () => {
  nats = await startNats();
  first = await startToolbus({ config, args: ['--nats', nats.url] });
  second = await startIngress(nats.url, { config });
});

after(async () => {
  await second?.[Symbol.asyncDispose]();
  await first?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

const toolbus = (...args: string[]) => runToolbus([...args, '--config', first.configFile, '--nats', nats.url]);
const run = async (...args: string[]): Promise<string> => {
  const { code, stdout, stderr } = await toolbus(...args);
  assert.equal(code, 0, stderr);
  return stdout;
};
const tools = async (mcp: string, key: string): Promise<string[]> => {
  const answer = await modern(mcp, 'tools/list', {}, { key });
  return ((answer.response?.result?.['tools'] ?? []) as { name: string }[]).map(({ name }) => name);
};
const happened = (id: string, what: string) =>
  readJournal(journal).some((entry) => entry.id === id && entry.what === what);
const everywhere = () => [first.ready.mcp, second.ready.mcp];

test('block tool - it is as if unknown on every ingress, and comes back', async () => {
  verifies('block:tool');
  for (const mcp of everywhere()) assert.ok((await tools(mcp, ann.key)).includes('one__run'));
  const unknown = await callTool(first.ready.mcp, 'one__nothing', {}, { key: ann.key });

  await run('block', 'tool', 'one__run', '--reason', 'it deletes things');
  for (const mcp of everywhere()) {
    await until('the tool is hidden', async () => !(await tools(mcp, ann.key)).includes('one__run'), 1000);
    const answer = await callTool(mcp, 'one__run', {}, { key: ann.key });
    assert.equal(answer.status, unknown.status);
    assert.equal(answer.text.replace('one__run', 'one__nothing'), unknown.text, 'blocked and unknown answer alike');
    assert.equal(answer.response?.error?.code, -32602);
    assert.ok((await tools(mcp, ann.key)).includes('two__run'), 'its namesake of another server stays');
    assert.equal((await callTool(`${mcp}/one`, 'run', {}, { key: ann.key })).response?.error?.code, -32602);
  }
  assert.match(await run('tools', 'ls', '--all'), /one__run +hidden .*blocked by .*: it deletes things/);
  assert.doesNotMatch(await run('tools', 'ls'), /one__run/);
  assert.match(await run('block'), /tool +one__run .*it deletes things/);

  await run('unblock', 'tool', 'one__run');
  for (const mcp of everywhere())
    await until('it is back', async () => (await tools(mcp, ann.key)).includes('one__run'), 1000);
  assert.match(await run('block'), /nothing is blocked/);
});

test('block server - its tools and its endpoint go, agents are told, a call in flight finishes', async () => {
  verifies('block:server');
  const session = await openLegacySession(second.ready.mcp, { key: ann.key });
  const stream = await fetch(second.ready.mcp, {
    headers: { authorization: `Bearer ${ann.key}`, accept: 'text/event-stream', 'mcp-session-id': session.id },
  });
  const told: string[] = [];
  const reading = readMessages(stream, ({ method }) => void told.push(method ?? '')).catch(() => undefined);
  const slow = callTool(first.ready.mcp, 'two__run', { id: 'slow', delayMs: 8000 }, { key: ann.key });
  await until('the call runs', () => happened('slow', 'start'));

  await run('block', 'server', 'two');
  await until('the agent hears of it', () => told.includes('notifications/tools/list_changed'), 2000);
  assert.ok(!(await tools(second.ready.mcp, ann.key)).some((name) => name.startsWith('two__')));
  assert.equal((await modern(`${second.ready.mcp}/two`, 'tools/list', {}, { key: ann.key })).status, 404);
  assert.equal(happened('slow', 'effect'), false, 'the call is still in flight');
  assert.match(textOf(await slow), /^slow by/);
  assert.match(await run('servers'), /two +\S+ +blocked/);
  await run('unblock', 'server', 'two');
  await until('it is back', async () => (await tools(second.ready.mcp, ann.key)).includes('two__run'), 1000);
  await session.close();
  await reading;
});

test('block agent - its requests are answered 403, its streams end, others go on, its call in flight finishes', async () => {
  verifies('block:agent');
  const session = await openLegacySession(first.ready.mcp, { key: bob.key });
  const headers = { authorization: `Bearer ${bob.key}`, accept: 'text/event-stream', 'mcp-session-id': session.id };
  const standing = await fetch(first.ready.mcp, { headers });
  const legacyEnded = readMessages(standing, () => undefined);
  const listening = modern(
    second.ready.mcp,
    'subscriptions/listen',
    { notifications: { toolsListChanged: true } },
    { key: bob.key },
  );
  const slow = callTool(second.ready.mcp, 'one__run', { id: 'bobs', delayMs: 8000 }, { key: bob.key });
  await until('the call runs', () => happened('bobs', 'start'));

  await run('block', 'agent', 'bob', '--reason', 'it runs wild');
  for (const mcp of everywhere()) {
    const refused = await until(
      'bob is refused',
      async () => {
        const answer = await modern(mcp, 'tools/list', {}, { key: bob.key });
        return answer.status === 403 && answer;
      },
      1000,
    );
    assert.match(refused.response?.error?.message ?? '', /this agent is blocked: it runs wild/);
    assert.ok((await tools(mcp, ann.key)).includes('one__run'));
  }
  await legacyEnded;
  assert.equal((await listening).response?.result?.['resultType'], 'complete');
  assert.equal((await session.request('tools/list')).status, 403);
  assert.equal(happened('bobs', 'effect'), false, 'the call is still in flight');
  assert.match(textOf(await slow), /^bobs by/);

  await second.stop();
  second = await startIngress(nats.url, { config });
  assert.equal((await modern(second.ready.mcp, 'tools/list', {}, { key: bob.key })).status, 403, 'after a restart too');
  await run('unblock', 'agent', 'bob');
  for (const mcp of everywhere())
    await until('bob is back', async () => (await tools(mcp, bob.key)).includes('one__run'), 1000);
});

test('block - names that nobody knows and wrong kinds are refused', async () => {
  const misspelt = await toolbus('block', 'agent', 'bobb');
  assert.equal(misspelt.code, 5);
  assert.match(misspelt.stderr, /did you mean bob\?/);
  assert.equal((await toolbus('block', 'agents', 'bob')).code, 2);
  assert.equal((await toolbus('block', 'agent')).code, 2);
  assert.equal((await toolbus('unblock', 'agent', 'bob')).code, 5);
  assert.equal((await toolbus('block', 'server', 'later', '--force')).code, 0);
  const listed = JSON.parse(await run('block', '--json'));
  assert.equal(listed.blocked[0].name, 'later');
  assert.match(listed.blocked[0].by, /@/);
  await run('unblock', 'server', 'later');
});
