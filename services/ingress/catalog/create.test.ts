import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import type { Principal } from '../../../shared/mcp/call.ts';
import type { View } from './catalog.ts';
import { createCatalog, type LiveCatalog } from './create.ts';
import {
  agent,
  catalogOf,
  configOf,
  everyone,
  itemsOf,
  manifestOf,
  sealer,
  statusOf,
  tool,
} from './testing/fixtures.ts';

function allOf(catalog: LiveCatalog, principal: Principal = everyone): View {
  const view = catalog.view({ kind: 'all' }, principal);
  assert.ok(view);
  return view;
}

function serverOf(catalog: LiveCatalog, name: string, principal: Principal = everyone): View | undefined {
  return catalog.view({ kind: 'server', name }, principal);
}

function names(view: View): unknown[] {
  return itemsOf(view.list('tools', 'modern', undefined).body, 'tools').map(({ name }) => name);
}

const a = manifestOf('a', { tools: [tool('z'), tool('b.c')], prompts: [{ name: 'ask' }] });
const b = manifestOf('b', { tools: [tool('x')] });

test('catalog - lists by server name, then in the server’s own order, whatever came first', () => {
  const expected = ['a__z', 'a__b_c', 'b__x'];
  assert.deepEqual(names(allOf(catalogOf({}, [a, b]))), expected);
  assert.deepEqual(names(allOf(catalogOf({}, [b, a]))), expected);
  assert.equal(allOf(catalogOf({}, [a, b])).version, allOf(catalogOf({}, [b, a])).version);
});

test('catalog - a server’s own endpoint leaves names untouched', () => {
  const view = serverOf(catalogOf({}, [a, b]), 'a');
  assert.ok(view);
  assert.deepEqual(names(view), ['z', 'b.c']);
  assert.equal(view.tool('b.c')?.target, 'b.c');
  assert.equal(view.tool('a__z'), undefined);
  assert.deepEqual(view.serverInfo, { name: 'a itself', version: '1.0.0' });
});

test('catalog - a changed name keeps the original in _meta, an unchanged one has none', () => {
  const [first, second] = itemsOf(allOf(catalogOf({}, [a])).list('tools', 'modern', undefined).body, 'tools');
  assert.deepEqual(first, { ...tool('z'), name: 'a__z' });
  assert.deepEqual(second, { ...tool('b.c'), name: 'a__b_c', _meta: { 'toolbus/originalName': 'b.c' } });
});

test('catalog - shows the configured servers that are not disabled, or all when none is configured', () => {
  const config = { servers: { a: { command: 'x' }, b: { command: 'x', disabled: true } } };
  const catalog = catalogOf(config, [a, b]);
  assert.deepEqual(allOf(catalog).servers, ['a']);
  assert.equal(serverOf(catalog, 'b'), undefined);
  assert.equal(serverOf(catalog, '__proto__'), undefined);
  assert.deepEqual(allOf(catalogOf({}, [a, b])).servers, ['a', 'b']);
});

test('catalog - a configured server that never came up has an empty endpoint', () => {
  const view = serverOf(catalogOf({ servers: { c: { command: 'x' } } }, []), 'c');
  assert.ok(view);
  assert.deepEqual(names(view), []);
});

test('catalog - agents with equal rights share a view; others do not', () => {
  const agents = { one: { allow: ['a__*'] }, two: { allow: ['a__*'] }, three: { allow: ['b__*'] } };
  const catalog = catalogOf({ agents }, [a, b]);
  assert.equal(allOf(catalog, agent('one')), allOf(catalog, agent('two')));
  assert.deepEqual(names(allOf(catalog, agent('three'))), ['b__x']);
  assert.equal(serverOf(catalog, 'a', agent('three')), undefined);
  assert.equal(allOf(catalog, agent('one')).list('tools', 'modern', undefined).cache.scope, 'private');
});

test('catalog - a toolset endpoint shows what toolset and agent have in common', () => {
  const config = {
    toolsets: { set: { tools: ['a__z', 'b__*'] } },
    agents: { one: { allow: ['a__*'] }, none: {} },
    servers: { a: { command: 'x' }, b: { command: 'x' } },
  };
  const catalog = catalogOf(config, [a, b]);
  const at = (principal: Principal) => catalog.view({ kind: 'toolset', name: 'set' }, principal);
  assert.deepEqual(names(at(agent('one')) ?? assert.fail()), ['a__z']);
  assert.deepEqual(names(at(everyone) ?? assert.fail()), ['a__z', 'b__x']);
  assert.equal(at(agent('none')), undefined);
});

test('catalog - what is listed can be called and nothing else', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', '_', '.', '/'), minLength: 1, maxLength: 6 });
  const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '_', '*', 's'), minLength: 1, maxLength: 8 });
  const tools = fc.uniqueArray(word, { maxLength: 12 });
  fc.assert(
    fc.property(tools, tools, fc.array(pattern), fc.array(pattern), (first, second, allow, deny) => {
      const manifests = [
        manifestOf('s', { tools: first.map((name) => tool(name)) }),
        manifestOf('s_', { tools: second.map((name) => tool(name)) }),
      ];
      const catalog = catalogOf({ agents: { one: { allow, deny } } }, manifests);
      const everything = names(allOf(catalog));
      const view = allOf(catalog, agent('one'));
      const listed = new Set(names(view));
      assert.equal(new Set(everything).size, first.length + second.length);
      for (const name of everything) assert.equal(view.tool(String(name)) !== undefined, listed.has(name));
      for (const name of listed) {
        const found = view.tool(String(name));
        assert.ok((found?.server === 's' ? first : second).includes(found?.target ?? ''));
      }
    }),
    { numRuns: 200 },
  );
});

test('catalog - one bad definition neither hides its neighbours nor reaches an agent', () => {
  const bad = [
    { description: 'no name' },
    tool('__proto__'),
    tool('constructor'),
    tool('array', { inputSchema: [] }),
    tool('string', { inputSchema: { type: 'string' } }),
    tool('long', { description: 'x'.repeat(70_000) }),
    tool('bidi\u202e'),
    tool('meta', { _meta: 'x' }),
    tool('good'),
  ];
  const catalog = catalogOf({}, [manifestOf('s', { tools: [tool('good'), ...bad] })]);
  assert.deepEqual(names(allOf(catalog)), ['s__good']);
  const rows = catalog.describe({ all: true });
  assert.equal(rows.filter(({ status }) => status === 'quarantined').length, bad.length);
  assert.ok(rows.every(({ status, reason }) => status === 'visible' || reason));
});

test('catalog - text that agents see is cleaned, everything else is kept', () => {
  const definition = tool('t', {
    description: 'a\u001b[2Jb\u{e0041}',
    icons: [{ src: 'https://x/i.png' }],
    future: { keep: [1] },
    inputSchema: { type: 'object', oneOf: [{ $ref: '#/$defs/x' }], $defs: { x: {} } },
  });
  const [item] = itemsOf(
    allOf(catalogOf({}, [manifestOf('s', { tools: [definition] })])).list('tools', 'modern', undefined).body,
    'tools',
  );
  assert.deepEqual(item, { ...definition, name: 's__t', description: 'ab' });
});

test('catalog - each era gets its own words', () => {
  const definition = tool('t', { execution: { taskSupport: 'optional', future: 1 }, outputSchema: { type: 'array' } });
  const view = allOf(catalogOf({}, [manifestOf('s', { tools: [definition] })]));
  const [modern] = itemsOf(view.list('tools', 'modern', undefined).body, 'tools');
  const [legacy] = itemsOf(view.list('tools', 'legacy', undefined).body, 'tools');
  assert.equal(modern?.execution, undefined);
  assert.deepEqual(modern?.outputSchema, { type: 'array' });
  assert.deepEqual(legacy?.execution, { future: 1 }, 'toolbus sees to tasks itself');
  assert.deepEqual(legacy?.outputSchema, {
    type: 'object',
    properties: { result: { type: 'array' } },
    required: ['result'],
  });
});

test('catalog - a schema without type is completed, because strict clients drop the whole list', () => {
  const view = allOf(catalogOf({}, [manifestOf('s', { tools: [tool('t', { inputSchema: { properties: {} } })] })]));
  const [item] = itemsOf(view.list('tools', 'modern', undefined).body, 'tools');
  assert.deepEqual(item?.inputSchema, { type: 'object', properties: {} });
});

test('catalog - a change makes a new view, and only the changed list gets a new version', () => {
  const catalog = catalogOf({}, [a, b]);
  const before = allOf(catalog);
  assert.equal(allOf(catalog), before);
  catalog.setManifest('b', manifestOf('b', { tools: [tool('x'), tool('y')] }));
  const after = allOf(catalog);
  assert.notEqual(after.version, before.version);
  assert.notEqual(after.listVersions.tools, before.listVersions.tools);
  assert.equal(after.listVersions.prompts, before.listVersions.prompts);
  assert.deepEqual(names(before), ['a__z', 'a__b_c', 'b__x']);
  catalog.setManifest('b', undefined);
  assert.deepEqual(allOf(catalog).servers, ['a']);
});

test('catalog - a server without workers keeps its tools and is named in the instructions', () => {
  const catalog = catalogOf({}, [a]);
  catalog.setInstance(statusOf('a', 'one'));
  const up = allOf(catalog);
  assert.doesNotMatch(up.instructions ?? '', /Not available/);
  catalog.removeInstance('a', 'one');
  const down = allOf(catalog);
  assert.match(down.instructions ?? '', /Not available now: a \(down\)/);
  assert.deepEqual(names(down), names(up));
  assert.deepEqual(down.listVersions, up.listVersions);
  catalog.setInstance(statusOf('a', 'two', { state: 'failed' }));
  assert.match(allOf(catalog).instructions ?? '', /a \(failed\)/);
});

test('catalog - heartbeats that only tell of load change no view', () => {
  const catalog = catalogOf({}, [a]);
  catalog.setInstance(statusOf('a', 'one'));
  const view = allOf(catalog);
  catalog.setInstance(statusOf('a', 'one', { inFlight: 7 }));
  assert.equal(allOf(catalog), view);
  assert.equal(catalog.instances('a')[0]?.inFlight, 7);
});

test('catalog - tells listeners once about many changes, until they unsubscribe', async () => {
  const catalog = catalogOf({}, []);
  let calls = 0;
  const stop = catalog.onChange(() => {
    calls += 1;
  });
  // Its own timer is no reason for a process to go on, so the test waits with one that is.
  for (let at = 0; at < 20; at += 1) catalog.setManifest(`s${at}`, manifestOf(`s${at}`));
  await sleep(120);
  assert.equal(calls, 1);
  stop();
  catalog.configChanged();
  await sleep(120);
  assert.equal(calls, 1);
  catalog.close();
});

test('catalog - follows the configuration', () => {
  let config = configOf({ agents: { one: { allow: ['a__z'] } } });
  const catalog = createCatalog({ config: () => config, sealer });
  catalog.setManifest('a', a);
  assert.deepEqual(names(allOf(catalog, agent('one'))), ['a__z']);
  config = configOf({ agents: { one: { allow: ['a__*'], deny: ['*__z'] } } });
  assert.deepEqual(names(allOf(catalog, agent('one'))), ['a__b_c']);
});

test('catalog - declares the union of what its servers serve', () => {
  const one = manifestOf('one', { capabilities: { tools: {}, extensions: { x: { v: 1 } }, tasks: {} } });
  const two = manifestOf('two', {
    capabilities: { resources: { subscribe: true }, logging: {}, extensions: { y: {} } },
  });
  assert.deepEqual(allOf(catalogOf({}, [one, two])).capabilities, {
    tools: { listChanged: true },
    resources: { listChanged: true, subscribe: true },
    logging: {},
    extensions: { x: { v: 1 }, y: {} },
  });
});

test('catalog - a cache hint is the least that any server gave', () => {
  const hinted = (server: string, ttlMs: number) => manifestOf(server, { cache: { ttlMs, scope: 'public' } });
  const cacheOf = (config: object, ...manifests: ReturnType<typeof hinted>[]) =>
    allOf(catalogOf(config, manifests)).list('tools', 'modern', undefined).cache;
  assert.deepEqual(cacheOf({}, hinted('s', 900), hinted('t', 300)), { ttlMs: 300, scope: 'public' });
  assert.deepEqual(cacheOf({}, hinted('s', 900), manifestOf('t')), { ttlMs: 0, scope: 'private' });
  assert.deepEqual(cacheOf({ agents: { one: {} } }, hinted('s', 900)), { ttlMs: 900, scope: 'private' });
});

test('catalog - explains what became of every tool', () => {
  const config = {
    servers: { a: { command: 'x', tools: { deny: ['w'] } } },
    agents: { one: { allow: ['a__z', 'a__b*', 'a__w'] } },
  };
  const catalog = catalogOf(config, [manifestOf('a', { tools: ['z', 'b.c', 'w', 'v'].map((name) => tool(name)) })]);
  const status = (query: { agent?: string; all?: boolean }) =>
    catalog.describe(query).map(({ name, status: is }) => `${name} ${is}`);
  assert.deepEqual(status({ agent: 'one', all: true }), [
    'a__z visible',
    'a__b_c renamed',
    'a__w hidden',
    'a__v hidden',
  ]);
  assert.deepEqual(status({ agent: 'one' }), ['a__z visible', 'a__b_c renamed']);
  assert.deepEqual(status({}), ['a__z visible', 'a__b_c renamed', 'a__v visible']);
  assert.throws(() => catalog.describe({ agent: 'nobody' }), /names no agent "nobody"/);
});

test('catalog - a method of a server’s own is for agents that may use it', () => {
  const catalog = catalogOf({ agents: { one: { allow: ['a__z'] }, two: { allow: ['a__*'] } } }, [a]);
  assert.equal(serverOf(catalog, 'a', agent('one'))?.vendorMethod('vendor/x'), undefined);
  assert.equal(serverOf(catalog, 'a', agent('two'))?.vendorMethod('vendor/x'), 'a');
  assert.equal(allOf(catalog).vendorMethod('vendor/x'), undefined);
});
