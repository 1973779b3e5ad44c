import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { pino } from 'pino';
import { planLoopbackCluster } from '../../services/nats-server/cluster.ts';
import { type NatsServer, startNatsServer } from '../../services/nats-server/start.ts';
import { connectBus } from '../../shared/bus/connect.ts';
import { createLogger } from '../../shared/log.ts';
import type { RigBroker } from './rig.ts';

/** What a cluster says of one stream. */
export interface StreamGroup {
  readonly replicas: number;
  /** Name of the node that leads it; undefined while none does. */
  readonly leader: string | undefined;
  /** Of the others: those that are there and have all of it. */
  readonly current: number;
}

/** Three nats-servers that form a cluster. A node that is killed is started again by the one who started it, on its store. */
export interface ClusterBroker extends RigBroker {
  group(stream: string): Promise<StreamGroup>;
  /** SIGKILL to the node that leads the stream; its name. */
  killLeader(stream: string): Promise<string>;
}

const size = 3;

export async function startClusterBroker(): Promise<ClusterBroker> {
  const root = mkdtempSync(join(tmpdir(), 'toolbus-chaos-cluster-'));
  const plans = await planLoopbackCluster(root, size);
  const log = pino({ level: 'silent' });
  const nodes = new Map<string, NatsServer>();
  await Promise.all(plans.map(async (plan) => nodes.set(plan.serverName, await startNatsServer({ ...plan, log }))));
  const url = [...nodes.values()]
    .map((node) => node.url.replace('//', `//${encodeURIComponent(node.user)}:${encodeURIComponent(node.password)}@`))
    .join(',');

  async function group(stream: string): Promise<StreamGroup> {
    const nc = await connectBus({ url, name: 'chaos', log: createLogger('silent', 'test') });
    try {
      const { config, cluster } = await (await jetstreamManager(nc)).streams.info(stream);
      const current = cluster?.replicas?.filter((peer) => peer.current && peer.offline !== true).length ?? 0;
      return { replicas: config.num_replicas, leader: cluster?.leader, current };
    } finally {
      await nc.close();
    }
  }

  return {
    url,
    signal(signal) {
      for (const { pid } of nodes.values()) process.kill(pid, signal);
    },
    group,
    async killLeader(stream) {
      const { leader = '' } = await group(stream);
      const node = nodes.get(leader);
      if (node === undefined) throw new Error(`nobody leads ${stream}`);
      process.kill(node.pid, 'SIGKILL');
      return leader;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...nodes.values()].map((node) => node.close()));
      rmSync(root, { recursive: true, force: true });
    },
  };
}
