import { auditStreamNames } from '../../../shared/bus/audit-stream.ts';
import { bucketPrefixOf } from '../../../shared/bus/buckets.ts';
import type { BusAddress } from '../../../shared/bus/connect.ts';
import { ingressPermissions, type Permissions, workerPermissions } from '../../../shared/bus/roles.ts';
import type { Logger } from '../../../shared/log.ts';
import { type NatsServer, startNatsServer } from '../../nats-server/start.ts';

export interface EmbeddedNatsOptions {
  readonly dataDir: string;
  readonly tenant: string;
  /** Names of the servers known at the start; their users need no reload. */
  readonly servers: readonly string[];
  readonly log: Logger;
  /** See NatsServerOptions. */
  readonly syncAlways?: boolean | undefined;
}

/** The nats-server of `up`, with a user for the ingress and one for the workers of each server. */
export interface EmbeddedNats {
  readonly server: NatsServer;
  /** For the ingress and for commands of the operator. Holds the password. */
  readonly bus: BusAddress;
  /** For the workers of one server. */
  busOf(server: string): Promise<BusAddress>;
  close(): Promise<void>;
}

const userOf = (server: string) => `worker-${server}`;

/** Throws what `startNatsServer` throws. */
export async function startEmbeddedNats(options: EmbeddedNatsOptions): Promise<EmbeddedNats> {
  const { dataDir, tenant, servers, log, syncAlways } = options;
  const rightsOf = (server: string): Permissions =>
    workerPermissions(tenant, server, userOf(server), bucketPrefixOf(tenant));
  const server = await startNatsServer({
    dataDir,
    log,
    syncAlways,
    ownPermissions: ingressPermissions(Object.values(auditStreamNames(tenant))),
    users: new Map(servers.map((name) => [userOf(name), rightsOf(name)])),
  });
  return {
    server,
    bus: { alias: 'embedded', url: withCredentials(server) },
    async busOf(name) {
      const user = userOf(name);
      const known = server.userOf(user) ?? (await server.addUser(user, rightsOf(name)));
      return { url: server.url, user, password: known.password };
    },
    close: () => server.close(),
  };
}

function withCredentials({ url, user, password }: NatsServer): string {
  const full = new URL(url);
  full.username = user;
  full.password = password;
  return full.href;
}
