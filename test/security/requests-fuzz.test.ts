import assert from 'node:assert/strict';
import type { OutgoingHttpHeaders } from 'node:http';
import net from 'node:net';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { send } from '../../services/ingress/http/testing/raw-http.ts';
import { agentWithKey } from '../helpers/keys.ts';
import { descendantsOf } from '../helpers/processes.ts';
import { startToolbus, type Toolbus } from '../helpers/toolbus.ts';
import { verifies } from '../requirements.ts';
import { bearer, dialects, type Outcome, onEveryTransport, talk } from './dialects.ts';
import { echoTool, type Hostile, hostileServer } from './hostile.ts';
import { mutatedJson } from './mutations.ts';
import { bounded } from './scale.ts';

const { key, agent } = agentWithKey();
let upstream: Hostile;
let toolbus: Toolbus;
let port: number;

before(async () => {
  upstream = hostileServer({ tools: [echoTool('echo')] });
  toolbus = await startToolbus({
    config: { servers: { h: { ...upstream.server, timeoutMs: 5_000 } }, agents: { a: agent } },
  });
  port = Number(new URL(toolbus.ready.mcp).port);
});

after(async () => {
  await toolbus?.[Symbol.asyncDispose]();
  upstream?.[Symbol.dispose]();
});

/** How long a request may go unanswered. */
const patienceMs = 20_000;

type Said = Pick<Outcome, 'status' | 'body' | 'message'>;

/** A 5xx is an answer only where it says why; whatever has a body is JSON, an event stream or empty. */
function assertReasoned({ status, body, message }: Said, what: string): void {
  assert.ok(status >= 200 && status < 600, what);
  if (status >= 500)
    assert.ok(
      message?.error?.data?.['reason'],
      `${status} without a reason: ${body.slice(0, 300)} to ${what.slice(0, 500)}`,
    );
}

async function assertWell(): Promise<void> {
  for (const dialect of dialects) {
    const agentNow = await talk(dialect, new URL(toolbus.ready.mcp).origin, bearer(key));
    const { message } = await agentNow.ask('tools/call', { name: 'h__echo', arguments: { a: 1 } });
    assert.equal((message?.result?.['content'] as { text: string }[])[0]?.text, '{"a":1}', dialect.name);
    agentNow.close();
  }
}

const method = fc.constantFrom(
  'tools/list',
  'tools/call',
  'prompts/get',
  'resources/read',
  'completion/complete',
  'ping',
  'tasks/get',
  'logging/setLevel',
  'initialize',
  'server/discover',
  'x/y',
);
const params = fc.constantFrom<Record<string, unknown>>(
  {},
  { name: 'h__echo', arguments: { a: [1, { b: 'c' }] } },
  { uri: 'demo://x' },
  { ref: { type: 'ref/prompt', name: 'p' }, argument: { name: 'a', value: 'b' } },
  { level: 'debug', cursor: 'x', taskId: 't' },
);
const header = fc.constantFrom(
  'content-type',
  'accept',
  'mcp-protocol-version',
  'mcp-method',
  'mcp-name',
  'mcp-session-id',
  'last-event-id',
  'traceparent',
  'content-encoding',
  'mcp-param-a',
  'x-forwarded-for',
  'expect',
);
const headerValue = fc.oneof(
  fc.constantFrom(
    '',
    'text/plain',
    '2026-07-28',
    '2025-03-26',
    'tools/list',
    '=?base64?w6Q=?=',
    '=?base64?%?=',
    '1',
    'application/json; charset=utf-16',
  ),
  fc.stringMatching(/^[\t\x20-\x7e\x80-\xff]{0,300}$/),
);

test('request fuzz - a spoilt request gets an answer with a reason, over each transport and revision', async (t) => {
  verifies('fuzz:listener');
  await onEveryTransport(t, { port, key }, async (wire) => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({ method, params, spoil: fc.nat(), headers: fc.dictionary(header, headerValue, { maxKeys: 1 }) }),
        async ({ method: asked, params: given, spoil, headers }) => {
          const request = wire.request(asked, given);
          const [body = ''] = fc.sample(mutatedJson(String(request.body)), { numRuns: 1, seed: spoil });
          // An `id` of another request is not waited for on the event stream: whatever is sent there is answered 202 or refused.
          const isSse = wire.name.includes('SSE');
          const sent = { ...request, headers: { ...request.headers, ...headers }, body };
          const answer = isSse ? await sendAlone(sent) : await within(wire.send(sent), body);
          assertReasoned(answer, `${JSON.stringify(headers)} ${body}`);
        },
      ),
      bounded(150),
    );
  });
  await assertWell();
});

async function sendAlone(request: {
  path: string;
  headers: OutgoingHttpHeaders;
  body: string | Buffer;
}): Promise<Said> {
  const answer = await within(send({ port, ...request }), String(request.body));
  const message = answer.body.startsWith('{') ? JSON.parse(answer.body) : undefined;
  return { ...answer, message };
}

function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${patienceMs} ms: ${what.slice(0, 500)}`)), patienceMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

test('request fuzz - bytes that are no HTTP, or half of it, are answered 4xx or cut off', async () => {
  verifies('fuzz:listener');
  const line = fc.constantFrom(
    'POST /mcp HTTP/1.1\r\n',
    'GET /sse HTTP/1.1\r\n',
    'PRI * HTTP/2.0\r\n',
    'POST  /mcp HTTP/9\r\n',
    'DELETE /mcp/%ff HTTP/1.0\r\n',
    '',
  );
  const field = fc.constantFrom(
    `host: 127.0.0.1\r\n`,
    `authorization: Bearer ${key}\r\n`,
    'content-length: 5\r\n',
    'content-length: -1\r\n',
    'transfer-encoding: chunked\r\n',
    'content-type: application/json\r\n',
    'x: \u0000\r\n',
    ': x\r\n',
    'upgrade: websocket\r\nconnection: upgrade\r\n',
  );
  const tail = fc.oneof(
    fc.constantFrom('\r\n', '\r\n{"a":', '\r\nffffffffffffffff\r\n', '\r\n5\r\n{"a"}\r\n0\r\n\r\n'),
    fc.string({ maxLength: 100 }),
  );
  const request = fc
    .tuple(line, fc.array(field, { maxLength: 5 }), tail)
    .map(([first, fields, last]) => Buffer.from(first + fields.join('') + last, 'latin1'));
  await fc.assert(
    fc.asyncProperty(fc.oneof(request, fc.uint8Array({ minLength: 1, maxLength: 300 })), async (bytes) => {
      const said = await exchange(bytes);
      const status = Number(/^HTTP\/1\.1 (\d+)/.exec(said)?.[1] ?? 0);
      assert.ok(status < 500, `${status} to ${Buffer.from(bytes).toString('latin1')}: ${said}`);
    }),
    bounded(150),
  );
  await assertWell();
});

/** Sends bytes, ends its half, and reads until the other side closes or says nothing for a while. */
function exchange(bytes: Uint8Array): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    const socket = net.connect(port, '127.0.0.1', () => socket.end(bytes));
    socket.setTimeout(patienceMs, () => {
      // An event stream that was asked for in earnest stays open.
      if (!said.includes('text/event-stream'))
        reject(new Error(`the connection stays open: ${Buffer.from(bytes).toString('latin1')}`));
      socket.destroy();
    });
    socket.on('data', (chunk: Buffer) => {
      said += chunk.toString('latin1');
      if (said.includes('text/event-stream')) socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(said));
  });
}

test('request fuzz - no listener takes a command, and no process is started (U1)', async () => {
  verifies('fuzz:no-commands');
  const admin = Number(new URL(toolbus.ready.admin).port);
  const before = childrenOf(toolbus.pid);
  const proof = {
    command: process.execPath,
    args: ['-e', 'setTimeout(()=>{},60000)'],
    env: { A: 'b' },
    transport: 'stdio',
    type: 'stdio',
  };
  const bodies = [
    proof,
    { server: proof },
    { name: 'x', config: proof },
    { mcpServers: { x: proof } },
    { servers: { x: proof } },
  ];
  const paths = [
    '/mcp',
    '/mcp/x',
    '/sse',
    '/messages',
    '/api/servers',
    '/api/servers/x',
    '/api/tools',
    '/api/config',
    '/api/mcp/test',
    '/mcp-rest/test/connection',
    '/servers',
    '/config',
    '/reload',
    '/admin',
    '/',
  ];
  const allowed = new Set([400, 401, 403, 404, 405, 406, 415]);
  for (const [to, credentials] of [
    [port, bearer(key)],
    [admin, {}],
  ] as const) {
    for (const path of paths) {
      for (const verb of ['POST', 'PUT', 'PATCH', 'DELETE']) {
        for (const body of bodies) {
          const headers = {
            'content-type': 'application/json',
            accept: 'application/json, text/event-stream',
            ...credentials,
          };
          const { status } = await send({ port: to, method: verb, path, headers, body: JSON.stringify(body) });
          assert.ok(
            allowed.has(status),
            `${verb} ${path} on ${to === port ? 'the public' : 'the admin'} listener: ${status}`,
          );
        }
      }
    }
  }
  for (const dialect of dialects) {
    const agentNow = await talk(dialect, new URL(toolbus.ready.mcp).origin, bearer(key));
    for (const asked of ['initialize', 'servers/add', 'tools/call', 'completion/complete', 'resources/read']) {
      const { message } = await agentNow.ask(asked, {
        ...proof,
        ...(asked === 'tools/call' && { name: 'h__echo', arguments: proof }),
      });
      assert.ok(message, asked);
    }
    agentNow.close();
  }
  assert.deepEqual(childrenOf(toolbus.pid), before);
});

function childrenOf(pid: number): string[] {
  return descendantsOf(pid)
    .map((one) => `${one.pid} ${one.command}`)
    .sort();
}
