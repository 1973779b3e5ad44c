import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  CallToolResultSchema,
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { until } from '../../../../test/helpers/until.ts';
import type { AgentReply, AgentRequest } from '../../request.ts';
import { complete, inputRequired, startTwoIngresses, type TwoIngresses, text } from './testing/two-ingresses.ts';

const questions = {
  form: {
    method: 'elicitation/create',
    params: { message: 'Who?', requestedSchema: { type: 'object', properties: {} } },
  },
  model: {
    method: 'sampling/createMessage',
    params: { messages: [{ role: 'user', content: { type: 'text', text: 'hi' } }], maxTokens: 5 },
  },
  roots: { method: 'roots/list' },
};

async function handle(request: AgentRequest, untilSeen: Promise<void>): Promise<AgentReply> {
  const { method, params, onNotification, signal } = request;
  if (method === 'tools/list') return complete({ tools: [{ name: 'ask', inputSchema: { type: 'object' } }] });
  switch (params['name']) {
    case 'ask':
      if (params['inputResponses'] !== undefined) return text(JSON.stringify(params['inputResponses']));
      return inputRequired({ inputRequests: questions });
    case 'progress':
      for (const progress of [1, 2])
        onNotification({ method: 'notifications/progress', params: { progress, total: 2 } });
      // This client drops progress that it reads together with the answer.
      await untilSeen;
      return text('done');
    case 'hang':
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    default:
      return text('plain');
  }
}

function createAgent(): Client {
  const capabilities = { elicitation: {}, sampling: {}, roots: { listChanged: true } };
  const agent = new Client({ name: 'sdk-v1', version: '1' }, { capabilities });
  agent.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { who: 'me' } }));
  agent.setRequestHandler(CreateMessageRequestSchema, () => ({
    model: 'm',
    role: 'assistant',
    content: { type: 'text', text: 'hello' },
  }));
  agent.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: 'file:///here' }] }));
  return agent;
}

/** Sends every request to the other ingress than the one before, as a proxy without affinity does. */
function roundRobin({ a, b }: TwoIngresses): typeof fetch {
  let turn = 0;
  return (url, init) => {
    turn += 1;
    const target = new URL(url instanceof Request ? url.url : url);
    target.port = String(turn % 2 === 0 ? a.port : b.port);
    return fetch(target, init);
  };
}

const transports: Readonly<Record<string, (cluster: TwoIngresses) => Transport>> = {
  'streamable http': (cluster) =>
    new StreamableHTTPClientTransport(new URL(`${cluster.a.url}/mcp`), { fetch: roundRobin(cluster) }) as Transport,
  'http+sse': (cluster) => {
    const fetch = roundRobin(cluster);
    return new SSEClientTransport(new URL(`${cluster.a.url}/sse`), { fetch, eventSourceInit: { fetch } });
  },
};

for (const [name, connect] of Object.entries(transports)) {
  test(`sdk v1 over ${name} - works with every request at another ingress`, async () => {
    let seen = () => {};
    const untilSeen = new Promise<void>((resolve) => {
      seen = resolve;
    });
    await using cluster = await startTwoIngresses((request) => handle(request, untilSeen));
    const agent = createAgent();
    const heard: string[] = [];
    agent.setNotificationHandler(ToolListChangedNotificationSchema, () => void heard.push('tools'));
    agent.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => void heard.push(params.uri));
    try {
      await agent.connect(connect(cluster));
      assert.equal(agent.getInstructions(), 'Be kind.');
      assert.deepEqual(
        (await agent.listTools()).tools.map((tool) => tool.name),
        ['ask'],
      );
      for (let n = 0; n < 4; n += 1) {
        const { content } = await agent.callTool({ name: 'plain' });
        assert.deepEqual(content, [{ type: 'text', text: 'plain' }]);
      }
      await agent.ping();
      await agent.setLoggingLevel('error').catch(() => assert.fail('the level is not taken'));

      const progress: number[] = [];
      await agent.callTool({ name: 'progress' }, CallToolResultSchema, {
        onprogress(step) {
          progress.push(step.progress);
          if (step.progress === step.total) seen();
        },
      });
      assert.deepEqual(progress, [1, 2]);

      const asked = await agent.callTool({ name: 'ask' });
      const [answer] = asked.content as { text: string }[];
      assert.deepEqual(JSON.parse(answer?.text ?? ''), {
        form: { action: 'accept', content: { who: 'me' } },
        model: { model: 'm', role: 'assistant', content: { type: 'text', text: 'hello' } },
        roots: { roots: [{ uri: 'file:///here' }] },
      });

      const stop = new AbortController();
      const hanging = agent.callTool({ name: 'hang' }, CallToolResultSchema, { signal: stop.signal });
      const calls = () => [...cluster.a.calls, ...cluster.b.calls];
      const hung = () => calls().find(({ params }) => params['name'] === 'hang');
      await until('the call hangs', hung);
      stop.abort('enough');
      await assert.rejects(hanging);
      await until('the call is cancelled', () => hung()?.signal.aborted === true);

      await agent.subscribeResource({ uri: 'demo://x' });
      await until('the resource is watched', () => cluster.a.watched.size + cluster.b.watched.size > 0);
      for (const ingress of [cluster.a, cluster.b]) ingress.updated('demo', { uri: 'own://x' });
      cluster.catalog.change('tools');
      await until('both are told', () => heard.length >= 2);
      assert.deepEqual(heard, ['demo://x', 'tools']);
    } finally {
      await agent.close();
    }
    const open = () => cluster.cluster.attached + cluster.a.watched.size + cluster.b.watched.size;
    await until('nothing is left open', () => open() === 0);
  });
}
