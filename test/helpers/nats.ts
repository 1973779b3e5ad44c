import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { planLoopbackCluster } from '../../services/nats-server/cluster.ts';
import { type NatsServer, startNatsServer } from '../../services/nats-server/start.ts';

export interface TestNats {
  /** With credentials; all nodes, separated by commas. */
  readonly url: string;
  readonly nodes: ReadonlyArray<{ readonly pid: number }>;
  /** Ends one node with SIGKILL; it is not started again. */
  kill(node: number): void;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Real nats-servers with JetStream on 127.0.0.1: one, or a cluster of `size`. */
export async function startNats(size = 1): Promise<TestNats> {
  const root = mkdtempSync(join(tmpdir(), 'toolbus-nats-'));
  const log = pino({ level: 'silent' });
  // One failure is enough to be given up: what a test kills must stay dead.
  const common = { log, mostFailures: 1 };
  const plans = size === 1 ? [{ dataDir: join(root, 'node') }] : await planLoopbackCluster(root, size);
  const servers = await Promise.all(plans.map((plan) => startNatsServer({ ...plan, ...common })));
  for (const server of servers) server.onExit(() => undefined);
  return {
    url: servers.map(urlOf).join(','),
    nodes: servers,
    kill: (node) => void process.kill(servers[node]?.pid ?? 0, 'SIGKILL'),
    async [Symbol.asyncDispose]() {
      await Promise.all(servers.map((server) => server.close()));
      rmSync(root, { recursive: true, force: true });
    },
  };
}

function urlOf({ url, user, password }: NatsServer): string {
  return url.replace('//', `//${encodeURIComponent(user)}:${encodeURIComponent(password)}@`);
}
