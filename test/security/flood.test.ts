import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { descendantsOf } from '../helpers/processes.ts';
import { callTool, textOf } from '../helpers/rpc.ts';
import { startToolbus } from '../helpers/toolbus.ts';
import { verifies } from '../requirements.ts';
import { echoTool, hostileServer } from './hostile.ts';

/** A stdio server in plain JavaScript whose tool writes a gigabyte on one line, and whose other tool shows its environment. */
const program = `
import { createInterface } from 'node:readline';
const say = (id, result) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, result }) + '\\n');
const inputSchema = { type: 'object' };
createInterface({ input: process.stdin }).on('line', async (line) => {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) return;
  if (method === 'initialize') return say(id, { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'flood', version: '1' } });
  if (method === 'tools/list') return say(id, { tools: [{ name: 'flood', inputSchema }, { name: 'environment', inputSchema }] });
  if (method !== 'tools/call') return process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32601, message: 'no' } }) + '\\n');
  if (params.name === 'environment') return say(id, { content: [{ type: 'text', text: JSON.stringify(process.env) }] });
  const part = Buffer.alloc(1 << 20, 0x78);
  for (let count = 0; count < 1024; count += 1)
    if (!process.stdout.write(part)) await new Promise((resolve) => process.stdout.once('drain', resolve));
}).on('close', () => process.exit(0));
`;

/** Most memory that a process ever had, in bytes. */
function peakOf(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
}

test(
  'flood - a gigabyte without a line break costs bounded memory, that call and nobody else (U14, U18)',
  { skip: process.platform !== 'linux' && 'reads /proc' },
  async () => {
    verifies('upstream:flood');
    const dir = mkdtempSync(join(tmpdir(), 'toolbus-flood-'));
    const file = join(dir, 'flood-server.mjs');
    writeFileSync(file, program);
    using calm = hostileServer({ tools: [echoTool('echo')] });
    const servers = { flood: { command: process.execPath, args: [file], env: { OWN: 'own' } }, calm: calm.server };
    const env = {
      GATEWAY_SECRET: 'of the gateway',
      AWS_SECRET_ACCESS_KEY: 'of its owner',
      NODE_OPTIONS: '',
      NPM_TOKEN: 'x',
    };
    try {
      await using toolbus = await startToolbus({ config: { servers }, env });
      const { mcp, key } = toolbus.ready;
      const shown = JSON.parse(textOf(await callTool(mcp, 'flood__environment', {}, { key }))) as Record<
        string,
        string
      >;
      assert.equal(shown['OWN'], 'own');
      for (const name of Object.keys(env)) assert.equal(shown[name], undefined, name);

      const isServer = (command: string) => command.includes(file) || command.includes('hostile-upstream');
      const workers = descendantsOf(toolbus.pid).filter(
        ({ command }) => command.startsWith(process.execPath) && !isServer(command),
      );
      const ours = [toolbus.pid, ...workers.map(({ pid }) => pid)];
      assert.ok(
        ours.length >= 3,
        descendantsOf(toolbus.pid)
          .map(({ command }) => command)
          .join('\n'),
      );
      const before = ours.map(peakOf);
      const flooded = callTool(mcp, 'flood__flood', {}, { key, signal: AbortSignal.timeout(60_000) });
      const others = await Promise.all(
        Array.from({ length: 20 }, (_, n) => callTool(mcp, 'calm__echo', { n }, { key })),
      );
      for (const [n, answer] of others.entries()) assert.equal(textOf(answer), JSON.stringify({ n }));
      const { response } = await flooded;
      assert.equal(response?.error?.data?.['reason'], 'bad_upstream_output', JSON.stringify(response));
      for (const [index, pid] of ours.entries()) {
        const grown = (peakOf(pid) - (before[index] ?? 0)) / 2 ** 20;
        // One line may have 64 MiB, and is held once; the rest is the garbage of reading it.
        assert.ok(grown < 160, `process ${index} grew by ${Math.round(grown)} MiB`);
      }
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  },
);
