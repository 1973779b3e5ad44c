import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agentWithKey } from '../helpers/keys.ts';
import { startToolbus } from '../helpers/toolbus.ts';
import { verifies } from '../requirements.ts';
import { startAnsweringUpstream } from './answering-upstream.ts';
import { bearer, dialects, type Talk, talk } from './dialects.ts';
import { echoTool } from './hostile.ts';
import { scale } from './scale.ts';

const random = () => Math.random().toString(36).slice(2);

/** One request with something in it that nobody knows. */
async function invent(agent: Talk, index: number): Promise<void> {
  const code = Math.floor(Math.random() * 1e9);
  if (index % 20 === 0) await agent.ask(`x/${random()}`);
  else if (index % 20 === 1) await agent.ask('tools/call', { name: 'up__codes', arguments: { code } });
  else await agent.ask('tools/call', { name: random(), arguments: { [random()]: random() } });
}

test('operations - 10,000 names, methods and codes that others invent add no series to the metrics (L5)', async () => {
  verifies('metrics:bounded');
  const { key, agent } = agentWithKey();
  await using upstream = await startAnsweringUpstream({
    tools: [echoTool('codes')],
    answer:
      ({ id, args }) =>
      (res) => {
        res.writeHead(200, { 'content-type': 'application/json' });
        res.end(JSON.stringify({ jsonrpc: '2.0', id, error: { code: args['code'], message: 'no' } }));
      },
  });
  const roomy = { rate: '100000/s', burst: 100_000, concurrency: 2_000 };
  const config = { servers: { up: { url: upstream.url } }, agents: { a: agent }, limits: roomy };
  await using toolbus = await startToolbus({ config: { ...config, audit: { mode: 'best-effort' } } });
  const { origin } = new URL(toolbus.ready.mcp);
  const agents = await Promise.all(dialects.map((dialect) => talk(dialect, origin, bearer(key))));
  const makeSome = (count: number) =>
    Promise.all(
      agents.map(async (one) => {
        for (let index = 0; index < count / agents.length; index += 1) await invent(one, index);
      }),
    );
  const series = async () =>
    (await (await fetch(`${toolbus.ready.admin}/metrics`)).text())
      .split('\n')
      .filter((line) => /^(mcp|toolbus)_/.test(line))
      .map((line) => line.replace(/ [^ ]*$/, ''));
  await makeSome(100);
  const first = await series();
  await makeSome(10_000 * scale);
  assert.ok(first.length > 10);
  assert.deepEqual(
    (await series()).filter((one) => !first.includes(one)),
    [],
  );
  for (const one of agents) one.close();
});
