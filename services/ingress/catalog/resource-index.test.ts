import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Principal } from '../../../shared/mcp/call.ts';
import type { ListKind, View } from './catalog.ts';
import type { LiveCatalog } from './create.ts';
import { agent, catalogOf, everyone, itemsOf, manifestOf, resource, template, tool } from './testing/fixtures.ts';

function allOf(catalog: LiveCatalog, principal: Principal = everyone): View {
  const view = catalog.view({ kind: 'all' }, principal);
  assert.ok(view);
  return view;
}

function uris(view: View, kind: ListKind): unknown[] {
  const member = kind === 'resources' ? 'uri' : 'uriTemplate';
  return itemsOf(view.list(kind, 'modern', undefined).body, kind).map((item) => item[member]);
}

const left = manifestOf('left', {
  resources: [resource('file:///same'), resource('left://own')],
  resourceTemplates: [template('doc://{id}'), template('left://x/{+rest}')],
  tools: [tool('show', { _meta: { ui: { resourceUri: 'file:///same' } } })],
});
const right = manifestOf('right_one', {
  resources: [resource('file:///same'), resource('doc://listed')],
  resourceTemplates: [template('doc://{id}')],
  tools: [tool('show', { _meta: { ui: { resourceUri: 'file:///same' }, 'ui/resourceUri': 'file:///other' } })],
});

test('resources - only the later of two equal URIs gets a prefix, and it leads back', () => {
  const view = allOf(catalogOf({}, [left, right]));
  const prefixed = 'toolbus+right.one:file:///same';
  assert.deepEqual(uris(view, 'resources'), ['file:///same', 'left://own', prefixed, 'doc://listed']);
  assert.deepEqual(uris(view, 'resourceTemplates'), ['doc://{id}', 'left://x/{+rest}', 'toolbus+right.one:doc://{id}']);
  assert.equal(view.resource('file:///same')?.server, 'left');
  assert.deepEqual(view.resource(prefixed)?.server, 'right_one');
  assert.equal(view.resource(prefixed)?.target, 'file:///same');
  assert.deepEqual(view.resource('toolbus+RIGHT.one:doc://7'), { server: 'right_one', target: 'doc://7' });
  assert.equal(view.agentUri('right_one', 'file:///same'), prefixed);
  assert.equal(view.agentUri('left', 'file:///same'), 'file:///same');
  assert.equal(view.agentUri('right_one', 'doc://7'), 'toolbus+right.one:doc://7');
  assert.equal(view.agentUri('left', 'doc://listed'), 'toolbus+left:doc://listed');
  const tools = itemsOf(view.list('tools', 'modern', undefined).body, 'tools');
  assert.deepEqual(tools[0]?._meta, { ui: { resourceUri: 'file:///same' } });
  assert.deepEqual(tools[1]?._meta, { ui: { resourceUri: prefixed }, 'ui/resourceUri': 'file:///other' });
});

test('resources - a server’s own endpoint knows no prefix and takes every URI', () => {
  const view = catalogOf({}, [left, right]).view({ kind: 'server', name: 'right_one' }, everyone);
  assert.deepEqual(view?.resource('any://thing'), { server: 'right_one', target: 'any://thing' });
  assert.equal(view?.agentUri('right_one', 'file:///same'), 'file:///same');
  assert.equal(view?.rewritesUris('right_one'), false);
});

test('resources - finds the owner of an unlisted URI by template, then link, then scheme', () => {
  const view = allOf(catalogOf({}, [left, right]));
  assert.equal(view.resource('left://x/a/b')?.server, 'left');
  assert.equal(view.resource('odd://1'), undefined);
  view.noteLink('right_one', 'odd://1');
  assert.deepEqual(view.resource('odd://1'), { server: 'right_one', target: 'odd://1' });
  assert.equal(view.resource('left://elsewhere')?.server, 'left');
  assert.equal(view.resource('file:///elsewhere'), undefined);
});

test('resources - an agent reaches no URI outside its patterns, listed or not', () => {
  const catalog = catalogOf({ agents: { one: { allow: ['left__left://*', 'right_one__show'] } } }, [left, right]);
  const view = allOf(catalog, agent('one'));
  assert.deepEqual(uris(view, 'resources'), ['left://own']);
  assert.equal(view.resource('left://x/1')?.server, 'left');
  for (const uri of ['file:///same', 'doc://1', 'toolbus+left:file:///same', 'toolbus+right.one:file:///same'])
    assert.equal(view.resource(uri), undefined, uri);
  view.noteLink('right_one', 'odd://1');
  assert.equal(view.resource('odd://1'), undefined);
});
