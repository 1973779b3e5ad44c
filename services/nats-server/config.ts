/** One node of a nats-server cluster: what the others must know of it, and it of them. */
export interface ClusterMember {
  /** The same on every node. */
  readonly clusterName: string;
  /** Port for the other nodes, on 127.0.0.1. */
  readonly routePort: number;
  /** Route ports of all nodes; the own one may be among them. */
  readonly peerPorts: readonly number[];
}

export interface NatsServerConfig {
  readonly serverName: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
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
  user: ${quote(config.user)}
  password: ${quote(config.password)}
}

jetstream {
  store_dir: ${quote(config.storeDir)}
  max_memory_store: ${256 * mib}
  max_file_store: ${config.maxStoreBytes ?? 10 * 1024 * mib}
  sync_interval: ${config.syncAlways ? 'always' : '"10s"'}
}
${cluster === undefined ? '' : clusterBlock(config, cluster)}`;
}

function clusterBlock({ user, password }: NatsServerConfig, cluster: ClusterMember): string {
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
