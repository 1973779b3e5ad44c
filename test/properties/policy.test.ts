import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { tool } from '../../services/ingress/catalog/testing/fixtures.ts';
import { verifies } from '../requirements.ts';
import { type Door, openDoors } from './doors.ts';
import { key, keyHash, startTestGateway, type TestGateway } from './gateway.ts';

const offered = {
  files: ['read', 'write', 'delete_file', 'delete_all'],
  web: ['search', 'read', 'fetch'],
};
const all = Object.entries(offered).flatMap(([server, tools]) => tools.map((name) => `${server}__${name}`));

interface Rights {
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  readonly serverAllow: readonly string[];
  readonly serverDeny: readonly string[];
}

const agentPattern = fc.oneof(
  fc.constantFrom('*', 'files__*', 'web__*', '*__read', '*__delete_*', 'nobody__*', 'reading'),
  fc.constantFrom(...all),
);
const serverPattern = fc.constantFrom('*', 'read', 'delete_*', 'write', '*e*', 'search');
const rights: fc.Arbitrary<Rights> = fc.record({
  allow: fc.array(agentPattern, { maxLength: 4 }),
  deny: fc.array(
    agentPattern.filter((pattern) => pattern !== 'reading'),
    { maxLength: 2 },
  ),
  serverAllow: fc.array(serverPattern, { minLength: 1, maxLength: 2 }),
  serverDeny: fc.array(serverPattern, { maxLength: 1 }),
});

const toolsets = { reading: { tools: ['*__read', 'web__search'] } };

function configFor({ allow, deny, serverAllow, serverDeny }: Rights): object {
  const server = { command: 'unused', tools: { allow: serverAllow, deny: serverDeny } };
  return {
    servers: { files: server, web: server },
    toolsets,
    agents: { alice: { keys: [keyHash], allow, deny } },
  };
}

/** The rule as the documentation has it, in other words than the code. */
function mayUse(name: string, { allow, deny, serverAllow, serverDeny }: Rights): boolean {
  const own = name.slice(name.indexOf('__') + 2);
  const allowed = allow.flatMap((entry) => (entry === 'reading' ? toolsets.reading.tools : [entry]));
  const fits = (text: string, patterns: readonly string[]) =>
    patterns.some((pattern) => new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(text));
  return fits(own, serverAllow) && !fits(own, serverDeny) && fits(name, allowed) && !fits(name, deny);
}

let gateway: TestGateway;
let doors: Door[];

before(async () => {
  const first = configFor({ allow: ['*'], deny: [], serverAllow: ['*'], serverDeny: [] });
  const manifests = Object.entries(offered).map(([server, tools]) => ({
    server,
    tools: tools.map((name) => tool(name)),
  }));
  gateway = await startTestGateway(first, manifests);
  doors = await openDoors(gateway.mcp, key);
});

after(async () => {
  for (const door of doors ?? []) await door[Symbol.asyncDispose]();
  await gateway?.[Symbol.asyncDispose]();
});

test('policy - lists and calls agree, over every transport and revision, for any set of rights', async () => {
  verifies('bridge:policy');
  gateway.result = { content: [] };
  await fc.assert(
    fc.asyncProperty(rights, async (given) => {
      gateway.setConfig(configFor(given));
      const expected = all.filter((name) => mayUse(name, given)).sort();
      for (const door of doors) {
        const { result } = await door.request('tools/list', {});
        const listed = (result?.['tools'] as { name: string }[]).map(({ name }) => name);
        assert.deepEqual(listed.sort(), expected, `${door.name} lists`);
        gateway.calls.length = 0;
        for (const name of all) {
          const { error } = await door.request('tools/call', { name, arguments: {} });
          const code = expected.includes(name) ? undefined : -32602;
          assert.equal(error?.code, code, `${door.name} calls ${name}`);
        }
        const reached = gateway.calls.map(({ server, target }) => `${server}__${target}`);
        assert.deepEqual(reached.sort(), expected, `${door.name} reaches servers`);
      }
    }),
    { numRuns: 10 },
  );
});

test('policy - a tool that is forbidden and one that does not exist are answered alike', async () => {
  gateway.setConfig(configFor({ allow: ['web__*'], deny: [], serverAllow: ['*'], serverDeny: [] }));
  for (const door of doors) {
    const forbidden = await door.request('tools/call', { name: 'files__read', arguments: {} });
    const unknown = await door.request('tools/call', { name: 'files__nope', arguments: {} });
    const bare = ({ error }: typeof unknown) => JSON.stringify(error).replaceAll(/read|nope/g, '');
    assert.equal(bare(forbidden), bare(unknown), door.name);
  }
});
