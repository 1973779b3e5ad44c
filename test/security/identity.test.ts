import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { hashOf } from '../../services/cli/commands/keys.ts';
import { startTestServer } from '../../services/ingress/http/testing/public-server.ts';
import { agentWithKey } from '../helpers/keys.ts';
import { post } from '../helpers/rpc.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';
import { bearer, dialects, refusal, talk } from './dialects.ts';
import { type Gateway, type RecordingUpstream, startGateway, startRecordingUpstream } from './gateway.ts';

const ann = agentWithKey();
const bob = agentWithKey();
let upstream: RecordingUpstream;
let gateway: Gateway;

const configWith = (agents: object) => ({ servers: { notes: { url: upstream.url } }, agents });

before(async () => {
  upstream = await startRecordingUpstream();
  gateway = await startGateway(configWith({ ann: ann.agent, bob: bob.agent }));
});

after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await upstream?.[Symbol.asyncDispose]();
});

test('identity - every route asks for a key, and only those that are listed here are there (I1)', async () => {
  verifies('access:every-route');
  const open = ['GET /.well-known/oauth-protected-resource', 'GET /.well-known/oauth-protected-resource*'];
  await using listener = await startTestServer({ config: { auth: { mode: 'keys' }, agents: { ann: ann.agent } } });
  const origin = `http://127.0.0.1:${listener.port}`;
  const routes = routesOf(listener.server.app.printRoutes({ commonPrefix: false }));
  assert.ok(routes.length >= 10, routes.join('\n'));
  for (const route of routes) {
    const [method = '', pattern = ''] = route.split(' ');
    const path = pattern.replace(':name', 'notes').replace('*', '/mcp');
    const body = method === 'POST' || method === 'PUT' ? '{}' : null;
    const headers = { 'content-type': 'application/json' };
    const { status } = await fetch(origin + path, { method, headers, body });
    assert.equal(status, open.includes(route) ? 404 : 401, route);
  }
});

for (const dialect of dialects) {
  test(`identity ${dialect.name} - keys of 1 to 10,000 characters are 401, never 500 (I12)`, async () => {
    verifies('agent:authentication');
    for (const length of [1, 7, 40, 63, 64, 65, 100, 1_000, 10_000]) {
      const { status, headers } = await refusal(dialect, gateway.origin, bearer('k'.repeat(length)));
      assert.deepEqual([status, headers.get('www-authenticate')], [401, 'Bearer'], `${length}`);
    }
    for (const authorization of ['Bearer', 'Bearer ', 'Basic YTpi', `Basic ${ann.key}`, 'bearer a b'])
      assert.equal((await refusal(dialect, gateway.origin, { authorization })).status, 401);
  });

  test(`identity ${dialect.name} - the session of one agent is unknown to another (I3)`, async () => {
    verifies('agent:authentication');
    const agent = await talk(dialect, gateway.origin, bearer(ann.key));
    const foreign = await agent.ask('tools/list', {}, bearer(bob.key));
    // Without sessions there is nothing to take over.
    assert.equal(foreign.status, agent.session === undefined ? 200 : 404);
    assert.equal((await agent.ask('tools/list', {}, {})).status, 401, 'a session is no credential');
    agent.close();
  });

  test(`identity ${dialect.name} - headers that look like ours change nothing (I14)`, async () => {
    verifies('access:client-headers');
    const forged = {
      'x-gw-principal': 'bob',
      'x-toolbus-principal': 'bob',
      'x-forwarded-user': 'bob',
      'nats-msg-id': 'x',
      'x-real-ip': '10.0.0.1',
      'mcp-session-id-owner': 'bob',
    };
    assert.equal((await refusal(dialect, gateway.origin, forged)).status, 401);
    const agent = await talk(dialect, gateway.origin, { ...bearer(ann.key), ...forged });
    const { message } = await agent.ask('tools/call', { name: 'notes__read_note', arguments: {} });
    assert.match(JSON.stringify(message?.result), /did read_note/);
    agent.close();
    const names = Object.keys(upstream.headers.at(-1) ?? {});
    assert.deepEqual(
      names.filter((name) => name in forged || name === 'authorization'),
      [],
    );
  });

  test(`identity ${dialect.name} - of several keys one can be taken away, and with it what it opened`, async () => {
    verifies('keys:revoked-live');
    const [old, next] = [agentWithKey(), agentWithKey()];
    const cal = (keys: readonly string[]) =>
      configWith({ ann: ann.agent, bob: bob.agent, cal: { keys: keys.map(hashOf), allow: ['*'] } });
    gateway.reload(cal([old.key, next.key]));
    const agent = await talk(dialect, gateway.origin, bearer(old.key));
    const stays = await talk(dialect, gateway.origin, bearer(next.key));
    gateway.reload(cal([next.key]));
    assert.equal((await refusal(dialect, gateway.origin, bearer(old.key))).status, 401);
    assert.equal((await agent.ask('tools/list')).status, 401);
    const { status } = await stays.ask('tools/list');
    assert.equal(status, 200);
    agent.close();
    stays.close();
    gateway.reload(configWith({ ann: ann.agent, bob: bob.agent }));
  });
}

for (const version of ['2025-11-25', '2025-06-18', '2025-03-26']) {
  test(`identity ${version} - an id that a client brings along is never taken over (I3)`, async () => {
    verifies('agent:authentication');
    const chosen = 'A'.repeat(40);
    const params = { protocolVersion: version, capabilities: {}, clientInfo: { name: 'x', version: '1' } };
    const options = { key: ann.key, headers: { 'mcp-session-id': chosen } };
    const url = `${gateway.origin}/mcp`;
    const opened = await post(url, { jsonrpc: '2.0', id: 1, method: 'initialize', params }, options);
    const given = opened.headers.get('mcp-session-id');
    assert.ok(given && given !== chosen && given.length > 40);
    assert.equal((await post(url, { jsonrpc: '2.0', id: 2, method: 'tools/list' }, options)).status, 404);
  });
}

test('identity 2024-11-05 HTTP+SSE - an id that a client brings along is never taken over (I3)', async () => {
  verifies('agent:authentication');
  const chosen = 'A'.repeat(40);
  const sse = dialects.at(-1);
  assert.ok(sse);
  const agent = await talk(sse, gateway.origin, { ...bearer(ann.key), 'mcp-session-id': chosen });
  assert.ok(agent.session && agent.session !== chosen && agent.session.length > 20, agent.session);
  const list = { jsonrpc: '2.0', id: 2, method: 'tools/list' };
  const taken = await post(`${gateway.origin}/messages?sessionId=${chosen}`, list, { key: ann.key });
  assert.equal(taken.status, 404);
  agent.close();
});

for (const [name, open] of standingStreams()) {
  test(`identity - ${name} of a revoked key ends within two seconds, that of others goes on`, async () => {
    verifies('keys:revoked-live');
    const cal = agentWithKey();
    gateway.reload(configWith({ ann: ann.agent, bob: bob.agent, cal: cal.agent }));
    const [revoked, other] = [await open(cal.key), await open(ann.key)];
    gateway.reload(configWith({ ann: ann.agent, bob: bob.agent }));
    await until('the stream has ended', () => revoked.ended(), 2_000);
    assert.equal(other.ended(), false);
    other.close();
  });

  test(`identity - ${name} ends when its key does`, async () => {
    verifies('keys:expiry');
    const short = agentWithKey();
    const expires = new Date(Date.now() + 2_500).toISOString();
    const cal = { keys: [{ hash: hashOf(short.key), expires }], allow: ['*'] };
    gateway.reload(configWith({ ann: ann.agent, bob: bob.agent, cal }));
    const stream = await open(short.key);
    assert.equal(stream.ended(), false);
    await until('the stream has ended', () => stream.ended(), 10_000);
    const { status } = await fetch(`${gateway.origin}/mcp`, { headers: bearer(short.key) });
    assert.equal(status, 401);
    gateway.reload(configWith({ ann: ann.agent, bob: bob.agent }));
  });
}

interface Standing {
  ended(): boolean;
  close(): void;
}

/** The three streams that stand open by themselves. */
function standingStreams(): [string, (key: string) => Promise<Standing>][] {
  const follow = async (path: string, init: RequestInit): Promise<Standing> => {
    const controller = new AbortController();
    const response = await fetch(gateway.origin + path, { ...init, signal: controller.signal });
    assert.equal(response.status, 200, await (response.status === 200 ? '' : response.text()));
    let ended = false;
    void (async () => {
      for await (const _ of response.body ?? []);
    })()
      .catch(() => undefined)
      .then(() => {
        ended = true;
      });
    return { ended: () => ended, close: () => controller.abort() };
  };
  const accept = 'text/event-stream';
  return [
    ['the SSE stream of 2024-11-05', (key) => follow('/sse', { headers: { ...bearer(key), accept } })],
    [
      'the GET stream of a session',
      async (key) => {
        const [, legacy] = dialects;
        assert.ok(legacy);
        const { session = '' } = await talk(legacy, gateway.origin, bearer(key));
        return follow('/mcp', { headers: { ...bearer(key), accept, 'mcp-session-id': session } });
      },
    ],
    [
      'subscriptions/listen of 2026-07-28',
      (key) => {
        const _meta = {
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientInfo': { name: 'x', version: '1' },
          'io.modelcontextprotocol/clientCapabilities': {},
        };
        const params = { notifications: { toolsListChanged: true }, _meta };
        return follow('/mcp', {
          method: 'POST',
          headers: {
            ...bearer(key),
            'content-type': 'application/json',
            accept: 'application/json, text/event-stream',
            'mcp-protocol-version': '2026-07-28',
            'mcp-method': 'subscriptions/listen',
          },
          body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'subscriptions/listen', params }),
        });
      },
    ],
  ];
}

/** `METHOD /path` of every route, out of Fastify's own table. */
function routesOf(table: string): string[] {
  const routes: string[] = [];
  const stack: string[] = [];
  for (const line of table.split('\n')) {
    const match = /^([│ ]*)[├└]── (\S*)(?: \(([A-Z, ]+)\))?/.exec(line);
    if (match === null) continue;
    const [, indent = '', part = '', methods = ''] = match;
    const depth = indent.length / 4;
    stack.length = depth;
    stack.push(part);
    for (const method of methods.split(', ').filter((one) => one !== '')) routes.push(`${method} ${stack.join('')}`);
  }
  return routes;
}
