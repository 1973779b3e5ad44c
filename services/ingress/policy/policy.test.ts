import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agent, configOf, everyone } from '../catalog/testing/fixtures.ts';
import { compilePolicies } from './policy.ts';

const config = configOf({
  servers: {
    github: { command: 'x', tools: { allow: ['*'], deny: ['delete_*'] } },
    web: { command: 'x' },
  },
  toolsets: { research: { tools: ['github__search_*', 'web__*'] } },
  agents: {
    researcher: { allow: ['research', 'github__get_*'], deny: ['*__fetch'] },
    twin: { allow: ['github__get_*', 'research'], deny: ['*__fetch'] },
    idle: {},
    outsider: { allow: ['*'], deny: ['github__*'] },
    sleeper: { allow: ['web__admin_list', 'web__repo://*'] },
  },
});
const policies = compilePolicies(config);
const researcher = policies.of(agent('researcher'));

test('policy - allows what patterns and toolsets name, and deny wins', () => {
  assert.ok(researcher.permitsTool('github', 'search_code'));
  assert.ok(researcher.permitsTool('github', 'get_issue'));
  assert.ok(!researcher.permitsTool('github', 'create_issue'));
  assert.ok(researcher.permitsTool('web', 'open'));
  assert.ok(!researcher.permitsTool('web', 'fetch'));
});

test('policy - an agent without a list, or one nobody configured, may do nothing', () => {
  for (const id of ['idle', 'nobody', '__proto__', 'constructor']) {
    const policy = policies.of(agent(id));
    assert.ok(!policy.permitsTool('web', 'open'), id);
    assert.ok(!policy.seesServer('web'), id);
  }
});

test('policy - what the server does not offer is offered to nobody', () => {
  assert.ok(!policies.of(everyone).permitsTool('github', 'delete_repo'));
  assert.ok(policies.of(everyone).permitsTool('github', 'create_issue'));
});

test('policy - a server whose every name is denied is not seen', () => {
  const outsider = policies.of(agent('outsider'));
  assert.ok(!outsider.seesServer('github'));
  assert.ok(outsider.seesServer('web'));
});

test('policy - a tool is meant by its own name and by the name agents see', () => {
  const sleeper = policies.of(agent('sleeper'));
  assert.ok(sleeper.permitsTool('web', 'admin.list'));
  assert.ok(sleeper.permitsTool('web', 'admin_list'));
  assert.ok(!sleeper.permitsTool('web', 'admin'));
});

test('policy - resources are meant by server__URI', () => {
  assert.ok(policies.of(agent('sleeper')).permitsResource('web', 'repo://a/b'));
  assert.ok(!policies.of(agent('sleeper')).permitsResource('web', 'file:///etc/passwd'));
  assert.ok(researcher.permitsResource('web', 'file:///x'));
  assert.ok(!researcher.permitsResource('github', 'repo://a'));
});

test('policy - agents with equal rights share one policy', () => {
  assert.equal(policies.of(agent('twin')), researcher);
});

test('policy - a toolset narrows, and never widens', () => {
  const narrowed = policies.within(researcher, 'research');
  assert.ok(narrowed?.permitsTool('web', 'open'));
  assert.ok(!narrowed?.permitsTool('github', 'get_issue'));
  assert.ok(!narrowed?.permitsTool('web', 'fetch'));
  assert.equal(policies.within(policies.of(agent('idle')), 'research'), undefined);
  assert.equal(policies.within(researcher, 'nothing-of-the-kind'), undefined);
  assert.equal(policies.within(researcher, 'research'), narrowed);
});
