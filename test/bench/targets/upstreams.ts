import { fileURLToPath } from 'node:url';
import type { Processes, Running } from '../processes.ts';
import type { ServerSpec } from './target.ts';

/** The upstream servers of one target, a process each. */
export interface Upstreams {
  port(server: string): number;
  stop(): Promise<void>;
}

export async function startUpstreams(processes: Processes, servers: readonly ServerSpec[]): Promise<Upstreams> {
  const started = new Map<string, Running>();
  for (const server of servers) {
    const upstream = await processes.start({
      name: `upstream ${server.name}`,
      command: process.execPath,
      args: [fileURLToPath(new URL('../upstream/main.js', import.meta.url)), String(server.tools)],
    });
    started.set(server.name, upstream);
  }
  return {
    port: (server) => Number(started.get(server)?.facts['port']),
    async stop() {
      await Promise.all([...started.values()].map((upstream) => upstream.stop()));
    },
  };
}
