import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { callTool, textOf } from '../helpers/rpc.ts';
import { runToolbus, startToolbus } from '../helpers/toolbus.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';
import { echoTool, hostileServer } from './hostile.ts';

const security = { unpinnedPackages: 'refuse' };
const text = `
security: { unpinnedPackages: refuse }
servers:
  good: { command: npx, args: ["-y", "good@1.2.3"] }
  off: { command: npx, args: ["-y", "off"], disabled: true }
  bad:
    command: npx
    args: ["-y", "@scope/bad"]
  hidden: { command: uvx, args: ["\${PACKAGE}"] }
`;

test('packages - one without a version is a mistake of the configuration in the strict mode (U21)', async () => {
  verifies('config:pinned', 'config:invalid');
  const dir = mkdtempSync(join(tmpdir(), 'toolbus-packages-'));
  const file = join(dir, 'toolbus.yaml');
  // Nobody answers there: a command that did not refuse at once would say so.
  const commands = [['check'], ['up'], ['ingress'], ['worker', 'good'], ['worker', 'bad']];
  const options = { env: { PACKAGE: 'canary-of-a-variable', NATS_URL: 'nats://127.0.0.1:1' } };
  try {
    writeFileSync(file, text);
    for (const command of commands) {
      const { code, stdout, stderr } = await runToolbus([...command, '--config', file], options);
      assert.equal(code, 2, `${command.join(' ')}: ${stderr}`);
      assert.match(stderr, /toolbus\.yaml:8:5: servers\.bad\.args: runs whatever version of @scope\/bad is newest/);
      assert.match(stderr, /toolbus\.yaml:9:\d+: servers\.hidden\.args: /);
      assert.doesNotMatch(stderr, /servers\.(good|off)|canary/);
      assert.equal(stdout, '');
    }
    writeFileSync(file, text.replace('refuse', 'warn'));
    const warned = await runToolbus(['check', '--config', file], options);
    assert.equal(warned.code, 0, warned.stderr);
    assert.match(
      warned.stdout,
      /toolbus\.yaml:8:5: servers\.bad\.args: runs whatever version of @scope\/bad is newest/,
    );
    assert.doesNotMatch(warned.stdout, /canary/);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('packages - in the strict mode a running toolbus refuses one without a version, and goes on as it was (U21)', async () => {
  verifies('config:pinned', 'config:broken-reload');
  using upstream = hostileServer({ tools: [echoTool('echo')] });
  await using toolbus = await startToolbus({ config: { security, servers: { h: upstream.server } } });
  const { mcp, key } = toolbus.ready;
  const said = toolbus.logs.length;
  toolbus.writeConfig({ security, servers: { fetched: { command: 'npx', args: ['-y', 'anything'] } } });
  const line = await until('the refusal is said', () =>
    toolbus.logs.slice(said).find((one) => one.includes('the old one stays')),
  );
  assert.match(line, /toolbus\.yaml:\d+:\d+: servers\.fetched\.args: runs whatever version of anything is newest/);
  assert.equal(textOf(await callTool(mcp, 'h__echo', { n: 1 }, { key })), '{"n":1}');
  // Nothing but that one server was wrong with it.
  toolbus.writeConfig({ security, servers: { h: upstream.server, again: upstream.server } });
  await until('the mended file applies', async () => {
    const answer = await callTool(mcp, 'again__echo', { n: 2 }, { key });
    return textOf(answer) === '{"n":2}';
  });
});
