import type { Permissions } from '../../shared/bus/roles.ts';

/** One node of a nats-server cluster: what the others must know of it, and it of them. */
export interface ClusterMember {
  /** The same on every node. */
  readonly clusterName: string;
  /** Port for the other nodes, on 127.0.0.1. */
  readonly routePort: number;
  /** Route ports of all nodes; the own one may be among them. */
  readonly peerPorts: readonly number[];
}

export interface NatsUser {
  readonly user: string;
  readonly password: string;
  /** Absent: everything. */
  readonly permissions?: Permissions | undefined;
}

export interface NatsServerConfig {
  readonly serverName: string;
  readonly port: number;
  /** Who may connect; the first one is also the password of the cluster's routes. */
  readonly users: readonly NatsUser[];
  readonly storeDir: string;
  readonly portsDir: string;
  readonly pidFile: string;
  readonly logFile: string;
  /** Bytes of one message. Default 8 MiB, the most that NATS advises. */
  readonly maxPayload?: number | undefined;
  /** Bytes on disk for all streams. Default 10 GiB. */
  readonly maxStoreBytes?: number | undefined;
  /** fsync before every acknowledgement: survives a power loss, costs throughput. Default false: fsync every 10 s. */
  readonly syncAlways?: boolean | undefined;
  readonly cluster?: ClusterMember | undefined;
}

const mib = 1024 * 1024;

/** The text of a nats-server configuration file. It holds the password: mode 0600. Throws a `TypeError` for a path with control characters. */
export function natsServerConfig(config: NatsServerConfig): string {
  const { cluster } = config;
  return `# Written by toolbus at every start; changes here are lost.
server_name: ${quote(config.serverName)}
host: "127.0.0.1"
port: ${config.port}
ports_file_dir: ${quote(config.portsDir)}
pid_file: ${quote(config.pidFile)}

log_file: ${quote(config.logFile)}
logtime: true
logfile_size_limit: ${8 * mib}
logfile_max_num: 3

max_payload: ${config.maxPayload ?? 8 * mib}
# A peer that is frozen or gone leaves its queue groups after 6 s; with the defaults that takes minutes.
ping_interval: "2s"
ping_max: 2
write_deadline: "5s"

# Every local process can reach a loopback port.
authorization {
  users: [
${config.users.map(userBlock).join('\n')}
  ]
}

jetstream {
  store_dir: ${quote(config.storeDir)}
  max_memory_store: ${256 * mib}
  max_file_store: ${config.maxStoreBytes ?? 10 * 1024 * mib}
  sync_interval: ${config.syncAlways ? 'always' : '"10s"'}
}
${cluster === undefined ? '' : clusterBlock(config, cluster)}`;
}

function userBlock({ user, password, permissions }: NatsUser): string {
  const rights = permissions === undefined ? '' : `, permissions: ${permissionBlock(permissions)}`;
  return `    { user: ${quote(user)}, password: ${quote(password)}${rights} }`;
}

function permissionBlock({ publish, subscribe, mayRespond }: Permissions): string {
  const list = (subjects: readonly string[]) => `[${subjects.map(quote).join(', ')}]`;
  const rules = ({ allow, deny }: Permissions['publish']) =>
    `{ allow: ${list(allow)}${deny.length === 0 ? '' : `, deny: ${list(deny)}`} }`;
  const responses = mayRespond ? ', allow_responses: true' : '';
  return `{ publish: ${rules(publish)}, subscribe: ${rules(subscribe)}${responses} }`;
}

function clusterBlock({ users: [first] }: NatsServerConfig, cluster: ClusterMember): string {
  if (first === undefined) throw new TypeError('a nats-server needs a user');
  const { user, password } = first;
  const credentials = `${encodeURIComponent(user)}:${encodeURIComponent(password)}`;
  const routes = cluster.peerPorts.filter((port) => port !== cluster.routePort);
  return `
cluster {
  name: ${quote(cluster.clusterName)}
  host: "127.0.0.1"
  port: ${cluster.routePort}
  # Clients are not told of the other nodes' addresses by a node: they were given all of them.
  no_advertise: true
  authorization {
    user: ${quote(user)}
    password: ${quote(password)}
  }
  routes: [
${routes.map((port) => `    ${quote(`nats-route://${credentials}@127.0.0.1:${port}`)}`).join('\n')}
  ]
}
`;
}

/** A string of the nats-server configuration language, which knows fewer escapes than JSON. */
function quote(text: string): string {
  if (/\p{Cc}/u.test(text)) throw new TypeError('a nats-server setting may not hold control characters');
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
