import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { AuditRecord } from '../../shared/audit/record.ts';
import { readAudit } from '../chaos/audit-oracle.ts';
import { agentWithKey } from '../helpers/keys.ts';
import { modern, post, type RpcMessage } from '../helpers/rpc.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';
import { type AnsweringUpstream, startAnsweringUpstream, textResult } from './answering-upstream.ts';
import { bearer, dialects, refusal, talk } from './dialects.ts';
import { type Gateway, startGateway } from './gateway.ts';
import { echoTool } from './hostile.ts';
import { scale } from './scale.ts';

const ann = agentWithKey();
const bob = agentWithKey();
const cara = agentWithKey();
const dan = agentWithKey();
/** Of these each agent sees half, which is more than one page (4 MiB). */
const large = Array.from({ length: 40 }, (_, index) =>
  echoTool(`${index % 2 === 0 ? 'red' : 'blue'}_${index}`, {
    inputSchema: { type: 'object', $comment: 'x'.repeat(240_000) },
  }),
);
const many = Array.from({ length: 100 }, (_, index) => echoTool(`${index % 2 === 0 ? 'red' : 'blue'}_${index}`));
const state = 'the state of the server';

let one: AnsweringUpstream;
let two: AnsweringUpstream;
let big: AnsweringUpstream;
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
    delayMs: () => Math.floor(Math.random() * 5),
    answer({ name, args, params }) {
      if (!name.endsWith('ask')) return textResult(JSON.stringify(args));
      if (params['requestState'] === state) return textResult('answered');
      return { resultType: 'input_required', inputRequests: questions, requestState: state };
    },
  });
  two = await startAnsweringUpstream({ tools: [echoTool('echo')] });
  big = await startAnsweringUpstream({ tools: large });
  dataDir = mkdtempSync(join(tmpdir(), 'toolbus-isolation-'));
  const config = {
    servers: { one: { url: one.url, concurrency: 64 }, two: { url: two.url }, big: { url: big.url } },
    toolsets: { reds: { tools: ['one__red_*'] } },
    agents: {
      ann: { ...ann.agent, allow: ['one__echo', 'one__ask', 'one__other_ask', 'one__red_*'] },
      bob: { ...bob.agent, allow: ['one__ask', 'one__echo', 'one__blue_*', 'two__*'] },
      cara: { ...cara.agent, allow: ['big__red_*'] },
      dan: { ...dan.agent, allow: ['big__blue_*'] },
    },
  };
  gateway = await startGateway(config, undefined, dataDir);
});

after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await one?.[Symbol.asyncDispose]();
  await two?.[Symbol.asyncDispose]();
  await big?.[Symbol.asyncDispose]();
  rmSync(dataDir, { recursive: true, force: true });
});

const textIn = (message: RpcMessage | undefined): string =>
  (message?.result?.['content'] as { text?: string }[] | undefined)?.[0]?.text ?? JSON.stringify(message);

test('isolation - clients that all use the id 0 get their own answers alone (I2)', async () => {
  verifies('isolation:ids');
  const clients = 200;
  const each = 5 * scale;
  const foreign: string[] = [];
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      const { key } = client % 2 === 0 ? ann : bob;
      const ask = await zeroClient(gateway.origin, key, client);
      for (let turn = 0; turn < each; turn += 1) {
        const nonce = `${client}-${turn}`;
        // A machine under load may refuse a call; it is asked again.
        const message = await until(
          `an answer for ${nonce}`,
          async () => {
            const answer = await ask({ name: 'one__echo', arguments: { nonce } });
            return answer?.error?.data?.['reason'] === undefined && answer;
          },
          60_000,
        );
        if (message.id !== 0 || textIn(message) !== JSON.stringify({ nonce })) foreign.push(JSON.stringify(message));
      }
    }),
  );
  assert.deepEqual(foreign, []);
  assert.equal(new Set(one.calls.map(({ args }) => args['nonce'])).size, clients * each, 'each call ran');
});

/** A client whose every request has the id 0: every fourth of another revision. HTTP+SSE is in the dialects below; its stream needs ids. */
async function zeroClient(origin: string, key: string, client: number) {
  const url = `${origin}/mcp`;
  const version = ['2026-07-28', '2025-11-25', '2025-06-18', '2025-03-26'][client % 4] ?? '';
  const clientInfo = { name: 'zero', version: '1' };
  const headers: Record<string, string> = { 'mcp-protocol-version': version };
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': version,
    'io.modelcontextprotocol/clientInfo': clientInfo,
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const isModern = client % 4 === 0;
  if (!isModern) {
    const params = { protocolVersion: version, capabilities: {}, clientInfo };
    const opened = await post(url, { jsonrpc: '2.0', id: 0, method: 'initialize', params }, { key });
    headers['mcp-session-id'] = opened.headers.get('mcp-session-id') ?? '';
  }
  return async (params: { name: string; arguments: object }): Promise<RpcMessage | undefined> => {
    const more = isModern ? { 'mcp-method': 'tools/call', 'mcp-name': params.name } : {};
    const body = { jsonrpc: '2.0', id: 0, method: 'tools/call', params: isModern ? { ...params, _meta } : params };
    return (await post(url, body, { key, headers: { ...headers, ...more } })).response;
  };
}

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
    assert.ok(records.every(({ agent }) => agent === 'ann'));
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

  test(`isolation ${dialect.name} - alternating lists hold nothing of the other agent, on any page (I10)`, async () => {
    verifies('isolation:lists');
    for (const [pair, turns, least] of [
      [[ann, bob], 100 * scale, 1],
      [[cara, dan], 2, 2],
    ] as const) {
      const agents = await Promise.all(pair.map(({ key }) => opened(key)));
      const cursors: string[] = [];
      for (let turn = 0; turn < turns; turn += 1) {
        const mine = turn % 2;
        const foreign = mine === 0 ? /blue|two__/ : /red|other_ask/;
        let cursor: unknown;
        let pages = 0;
        do {
          const answer = await agents[mine]?.ask('tools/list', cursor === undefined ? {} : { cursor });
          const { tools, nextCursor, cacheScope } = answer?.message?.result ?? {};
          for (const { name } of tools as { name: string }[]) assert.doesNotMatch(name, foreign);
          if (dialect.name === '2026-07-28') assert.equal(cacheScope, 'private', `page ${pages}`);
          cursor = nextCursor;
          if (mine === 0 && typeof cursor === 'string') cursors.push(cursor);
          pages += 1;
        } while (cursor !== undefined);
        assert.ok(pages >= least, `${pages} pages`);
      }
      for (const cursor of cursors) {
        const answer = await agents[1]?.ask('tools/list', { cursor });
        assert.equal(answer?.message?.error?.code, -32602, 'a cursor of the other view');
      }
      for (const agent of agents) agent.close();
    }
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
