/**
 * What a call over HTTP costs the process of a worker: our Streamable HTTP client beside the SDK's raw transport, interleaved, on one
 * upstream in a process of its own. The reason for docs/adr/0001-forward-json-rpc.md.
 *
 *     node --import tsx test/bench/transport-cost.ts [calls in a round] [rounds]
 */
import { fork } from 'node:child_process';
import { once, setMaxListeners } from 'node:events';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { createHttpClient } from '../../services/worker/upstreams/http-client.ts';
import { modernHeaders } from '../../services/worker/upstreams/modern-request.ts';
import { Peer } from '../../services/worker/upstreams/peer.ts';
import { openStreamableHttp } from '../../services/worker/upstreams/streamable-http.ts';
import { metaKey } from '../../shared/mcp/meta.ts';
import { latestModern } from '../../shared/mcp/revisions.ts';
import { median } from './statistics.ts';

interface Candidate {
  readonly name: string;
  /** One `tools/call`; resolves with its answer. */
  call(): Promise<unknown>;
  close(): Promise<void>;
}

const inFlight = 32;
const warmUpCalls = 3_000;
const envelope = {
  [metaKey.protocolVersion]: latestModern,
  [metaKey.clientCapabilities]: {},
  [metaKey.clientInfo]: { name: 'transport-cost', version: '1' },
};
const params = { name: 'echo', arguments: { text: 'x'.repeat(100) }, _meta: envelope };

function ours(url: string): Candidate {
  const client = createHttpClient(url, { headers: {} });
  const peer = new Peer(() => {});
  peer.attach(openStreamableHttp({ client, receiver: peer, era: 'modern' }));
  return {
    name: 'toolbus',
    call: () =>
      new Promise((onAnswer, onLost) => {
        const headers = modernHeaders('tools/call', params, latestModern);
        peer.send(peer.mintId(), 'tools/call', params, { onAnswer, onLost }, headers);
      }),
    async close() {
      await peer.close();
      await client.close();
    },
  };
}

async function sdk(url: string): Promise<Candidate> {
  const transport = new StreamableHTTPClientTransport(new URL(url));
  const waiting = new Map<unknown, (answer: unknown) => void>();
  transport.onmessage = (message) => {
    if (!('id' in message)) return;
    waiting.get(message.id)?.(message);
    waiting.delete(message.id);
  };
  await transport.start();
  let id = 0;
  return {
    name: 'SDK raw transport',
    call: () =>
      new Promise((resolve, reject) => {
        id += 1;
        waiting.set(id, resolve);
        transport.send({ jsonrpc: '2.0', id, method: 'tools/call', params }).catch(reject);
      }),
    close: () => transport.close(),
  };
}

/** CPU milliseconds of this process per call, with so many calls in flight. */
async function cost({ call }: Candidate, calls: number): Promise<number> {
  const before = process.cpuUsage();
  let left = calls;
  const agent = async () => {
    while (left > 0) {
      left -= 1;
      await call();
    }
  };
  await Promise.all(Array.from({ length: inFlight }, agent));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000 / calls;
}

// The SDK's transport hangs every request on one AbortSignal; warnings about that would be measured too.
setMaxListeners(0);
const [calls = 5_000, rounds = 5] = process.argv.slice(2).map(Number);
const upstream = fork(fileURLToPath(new URL(`./upstream/main${extname(import.meta.url)}`, import.meta.url)), {
  stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
});
try {
  const [line]: Buffer[] = upstream.stdout === null ? [] : await once(upstream.stdout, 'data');
  const { port }: { port: number } = JSON.parse(String(line));
  const url = `http://127.0.0.1:${port}/mcp`;
  const candidates = [ours(url), await sdk(url)];
  const costs = new Map(candidates.map(({ name }) => [name, [] as number[]]));
  for (const candidate of candidates) await cost(candidate, warmUpCalls);
  for (let round = 0; round < rounds; round += 1) {
    for (const candidate of candidates) costs.get(candidate.name)?.push(await cost(candidate, calls));
  }
  for (const [name, values] of costs) console.log(`${name.padEnd(18)} ${median(values).toFixed(3)} ms CPU a call`);
  const [own = [], theirs = []] = costs.values();
  console.log(`ratio              ${(median(theirs) / median(own)).toFixed(1)}`);
  for (const candidate of candidates) await candidate.close();
} finally {
  upstream.kill();
}
