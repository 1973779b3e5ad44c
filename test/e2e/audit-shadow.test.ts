import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { fixtureCommand } from '../helpers/fixture.ts';
import { callTool } from '../helpers/rpc.ts';
import { runToolbus, startToolbus } from '../helpers/toolbus.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

test('audit shadow - copies of read-only calls go to another version, and what differs is recorded', async () => {
  verifies('audit:shadow');
  const shop = (version: string) => ({ ...fixtureCommand('versioned-shop'), env: { VERSION: version } });
  await using toolbus = await startToolbus({
    config: {
      servers: {
        shop: { ...shop('1'), shadow: { to: 'shop-next', percent: 100, tools: ['price', 'buy'] } },
        'shop-next': shop('2'),
      },
    },
  });
  const where = ['--config', toolbus.configFile, '--data-dir', join(toolbus.dir, 'data'), '--json'];
  const call = (name: string, item: number) =>
    callTool(toolbus.ready.mcp, `shop__${name}`, { item }, { key: toolbus.ready.key });
  for (const [name, item] of [
    ['price', 8],
    ['price', 1007],
    ['stock', 1],
    ['buy', 1],
  ] as const) {
    const { response } = await call(name, item);
    assert.ok(response?.result, `${name}: ${JSON.stringify(response)}`);
  }
  const records = async (...args: string[]) => {
    const { stdout } = await runToolbus(['audit', 'search', ...args, ...where]);
    return stdout
      .trim()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  };
  await until(
    'both copies are recorded',
    async () => (await records('--agent', 'shadow', '--outcome', 'ok')).length === 2,
  );
  const copies = (await records('--agent', 'shadow')).filter(({ kind }) => kind === 'intent');
  assert.deepEqual(
    copies.map(({ server, tool }) => `${server} ${tool}`),
    ['shop-next price', 'shop-next price'],
  );
  const [event, ...others] = await records('"event":"shadow"');
  assert.deepEqual(others, [], 'answers that are the same leave no event');
  assert.equal(event.detail.verdict, 'different');
  assert.deepEqual(
    event.detail.differences.map(({ path }: { path: string }) => path),
    ['/content/0/text/price', '/structuredContent/price'],
  );
  const [original] = (await records('--agent', 'development', '--tool', 'price')).filter(
    ({ call: id }) => id === event.detail.of,
  );
  assert.equal(original.server, 'shop');
});

test('audit shadow - a server that does not exist is refused by name', async () => {
  verifies('audit:shadow', 'config:invalid');
  const config = {
    servers: {
      shop: { ...fixtureCommand('versioned-shop'), shadow: { to: 'shop-nxt' } },
      'shop-next': fixtureCommand('versioned-shop'),
    },
  };
  await assert.rejects(startToolbus({ config }), /shadow\.to/);
});
