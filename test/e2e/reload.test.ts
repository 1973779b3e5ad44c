import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fixtureCommand } from '../helpers/fixture.ts';
import { callTool, modern, textOf } from '../helpers/rpc.ts';
import { startToolbus, type Toolbus } from '../helpers/toolbus.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

const scripted = fixtureCommand('scripted-upstream', ['--stdio']);

async function serversOf({ ready: { mcp, key } }: Toolbus): Promise<string[]> {
  const { response } = await modern(mcp, 'tools/list', {}, { key });
  const tools = (response?.result?.['tools'] ?? []) as { name: string }[];
  return [...new Set(tools.map(({ name }) => name.split('__')[0] ?? ''))].sort();
}

async function environmentOf({ ready: { mcp, key } }: Toolbus, server: string): Promise<Record<string, string>> {
  return JSON.parse(textOf(await callTool(mcp, `${server}__environment`, {}, { key })) || '{}') as Record<
    string,
    string
  >;
}

test('reload - servers are added, changed and removed while calls run', async () => {
  verifies('config:live-reload');
  await using toolbus = await startToolbus({ config: { servers: { first: scripted } } });
  const { mcp, key } = toolbus.ready;
  const running = callTool(mcp, 'first__run', { id: 'in-flight', delayMs: 4000 }, { key });

  toolbus.writeConfig({ servers: { first: scripted, second: scripted } });
  await until('the second server is there', async () => (await serversOf(toolbus)).join() === 'first,second');
  assert.match(textOf(await callTool(mcp, 'second__run', { id: 'new' }, { key })), /^new by/);

  toolbus.writeConfig({ servers: { first: scripted, second: { ...scripted, env: { COLOR: 'green' } } } });
  await until('the second server has its variable', async () => {
    return (await environmentOf(toolbus, 'second'))['COLOR'] === 'green';
  });

  toolbus.writeConfig({ servers: { second: { ...scripted, env: { COLOR: 'green' } } } });
  await until('the first server is gone', async () => (await serversOf(toolbus)).join() === 'second');
  assert.match(textOf(await running), /^in-flight by/, 'the call of the removed server was finished');
});

test('reload - a broken file is refused and the old configuration stays', async () => {
  verifies('config:broken-reload');
  await using toolbus = await startToolbus({ config: { servers: { first: scripted } } });
  const { mcp, key } = toolbus.ready;
  for (const broken of ['servers: [', '{"servers": {"first": {"comand": "x"}}}']) {
    const said = toolbus.logs.length;
    toolbus.writeConfig(broken);
    await until('the refusal is said', () => toolbus.logs.slice(said).some((line) => line.includes('toolbus.yaml')));
    assert.match(textOf(await callTool(mcp, 'first__run', { id: 'still' }, { key })), /^still by/);
  }
  toolbus.writeConfig({ servers: { first: scripted, second: scripted } });
  await until('the mended file applies', async () => (await serversOf(toolbus)).join() === 'first,second');
});
