import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { AuditRecord } from '../../shared/audit/record.ts';
import { readAudit } from '../chaos/audit-oracle.ts';
import { agentWithKey } from '../helpers/keys.ts';
import { modern, type RpcMessage } from '../helpers/rpc.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';
import { type AnsweringUpstream, startAnsweringUpstream, textResult } from './answering-upstream.ts';
import { bearer, dialects, refusal, talk } from './dialects.ts';
import { type Gateway, startGateway } from './gateway.ts';
import { echoTool } from './hostile.ts';

const ann = agentWithKey();
const bob = agentWithKey();
const many = Array.from({ length: 10 }, (_, index) => echoTool(`${index % 2 === 0 ? 'red' : 'blue'}_${index}`));
const state = 'the state of the server';

let one: AnsweringUpstream;
let two: AnsweringUpstream;
let gateway: Gateway;
let dataDir: string;

before(async () => {
  const questions = {
    ok: {
      method: 'elicitation/create',
      params: { mode: 'form', message: 'sure?', requestedSchema: { type: 'object', properties: {} } },
    },
  };
  one = await startAnsweringUpstream({
    tools: [echoTool('echo'), echoTool('ask'), echoTool('other_ask'), ...many],
    answer({ name, args, params }) {
      if (!name.endsWith('ask')) return textResult(JSON.stringify(args));
      if (params['requestState'] === state) return textResult('answered');
      return { resultType: 'input_required', inputRequests: questions, requestState: state };
    },
  });
  two = await startAnsweringUpstream({ tools: [echoTool('echo')] });
  dataDir = mkdtempSync(join(tmpdir(), 'toolbus-isolation-'));
  const config = {
    servers: { one: { url: one.url, concurrency: 64 }, two: { url: two.url } },
    toolsets: { reds: { tools: ['one__red_*'] } },
    agents: {
      ann: { ...ann.agent, allow: ['one__echo', 'one__ask', 'one__other_ask', 'one__red_*'] },
      bob: { ...bob.agent, allow: ['one__ask', 'one__echo', 'one__blue_*', 'two__*'] },
    },
  };
  gateway = await startGateway(config, { dataDir });
});

after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await one?.[Symbol.asyncDispose]();
  await two?.[Symbol.asyncDispose]();
  rmSync(dataDir, { recursive: true, force: true });
});

const textIn = (message: RpcMessage | undefined): string =>
  (message?.result?.['content'] as { text?: string }[] | undefined)?.[0]?.text ?? JSON.stringify(message);

for (const dialect of dialects) {
  const opened = (key: string, name?: string) => talk(dialect, gateway.origin, bearer(key), name);

  test(`isolation ${dialect.name} - a forbidden tool is answered as one that is not there, to the byte (I8)`, async () => {
    verifies('isolation:forbidden');
    const reached = two.calls.length;
    const forbidden = await opened(ann.key);
    const unknown = await opened(ann.key);
    const [first, second] = await Promise.all([
      forbidden.ask('tools/call', { name: 'two__echo', arguments: {} }),
      unknown.ask('tools/call', { name: 'two__nope', arguments: {} }),
    ]);
    assert.equal(first.message?.error?.code, -32602);
    const bare = (message: unknown) => JSON.stringify(message).replaceAll(/two__(echo|nope)/g, '');
    assert.equal(bare(first.message), bare(second.message));
    assert.deepEqual([first.status, second.status], [200, 200]);
    assert.deepEqual(shapeOf(first.headers), shapeOf(second.headers));
    assert.equal(two.calls.length, reached, 'the server was not asked');
    const records = await until('both refusals are recorded', async () => {
      const found = refusalsOf(await readAudit(gateway.nats.url)).filter(({ agent }) => agent === 'ann');
      return ['two__echo', 'two__nope'].every((name) => found.some(({ target }) => target === name)) && found;
    });
    assert.deepEqual(new Set(records.map(({ reason }) => reason)), new Set(['unknown_tool']));
    forbidden.close();
    unknown.close();
  });

  test(`isolation ${dialect.name} - an endpoint that is not there, or has nothing for this agent, is 404 (I8)`, async () => {
    for (const name of ['nobody', '__proto__', 'constructor', '..%2fone', '%00']) {
      const { status } = await refusal(dialect, gateway.origin, bearer(ann.key), name);
      assert.equal(status, 404, name);
    }
  });

  test(`isolation ${dialect.name} - what an agent may not use at one endpoint it may at no other (U8, I9)`, async () => {
    const attempts: [key: string, endpoint: string | undefined, name: string][] = [
      [ann.key, undefined, 'two__echo'],
      [ann.key, undefined, 'one__blue_1'],
      [ann.key, 'one', 'blue_1'],
      [ann.key, 'one', 'one__blue_1'],
      [ann.key, 'one', 'two__echo'],
      [ann.key, 'reds', 'one__blue_1'],
      [bob.key, undefined, 'one__red_0'],
      [bob.key, 'one', 'red_0'],
      [bob.key, 'two', 'one__red_0'],
    ];
    const reached = one.calls.length + two.calls.length;
    for (const [key, endpoint, name] of attempts) {
      const agent = await opened(key, endpoint);
      const { message } = await agent.ask('tools/call', { name, arguments: {} });
      assert.equal(message?.error?.code, -32602, `${endpoint} ${name}`);
      agent.close();
    }
    assert.equal(one.calls.length + two.calls.length, reached);
  });

  test(`isolation ${dialect.name} - equal calls of two agents are two calls (I11)`, async () => {
    const before = one.calls.length;
    const agents = await Promise.all([opened(ann.key), opened(bob.key)]);
    const same = { name: 'one__echo', arguments: { same: dialect.name } };
    const answers = await Promise.all([...agents, ...agents].map((agent) => agent.ask('tools/call', same)));
    for (const { message } of answers) assert.equal(textIn(message), JSON.stringify(same.arguments));
    assert.equal(one.calls.length - before, 4);
    for (const agent of agents) agent.close();
  });
}

test('isolation - the circuit breaker neither caches nor merges calls (I11)', () => {
  const source = readFileSync(new URL('../../services/worker/breaker.ts', import.meta.url), 'utf8');
  assert.doesNotMatch(source, /\b(cache|coalesce)\w*\s*:/);
});

test('isolation - the state of a question belongs to one agent, tool and set of arguments (I13)', async () => {
  verifies('isolation:state');
  // Sessions before 2026-07-28 have no such state: their questions are asked on a stream of the session, which is bound to its agent (I3).
  const call = ({ key }: typeof ann, name: string, args: object, more: object = {}) =>
    modern(
      `${gateway.origin}/mcp`,
      'tools/call',
      { name, arguments: args, ...more },
      { key, capabilities: { elicitation: {} } },
    );
  const asked = await call(ann, 'one__ask', { a: 1 });
  const requestState = asked.response?.result?.['requestState'];
  assert.ok(typeof requestState === 'string', JSON.stringify(asked.response));
  assert.ok(!requestState.includes(state) && !Buffer.from(requestState, 'base64url').includes(state), 'it is sealed');
  const inputResponses = { ok: { action: 'accept', content: {} } };
  const reached = one.calls.length;
  const middle = requestState.length >> 1;
  const changed =
    requestState.slice(0, middle) + (requestState[middle] === 'A' ? 'B' : 'A') + requestState.slice(middle + 1);
  const attempts: [typeof ann, string, object, string][] = [
    [bob, 'one__ask', { a: 1 }, requestState],
    [ann, 'one__other_ask', { a: 1 }, requestState],
    [ann, 'one__ask', { a: 2 }, requestState],
    [ann, 'one__ask', { a: 1 }, changed],
    [ann, 'one__ask', { a: 1 }, state],
    [ann, 'one__ask', { a: 1 }, ''],
  ];
  for (const [agent, name, args, given] of attempts) {
    const { status, response } = await call(agent, name, args, { requestState: given, inputResponses });
    assert.deepEqual([status, response?.error?.code], [200, -32602], `${name} ${JSON.stringify(args)} ${given.length}`);
  }
  assert.equal(one.calls.length, reached, 'the server saw none of them');
  const answered = await call(ann, 'one__ask', { a: 1 }, { requestState, inputResponses });
  assert.equal(textIn(answered.response), 'answered');
});

/** What an answer's head says besides times and lengths. */
function shapeOf(headers: Headers): string[] {
  return [...headers]
    .map(([name, value]) => (/^(content-type|cache-control)$/.test(name) ? `${name}: ${value}` : name))
    .sort();
}

function refusalsOf(records: readonly AuditRecord[]) {
  return records.flatMap((record) => (record.kind === 'refusal' ? [record] : []));
}
