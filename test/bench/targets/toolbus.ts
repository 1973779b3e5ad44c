import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Endpoint } from '../load/request.ts';
import { startNats } from '../nats.ts';
import type { Processes, Running } from '../processes.ts';
import type { ServerSpec, StartTarget } from './target.ts';
import { startUpstreams, type Upstreams } from './upstreams.ts';

const catalogWithinMs = 10_000;

const unauditedIngress = fileURLToPath(new URL('../unaudited/ingress.js', import.meta.url));

/**
 * toolbus as it is installed: one ingress process and one worker process per server on an external NATS, keys for agents. `synced` is the same on a
 * NATS that writes to the disk before it acknowledges, `unaudited` with an ingress that records nothing.
 */
export function toolbusTarget(
  processes: Processes,
  cli: string,
  name: 'toolbus' | 'synced' | 'unaudited',
): StartTarget {
  return async (servers) => {
    const upstreams = await startUpstreams(processes, servers);
    const nats = await startNats(processes, { syncAlways: name === 'synced' });
    const dir = mkdtempSync(join(tmpdir(), 'toolbus-bench-'));
    const key = `tb_${randomBytes(24).toString('base64url')}`;
    const config = join(dir, 'toolbus.json');
    writeFileSync(config, JSON.stringify(configFor(servers, upstreams, key)));

    const toolbus = (name: string, args: readonly string[]) =>
      processes.start({
        name,
        command: process.execPath,
        args: [cli, ...args, '--config', config, '--nats', nats.url, '--json', '--log-level', 'warn'],
        env: withoutOwnVariables(process.env),
      });
    const worker = (server: string) => toolbus('worker', ['worker', server]);

    const running: Running[] = [nats.process];
    const stop = async () => {
      await Promise.all(running.filter((each) => each !== nats.process).map((each) => each.stop()));
      await nats.stop();
      await upstreams.stop();
      rmSync(dir, { recursive: true, force: true });
    };
    try {
      const ingress =
        name === 'unaudited'
          ? await processes.start({
              name: 'ingress',
              command: process.execPath,
              args: [unauditedIngress, config, nats.url],
              env: withoutOwnVariables(process.env),
            })
          : await toolbus('ingress', ['ingress', '--port', '0', '--admin-port', '0', '--data-dir', join(dir, 'data')]);
      running.unshift(ingress);
      for (const server of servers) running.push(await worker(server.name));
      const port = Number(new URL(String(ingress.facts['mcp'])).port);
      const endpoint = (server: string): Endpoint => ({
        port,
        path: `/mcp/${server}`,
        headers: { Authorization: `Bearer ${key}` },
      });
      for (const server of servers) await untilListed(endpoint(server.name), server.tools);
      return {
        name,
        processes: running,
        endpoint,
        async addWorker(server) {
          running.push(await worker(server));
          // The ingress hears of the new instance with its first heartbeat.
          await sleep(1_500);
        },
        stop,
      };
    } catch (error) {
      await stop();
      throw error;
    }
  };
}

function configFor(servers: readonly ServerSpec[], upstreams: Upstreams, key: string): object {
  const entries = servers.map(({ name, concurrency }) => [
    name,
    { url: `http://127.0.0.1:${upstreams.port(name)}/mcp`, concurrency },
  ]);
  return {
    servers: Object.fromEntries(entries),
    agents: { bench: { keys: [`sha256:${createHash('sha256').update(key).digest('hex')}`], allow: ['*'] } },
    cluster: { secret: randomBytes(32).toString('base64url') },
  };
}

function withoutOwnVariables(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(([name]) => !name.startsWith('TOOLBUS_') && name !== 'NATS_URL');
  return { ...Object.fromEntries(kept), NODE_ENV: 'production' };
}

/** Waits until the ingress lists the server's tools: the worker is ready before its manifest has reached the ingress. */
async function untilListed(endpoint: Endpoint, tools: number): Promise<void> {
  const deadline = Date.now() + catalogWithinMs;
  let last = '';
  while (Date.now() < deadline) {
    const answer = await fetch(`http://127.0.0.1:${endpoint.port}${endpoint.path}`, {
      method: 'POST',
      headers: {
        ...endpoint.headers,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/list',
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/list',
        params: {
          _meta: {
            'io.modelcontextprotocol/protocolVersion': '2026-07-28',
            'io.modelcontextprotocol/clientCapabilities': {},
          },
        },
      }),
    });
    const text = await answer.text();
    if (text.includes('"tools":[{')) return;
    last = `HTTP ${answer.status} ${text.slice(0, 300)}`;
    await sleep(100);
  }
  throw new Error(`${endpoint.path} did not list ${tools} tools within ${catalogWithinMs / 1000} s: ${last}`);
}
