import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { inspector, node24 } from '../helpers/external-tools.ts';
import { fixtureCommand } from '../helpers/fixture.ts';
import { startToolbus } from '../helpers/toolbus.ts';
import { verifies } from '../requirements.ts';

const run = promisify(execFile);

test('agent Inspector CLI - lists and calls tools', async () => {
  verifies('agent:inspector');
  const [node, entry] = await Promise.all([node24(), inspector()]);
  const home = mkdtempSync(join(tmpdir(), 'toolbus-inspector-'));
  try {
    await using toolbus = await startToolbus({
      config: { servers: { scripted: fixtureCommand('scripted-upstream', ['--stdio']) } },
    });
    const { mcp, key } = toolbus.ready;
    const inspect = async (...args: string[]): Promise<string> => {
      const header = ['--header', `Authorization: Bearer ${key}`];
      const all = [entry, '--cli', mcp, '--transport', 'http', ...header, ...args];
      // A home of its own: the Inspector keeps its settings there.
      const env = { ...process.env, HOME: home, XDG_CONFIG_HOME: home };
      return (await run(node, all, { timeout: 60_000, env })).stdout;
    };
    assert.match(await inspect('--method', 'tools/list'), /"scripted__run"/);
    const called = await inspect(
      '--method',
      'tools/call',
      '--tool-name',
      'scripted__run',
      '--tool-arg',
      'id=inspected',
    );
    assert.match(called, /inspected by/);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});
