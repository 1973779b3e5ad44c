import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { ClusterMember } from './config.ts';
import { randomPort } from './start.ts';

/** What one node of a cluster gets besides what `startNatsServer` needs anyway. */
export interface ClusterNode {
  readonly dataDir: string;
  readonly serverName: string;
  readonly port: number;
  readonly password: string;
  readonly cluster: ClusterMember;
}

/**
 * Options of `startNatsServer` for every node of a cluster on this machine: free ports, one password, a directory each under `root`.
 * Start them together: JetStream is ready when more than half of them have found each other, some seconds later.
 */
export async function planLoopbackCluster(root: string, size: number): Promise<ClusterNode[]> {
  const password = randomBytes(32).toString('base64url');
  const free = await freePorts(size * 2);
  const peerPorts = free.slice(size);
  return free.slice(0, size).map((port, index) => ({
    dataDir: join(root, `node-${index + 1}`),
    serverName: `node-${index + 1}`,
    port,
    password,
    cluster: { clusterName: 'toolbus', routePort: peerPorts[index] ?? 0, peerPorts },
  }));
}

async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  while (found.size < count) {
    const port = randomPort();
    if (await isFree(port)) found.add(port);
  }
  return [...found];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
