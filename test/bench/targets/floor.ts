import { fileURLToPath } from 'node:url';
import { startNats } from '../nats.ts';
import type { Processes, Running } from '../processes.ts';
import type { ServerSpec, StartTarget } from './target.ts';
import { startUpstreams } from './upstreams.ts';

const script = (name: string): string => fileURLToPath(new URL(`../floor/${name}.js`, import.meta.url));

/** Connections per worker of the floor; a server that allows fewer calls in flight gets fewer. */
const poolSize = 64;

/** The bare Fastify → NATS request → queue worker → upstream of test/bench/floor. */
export function floorTarget(processes: Processes): StartTarget {
  return async (servers) => {
    const upstreams = await startUpstreams(processes, servers);
    const nats = await startNats(processes);
    const node = (name: string, args: readonly string[]) => processes.start({ name, command: process.execPath, args });
    const worker = ({ name, concurrency }: ServerSpec) => {
      const connections = String(Math.min(concurrency, poolSize));
      const upstream = `http://127.0.0.1:${upstreams.port(name)}`;
      return node('worker', [script('worker'), nats.url, name, upstream, connections]);
    };

    const ingress = await node('ingress', [script('ingress'), nats.url]);
    const running: Running[] = [ingress, nats.process];
    for (const server of servers) running.push(await worker(server));
    const port = Number(new URL(String(ingress.facts['url'])).port);
    return {
      name: 'floor',
      processes: running,
      endpoint: (server) => ({ port, path: `/mcp/${server}`, headers: {} }),
      async addWorker(server) {
        running.push(await worker(servers.find(({ name }) => name === server)!));
      },
      async stop() {
        await Promise.all(running.filter((each) => each !== nats.process).map((each) => each.stop()));
        await nats.stop();
        await upstreams.stop();
      },
    };
  };
}
