import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { agentWithKey } from '../helpers/keys.ts';
import { startToolbus, type Toolbus } from '../helpers/toolbus.ts';
import { verifies } from '../requirements.ts';
import { type AnsweringUpstream, startAnsweringUpstream } from './answering-upstream.ts';
import { bearer, dialects, talk } from './dialects.ts';
import { echoTool } from './hostile.ts';
import { scale } from './scale.ts';

const [ann, bob, cara, dan] = [agentWithKey(), agentWithKey(), agentWithKey(), agentWithKey()];
const colours = (count: number, rest: object = {}) =>
  Array.from({ length: count }, (_, index) => echoTool(`${index % 2 === 0 ? 'red' : 'blue'}_${index}`, rest));
/** Of these each agent sees half, which is more than one page (4 MiB). */
const large = colours(40, { inputSchema: { type: 'object', $comment: 'x'.repeat(240_000) } });

let one: AnsweringUpstream;
let big: AnsweringUpstream;
let toolbus: Toolbus;
let origin: string;

before(async () => {
  const delayMs = () => Math.floor(Math.random() * 5);
  one = await startAnsweringUpstream({ tools: [echoTool('echo'), ...colours(20)], delayMs });
  big = await startAnsweringUpstream({ tools: large });
  const roomy = { rate: '100000/s', burst: 100_000, concurrency: 2_000 };
  toolbus = await startToolbus({
    config: {
      servers: { one: { url: one.url, concurrency: 64, limits: roomy }, big: { url: big.url } },
      agents: {
        ann: { ...ann.agent, allow: ['one__echo', 'one__red_*'] },
        bob: { ...bob.agent, allow: ['one__echo', 'one__blue_*'] },
        cara: { ...cara.agent, allow: ['big__red_*'] },
        dan: { ...dan.agent, allow: ['big__blue_*'] },
      },
      limits: roomy,
      audit: { mode: 'best-effort' },
    },
  });
  ({ origin } = new URL(toolbus.ready.mcp));
});

after(async () => {
  await toolbus?.[Symbol.asyncDispose]();
  await one?.[Symbol.asyncDispose]();
  await big?.[Symbol.asyncDispose]();
});

test('isolation - 200 clients that all use the id 0 get their own answers alone, 20,000 times (I2)', async () => {
  verifies('isolation:ids');
  const clients = 200;
  const each = 100 * scale;
  const foreign: string[] = [];
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      const dialect = dialects[client % dialects.length];
      assert.ok(dialect);
      const agent = await talk(dialect, origin, bearer(client % 2 === 0 ? ann.key : bob.key));
      for (let turn = 0; turn < each; turn += 1) {
        const nonce = `${client}-${turn}`;
        const params = { name: 'one__echo', arguments: { nonce } };
        let { message } = await agent.send(agent.request('tools/call', params, { id: 0 }));
        // A machine under load may refuse a call that did not run; it is made again.
        while (message?.error?.data?.['executed'] === 'no')
          ({ message } = await agent.send(agent.request('tools/call', params, { id: 0 })));
        const content = message?.result?.['content'] as { text: string }[] | undefined;
        if (message?.id !== 0 || content?.[0]?.text !== JSON.stringify({ nonce }))
          foreign.push(`${nonce}: ${JSON.stringify(message)}`);
      }
      agent.close();
    }),
  );
  assert.deepEqual(foreign, []);
  assert.equal(new Set(one.calls.map(({ args }) => args['nonce'])).size, clients * each, 'each call ran');
});

for (const dialect of dialects) {
  test(`isolation ${dialect.name} - 1,000 alternating lists hold nothing of the other agent, on any page (I10)`, async () => {
    verifies('isolation:lists');
    for (const [pair, turns, least] of [
      [[ann, bob], 1_000 * scale, 1],
      [[cara, dan], 2, 2],
    ] as const) {
      const agents = await Promise.all(pair.map(({ key }) => talk(dialect, origin, bearer(key))));
      const cursors: string[] = [];
      for (let turn = 0; turn < turns; turn += 1) {
        const mine = turn % 2;
        const foreign = mine === 0 ? /blue/ : /red/;
        let cursor: unknown;
        let pages = 0;
        do {
          const answer = await agents[mine]?.ask('tools/list', cursor === undefined ? {} : { cursor });
          const { tools, nextCursor, cacheScope } = answer?.message?.result ?? {};
          const names = (tools as { name: string }[]).map(({ name }) => name);
          assert.ok(names.length > 0);
          assert.doesNotMatch(names.join(' '), foreign);
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
}
