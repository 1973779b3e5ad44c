import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fixtureCommand } from '../helpers/fixture.ts';
import { callTool } from '../helpers/rpc.ts';
import { runToolbus, startToolbus, type Toolbus } from '../helpers/toolbus.ts';
import { verifies } from '../requirements.ts';

const calls = 10_000;
const concurrency = 32;

let toolbus: Toolbus;
let where: string[];

before(async () => {
  const shop = (version: string) => ({
    ...fixtureCommand('versioned-shop'),
    env: { VERSION: version },
    concurrency: 64,
  });
  toolbus = await startToolbus({
    config: {
      servers: { shop: shop('1'), 'shop-next': shop('2') },
      audit: {
        results: 'full',
        replay: { ignore: { '*__stock': ['/structuredContent/asOf', '/content/*/text/asOf'] } },
      },
    },
  });
  where = ['--config', toolbus.configFile, '--data-dir', join(toolbus.dir, 'data')];
  // 9,000 prices, of which nine will differ; 900 stocks, whose time always differs; 50 each of what may not be, and cannot be, repeated.
  const plan = Array.from({ length: calls }, (_, n) => {
    if (n < 9_000) return { name: 'price', item: n };
    if (n < 9_900) return { name: 'stock', item: n };
    return { name: n % 2 === 0 ? 'buy' : 'discount', item: n };
  });
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      for (let next = plan.pop(); next !== undefined; next = plan.pop()) {
        const { name, item } = next;
        const { response } = await callTool(`${toolbus.ready.mcp}/shop`, name, { item }, { key: toolbus.ready.key });
        assert.ok(response?.result, JSON.stringify(response));
      }
    }),
  );
});
after(() => toolbus?.[Symbol.asyncDispose]());

interface Summary {
  readonly run: string;
  readonly same: number;
  readonly different: number;
  readonly failed: number;
  readonly skipped: number;
  readonly reasons: Readonly<Record<string, number>>;
  readonly catalog: readonly object[];
}

const replay = async (...args: string[]): Promise<Summary> => {
  const { code, stdout, stderr } = await runToolbus(['audit', 'replay', '--json', ...where, ...args], {
    timeoutMs: 180_000,
  });
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as Summary;
};

test('audit replay - against a changed version of a server it reports exactly what was planted', async () => {
  verifies('audit:replay', 'audit:diff');
  const result = await replay('--server', 'shop=shop-next');
  assert.deepEqual(
    { same: result.same, different: result.different, failed: result.failed, skipped: result.skipped },
    { same: 9_891, different: 9, failed: 0, skipped: 100 },
  );
  assert.deepEqual(result.reasons, {
    'the tool may change something': 50,
    'the tool is not there any more': 50,
  });
  assert.deepEqual(result.catalog, [
    { server: 'shop', now: 'shop-next', added: ['weight'], removed: ['discount'], changed: ['stock'] },
  ]);

  const diff = await runToolbus(['audit', 'diff', result.run, '--json', ...where]);
  assert.equal(diff.code, 6);
  const [head = '', ...lines] = diff.stdout.trim().split('\n');
  assert.deepEqual(JSON.parse(head).tools, [
    { tool: 'shop__price', calls: 9, paths: { '/content/0/text/price': 9, '/structuredContent/price': 9 } },
  ]);
  const items = lines.map((line) => JSON.parse(line).differences[1]);
  assert.deepEqual(
    items.map(({ before, after: now }) => now / before),
    Array.from({ length: 9 }, () => 2),
  );
  const ignoring = ['--ignore', '/structuredContent/price', '--ignore', '/content/*/text/price'];
  const ignored = await runToolbus(['audit', 'diff', result.run, ...ignoring, ...where]);
  assert.equal(ignored.code, 6, 'the tools that came and went are a difference as well');
  assert.doesNotMatch(ignored.stdout, /shop__price/);
  const text = await runToolbus(['audit', 'diff', result.run, ...where]);
  assert.match(text.stdout, /shop__price\s+9/);
  assert.match(text.stdout, /- discount/);
});

test('audit replay - against the same version nothing differs, and what it asked is marked in the audit', async () => {
  verifies('audit:replay');
  const result = await replay('--tool', 'stock', '--agent', 'development');
  assert.equal(result.different + result.failed + result.skipped, 0);
  assert.equal(result.same, 900);
  const diff = await runToolbus(['audit', 'diff', result.run, ...where]);
  assert.equal(diff.code, 0, diff.stdout);
  const { stdout } = await runToolbus(['audit', 'search', '--agent', 'replay', '--json', '--limit', '3', ...where]);
  const [first = '{}'] = stdout.trim().split('\n');
  assert.match(JSON.parse(first).replay.of, /^[0-9A-Z]{26}$/);
});

test('audit replay - sends to another toolbus by URL, with the rights of its key', async () => {
  verifies('audit:replay');
  const key = toolbus.ready.key ?? '';
  const args = [
    'audit',
    'replay',
    '--json',
    '--tool',
    'stock',
    '--to',
    toolbus.ready.mcp,
    '--agent',
    'development',
    ...where,
  ];
  const { code, stdout, stderr } = await runToolbus(args, { env: { TOOLBUS_API_KEY: key }, timeoutMs: 180_000 });
  assert.equal(code, 0, stderr);
  assert.equal(JSON.parse(stdout).same, 900);
  const refused = await runToolbus(args, { env: { TOOLBUS_API_KEY: 'wrong' } });
  assert.equal(refused.code, 3, refused.stderr);
});

test('audit replay - a dry run says what would be done; bad flags are named', async () => {
  verifies('audit:replay', 'cli:exit-codes');
  const { code, stdout } = await runToolbus([
    'audit',
    'replay',
    '--dry-run',
    '--server',
    'shop',
    '--agent',
    'development',
    ...where,
  ]);
  assert.equal(code, 0);
  assert.match(stdout, /would make \d+ calls again/);
  for (const args of [
    ['--speed', 'fast'],
    ['--to', 'nowhere'],
    ['--since', 'noon'],
    ['--server', 'nobody'],
    ['--resume', 'x'],
  ]) {
    const result = await runToolbus(['audit', 'replay', ...args, ...where]);
    assert.equal(result.code, 2, `${args.join(' ')}: ${result.stderr}`);
  }
  assert.equal((await runToolbus(['audit', 'diff', 'no-such-run', ...where])).code, 2);
});

test('audit reading - search, show and export tell of the same calls', async () => {
  verifies('audit:search', 'audit:show', 'audit:export');
  const found = await runToolbus(['audit', 'search', '"item":8990', '--json', ...where]);
  const intent = found.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .find(({ kind, replay: mark }) => kind === 'intent' && mark === undefined);
  assert.equal(intent.tool, 'price');
  const shown = await runToolbus(['audit', 'show', intent.call, ...where]);
  assert.equal(shown.code, 0, shown.stderr);
  assert.match(shown.stdout, /"item":8990/);
  assert.match(shown.stdout, /outcome: ok/);
  assert.equal((await runToolbus(['audit', 'show', '0'.repeat(26), ...where])).code, 5);
  const file = join(toolbus.dir, 'export.ndjson');
  const exported = await runToolbus(['audit', 'export', '--out', file, ...where], { timeoutMs: 120_000 });
  assert.equal(exported.code, 0, exported.stderr);
  const verified = await runToolbus(['audit', 'verify', '--file', file, ...where], { timeoutMs: 120_000 });
  assert.equal(verified.code, 0, `${verified.stdout}${verified.stderr}`);
});
