import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { readJournal } from '../fixtures/scripted/journal.ts';
import { agents, answers } from '../helpers/agents.ts';
import { type Fixture, fixtureCommand, startFixture } from '../helpers/fixture.ts';
import { startToolbus, type Toolbus } from '../helpers/toolbus.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

const dir = mkdtempSync(join(tmpdir(), 'toolbus-agents-'));
const journal = join(dir, 'journal');
const fixtures: Fixture[] = [];
let toolbus: Toolbus;

before(async () => {
  fixtures.push(
    await startFixture('conformance-v2'),
    await startFixture('conformance-v2', { args: ['--legacy'] }),
    await startFixture('conformance-v1'),
    await startFixture('scripted-upstream', { env: { JOURNAL: journal } }),
  );
  const [modern, legacy, v1, scripted] = fixtures.map(({ url }) => ({ url }));
  toolbus = await startToolbus({
    config: {
      servers: {
        modern,
        legacy,
        v1,
        scripted,
        stdio: { ...fixtureCommand('scripted-upstream', ['--stdio']), env: { JOURNAL: journal } },
      },
    },
  });
});

after(async () => {
  await toolbus?.[Symbol.asyncDispose]();
  for (const fixture of fixtures) await fixture[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

for (const { name, open } of agents) {
  describe(`agent ${name}`, () => {
    verifies('agent:sdk-v1', 'agent:sdk-v2', 'agent:http-sse');
    const connect = (server: string) => open(`${toolbus.ready.mcp}/${server}`, toolbus.ready.key);

    test('tools - are listed with the prefix of their server on /mcp', async () => {
      verifies('call:prefix');
      await using agent = await open(toolbus.ready.mcp, toolbus.ready.key);
      const tools = await agent.tools();
      for (const expected of ['modern__test_simple_text', 'v1__test_simple_text', 'stdio__run']) {
        assert.ok(tools.includes(expected), `${expected} is listed`);
      }
      assert.deepEqual(tools, [...new Set(tools)], 'no name stands twice');
      const { text } = await agent.call('stdio__run', { id: 'prefixed' });
      assert.match(text, /^prefixed by \d+$/);
    });

    for (const server of ['modern', 'legacy', 'v1']) {
      test(`tools of ${server} - are called by their own names`, async () => {
        await using agent = await connect(server);
        assert.ok((await agent.tools()).includes('test_simple_text'));
        const { text, isError } = await agent.call('test_simple_text');
        assert.equal(text, 'This is a simple text response for testing.');
        assert.equal(isError, false);
      });

      test(`progress of ${server} - arrives in order before the answer`, async () => {
        verifies('call:progress');
        await using agent = await connect(server);
        const seen: number[] = [];
        const { isError } = await agent.call('test_tool_with_progress', {}, { onProgress: (n) => void seen.push(n) });
        assert.equal(isError, false);
        assert.deepEqual(seen, [0, 50, 100]);
      });

      test(`questions of ${server} - reach the agent and its answers go back`, async () => {
        verifies('call:questions');
        await using agent = await connect(server);
        const elicited = await agent.call('test_elicitation', { message: 'Who are you?' });
        assert.match(elicited.text, /accept/);
        assert.match(elicited.text, new RegExp(answers.content.email));
        const sampled = await agent.call('test_sampling', { prompt: 'Say something' });
        assert.match(sampled.text, new RegExp(answers.sample));
      });

      test(`prompts and resources of ${server} - are listed and read`, async () => {
        await using agent = await connect(server);
        assert.ok((await agent.prompts()).includes('test_simple_prompt'));
        assert.match(await agent.read('test://static-text'), /content of the static text resource/);
        assert.match(await agent.read('test://template/42/data'), /42/);
      });
    }

    test('errors of a tool - are results with isError', async () => {
      await using agent = await connect('modern');
      const { text, isError } = await agent.call('test_error_handling');
      assert.equal(isError, true);
      assert.match(text, /intentionally/);
    });

    test('unknown tool - answers -32602', async () => {
      verifies('error:unknown-tool');
      await using agent = await connect('scripted');
      await assert.rejects(agent.call('no_such_tool'), { code: -32602 });
    });

    for (const server of ['scripted', 'stdio']) {
      test(`cancel at ${server} - reaches the upstream`, async () => {
        verifies('call:cancel');
        await using agent = await connect(server);
        const id = `cancel-${server}-${name}`;
        const abort = new AbortController();
        const call = agent.call('run', { id, hang: true }, { signal: abort.signal });
        call.catch(() => undefined);
        const has = (what: string) => readJournal(journal).some((entry) => entry.id === id && entry.what === what);
        await until('the call starts', () => has('start'));
        abort.abort(new Error('the test cancels'));
        await assert.rejects(call);
        await until('the upstream hears of it', () => has('cancelled'));
        assert.equal(has('effect'), false);
      });
    }
  });
}
