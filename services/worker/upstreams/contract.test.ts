import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../shared/errors.ts';
import type { AgentContext } from '../../../shared/mcp/call.ts';
import {
  callOf,
  legacyAgent,
  modernAgent,
  nodeArgs,
  openTestUpstream,
  run,
  startServer,
  type TestServer,
  type TestUpstream,
  textOf,
} from './testing/harness.ts';

/** One contract, run over every transport and era. */
interface Subject {
  readonly agent: AgentContext;
  readonly eras: readonly string[];
  readonly transport: string;
  /** How the fixture asks: a server request that we turn into `input_required`, or `input_required` of its own. */
  readonly asks: 'held' | 'itself' | 'never';
  open(): Promise<{ test: TestUpstream; server?: TestServer }>;
}

const stdio = (file: string) => async () => ({
  test: await openTestUpstream({ command: process.execPath, args: nodeArgs(file, 'stdio') }),
});
const http =
  (file: string, mode: string, config = {}) =>
  async () => {
    const server = await startServer(nodeArgs(file, mode));
    return { server, test: await openTestUpstream({ url: server.url, ...config }) };
  };

const subjects: Record<string, Subject> = {
  'stdio legacy': {
    agent: modernAgent,
    eras: ['legacy'],
    transport: 'stdio',
    asks: 'held',
    open: stdio('v1-server.ts'),
  },
  'stdio modern': {
    agent: modernAgent,
    eras: ['modern'],
    transport: 'stdio',
    asks: 'itself',
    open: stdio('v2-server.ts'),
  },
  'http legacy': {
    agent: legacyAgent,
    eras: ['legacy'],
    transport: 'http',
    asks: 'held',
    open: http('v1-server.ts', 'http'),
  },
  'http modern': {
    agent: legacyAgent,
    eras: ['modern'],
    transport: 'http',
    asks: 'itself',
    open: http('v2-server.ts', 'http-modern'),
  },
  'http both, modern agent': {
    agent: modernAgent,
    eras: ['modern', 'legacy'],
    transport: 'http',
    asks: 'itself',
    open: http('v2-server.ts', 'http'),
  },
  'http both, legacy agent': {
    agent: legacyAgent,
    eras: ['modern', 'legacy'],
    transport: 'http',
    asks: 'never',
    open: http('v2-server.ts', 'http'),
  },
  sse: { agent: modernAgent, eras: ['legacy'], transport: 'sse', asks: 'held', open: http('v1-server.ts', 'sse') },
};

for (const [name, { agent, eras, transport, asks, open }] of Object.entries(subjects)) {
  test(`upstream ${name} - keeps the contract`, { timeout: 60_000 }, async (t) => {
    const { test: opened, server } = await open();
    const { upstream } = opened;
    t.after(async () => {
      await upstream.close();
      await server?.[Symbol.asyncDispose]();
    });
    const call = (tool: string, more = {}, args = {}) => callOf(tool, { agent, ...more }, args);

    await t.test('the manifest tells what it offers, with unknown members', async () => {
      const manifest = await opened.manifest();
      await opened.state('ready');
      assert.deepEqual(manifest.eras, eras);
      assert.equal(upstream.transport, transport);
      assert.equal(upstream.protocolVersion, manifest.protocolVersion);
      assert.equal(manifest.instructions, 'be kind');
      const echo = manifest.tools.find((tool) => tool['name'] === 'echo');
      assert.deepEqual(echo?.['x-unknown'], { kept: true });
      assert.ok(!manifest.tools.some((tool) => tool['name'] === 'misannotated'));
      assert.match(manifest.hash, /^[0-9a-f]{64}$/);
    });

    await t.test('a result comes back unchanged', async () => {
      const { answer, notifications } = await run(upstream, call('echo', {}, { deep: [{ ü: '\u2028' }] }));
      assert.equal(answer.kind, 'result');
      if (answer.kind !== 'result') return;
      assert.equal(answer.resultType, 'complete');
      assert.ok(!('resultType' in answer.result));
      assert.equal(textOf(answer), '{"deep":[{"ü":"\u2028"}]}');
      assert.deepEqual(answer.result['x-unknown'], [1, { deep: null }]);
      assert.equal((answer.result['_meta'] as Record<string, unknown>)['vendor'], 'kept');
      assert.deepEqual(notifications, []);
    });

    await t.test('an error comes back as an error', async () => {
      const { answer } = await run(upstream, { ...call('echo'), method: 'no/such/method', params: {} });
      assert.equal(answer.kind === 'error' && answer.error.code, -32601);
    });

    await t.test('progress comes in order, and only when it is wanted', async () => {
      const quiet = await run(upstream, call('progress'));
      assert.equal(textOf(quiet.answer), 'quiet');
      const [one, two] = await Promise.all([
        run(upstream, call('progress', { wantsProgress: true })),
        run(upstream, call('progress', { wantsProgress: true })),
      ]);
      for (const { answer, notifications } of [one, two]) {
        assert.equal(textOf(answer), 'done');
        assert.deepEqual(
          notifications,
          [1, 2, 3].map((progress) => ({
            method: 'notifications/progress',
            params: { progress, total: 3, message: `step ${progress}` },
          })),
        );
      }
    });

    await t.test('cancel settles at once and reaches the upstream', async () => {
      const controller = new AbortController();
      const pending = run(upstream, call('slow'), controller.signal);
      await run(upstream, call('echo'));
      controller.abort(new GatewayError('upstream_timeout', 'too long'));
      await assert.rejects(pending, { reason: 'upstream_timeout' });
      if (name === 'http both, legacy agent') return; // stateless: the notification meets another instance of the server
      let seen = '';
      for (let tries = 0; tries < 100 && seen !== '1'; tries += 1) {
        seen = textOf((await run(upstream, call('cancelled'))).answer);
      }
      assert.equal(seen, '1');
    });

    await t.test('a question comes back as input_required and is answered', async () => {
      if (asks === 'never') return;
      const asking = call('ask');
      const { answer } = await run(upstream, asking);
      assert.equal(answer.kind, 'result');
      if (answer.kind !== 'result') return;
      assert.equal(answer.resultType, 'input_required');
      assert.equal(answer.result['resultType'], 'input_required');
      const requests = answer.result['inputRequests'] as Record<
        string,
        { method: string; params: { message: string } }
      >;
      const [key = ''] = Object.keys(requests);
      assert.equal(requests[key]?.method, 'elicitation/create');
      assert.equal(requests[key]?.params.message, 'Your name?');
      const inputResponses = { [key]: { action: 'accept', content: { name: 'Ada' } } };
      if (asks === 'held') {
        assert.ok(answer.park);
        const resumed = { ...asking, params: { ...asking.params, inputResponses }, park: answer.park };
        const stranger = await run(upstream, { ...resumed, principal: { id: 'mallory', method: 'key' } });
        assert.equal(stranger.answer.kind === 'error' && stranger.answer.error.code, -32602);
        assert.equal(textOf((await run(upstream, resumed)).answer), 'accept {"name":"Ada"}');
        const twice = await run(upstream, resumed);
        assert.equal(twice.answer.kind === 'error' && twice.answer.error.code, -32602);
      } else {
        assert.equal(answer.park, undefined);
        assert.equal(answer.result['requestState'], 'state ü "1"');
        const params = { ...asking.params, inputResponses, requestState: 'state ü "1"' };
        const { answer: last } = await run(upstream, { ...asking, params });
        assert.equal(textOf(last), '{"action":"accept","content":{"name":"Ada"}}');
      }
    });

    await t.test('an agent that cannot be asked is not', async () => {
      if (asks !== 'held') return;
      const { answer } = await run(upstream, call('ask', { agent: { ...agent, capabilities: {} } }));
      const modernAgentAsked = agent.protocolVersion === '2026-07-28';
      assert.equal(answer.kind === 'error' && answer.error.code, modernAgentAsked ? -32021 : -32601);
    });

    await t.test('list_changed makes a new manifest', async () => {
      await run(upstream, call('grow'));
      await opened.manifest(({ tools }) => tools.some((tool) => tool['name'] === 'grown'));
    });

    await t.test('the death of the server loses its calls', async () => {
      const states = opened.states.length;
      const pending = run(upstream, call('slow'));
      const dying = run(upstream, call('die'));
      await Promise.all([
        assert.rejects(dying, { reason: 'upstream_lost', executed: 'unknown' }),
        assert.rejects(pending, { reason: 'upstream_lost' }),
      ]);
      if (transport !== 'stdio') {
        // A keep-alive connection may not have heard of the death yet: then the call is lost on it.
        const reasons: unknown[] = [];
        while (reasons.at(-1) !== 'no_worker' && reasons.length < 100) {
          await run(upstream, call('echo')).catch((error: GatewayError) => reasons.push(error.reason));
        }
        assert.deepEqual(
          [...new Set(reasons)].filter((reason) => reason !== 'upstream_lost'),
          ['no_worker'],
        );
      }
      await opened.state('down', states);
      if (transport !== 'stdio') return;
      await opened.state('ready', states);
      assert.equal(textOf((await run(upstream, call('echo'))).answer), '{}');
      assert.equal(upstream.restarts, 1);
    });
  });
}
