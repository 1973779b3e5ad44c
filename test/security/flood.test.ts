import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { limits } from '../../services/worker/upstreams/limits.ts';
import { callTool, textOf } from '../helpers/rpc.ts';
import { startToolbus } from '../helpers/toolbus.ts';
import { verifies } from '../requirements.ts';
import { echoTool, hostileServer } from './hostile.ts';
import { ownProcesses, peakOf } from './memory.ts';

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

/**
 * A worker holds one line, whole: as many bytes as a line may have. Each is read into a buffer of its own size and never copied, for the line does
 * not end. What is read after that is dropped at once, and what waits for the collector beside it is bounded by half as much again.
 */
const workerGrowth = limits.messageBytes * 1.5;
/** Nothing of the line goes any further: in other processes there is the garbage of twenty small calls. */
const otherGrowth = limits.messageBytes / 2;
/** The table wants a second on a machine of its own. A call that had to wait for its own timeout would take 60. */
const answeredMs = 20_000;

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
      const ours = ownProcesses(toolbus.pid, isServer);
      assert.ok(ours.length >= 3, `${ours.length} processes`);
      const before = ours.map(peakOf);
      const begun = performance.now();
      const flooded = callTool(mcp, 'flood__flood', {}, { key, signal: AbortSignal.timeout(60_000) }).then(
        (answer) => ({
          ...answer,
          tookMs: performance.now() - begun,
        }),
      );
      const others = await Promise.all(
        Array.from({ length: 20 }, (_, n) => callTool(mcp, 'calm__echo', { n }, { key })),
      );
      for (const [n, answer] of others.entries()) assert.equal(textOf(answer), JSON.stringify({ n }));
      const { response, tookMs } = await flooded;
      assert.equal(response?.error?.data?.['reason'], 'bad_upstream_output', JSON.stringify(response));
      assert.ok(tookMs < answeredMs, `answered after ${Math.round(tookMs)} ms`);
      const grown = ours.map((pid, index) => peakOf(pid) - (before[index] ?? 0)).sort((a, b) => b - a);
      const [flooding = 0, ...rest] = grown;
      const growths = grown.map((bytes) => `${Math.round(bytes / 2 ** 20)} MiB`).join(', ');
      assert.ok(flooding < workerGrowth, `grew by ${growths}`);
      assert.ok(
        rest.every((bytes) => bytes < otherGrowth),
        `grew by ${growths}`,
      );
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  },
);
