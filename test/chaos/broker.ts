import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { locateNatsServer } from '../../services/nats-server/locate.ts';
import { randomPort } from '../../services/nats-server/start.ts';
import { until } from '../helpers/until.ts';

/** A nats-server that a test may freeze, kill and start again on the same port and store. Its settings are NATS' own defaults. */
export interface Broker {
  readonly url: string;
  /** Where its streams are. */
  readonly dir: string;
  signal(signal: NodeJS.Signals): void;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts it again; resolves when it takes connections and its streams are back. */
  restart(): Promise<void>;
  /** Subscriptions of its clients, by the name of the connection without its random id. */
  subscriptions(): Promise<Map<string, number>>;
  connections(): Promise<number>;
  /** JetStream consumers, the ephemeral ones of watchers included. */
  consumers(): Promise<number>;
  /** Names of the connections that it has cut off since its start because they did not read. */
  slowConsumers(): Promise<string[]>;
  [Symbol.asyncDispose](): Promise<void>;
}

interface Connz {
  readonly connections: ReadonlyArray<{
    readonly name?: string;
    readonly subscriptions?: number;
    /** Why it is closed. */
    readonly reason?: string;
  }>;
}

export interface BrokerOptions {
  /** Directory of its streams, on a disk of its own. Without it, a temporary one. */
  readonly store?: string | undefined;
  /** Lines of its configuration file. */
  readonly settings?: readonly string[];
}

export async function startBroker({ store, settings = [] }: BrokerOptions = {}): Promise<Broker> {
  const dir = mkdtempSync(join(tmpdir(), 'toolbus-chaos-nats-'));
  const { path } = await locateNatsServer();
  const port = randomPort();
  const monitorPort = randomPort();
  const monitor = `http://127.0.0.1:${monitorPort}`;
  let child = await start();

  async function start(): Promise<ChildProcess> {
    const args = ['-a', '127.0.0.1', '-p', `${port}`, '-m', `${monitorPort}`, '-js', '-sd', store ?? dir];
    const configFile = join(dir, 'nats.conf');
    writeFileSync(configFile, settings.join('\n'));
    const started = spawn(path, [...args, '-c', configFile, '-l', join(dir, 'log')], { stdio: 'ignore' });
    await until('nats-server is healthy', async () => {
      if (started.exitCode !== null) throw new Error(`nats-server ended with ${started.exitCode}`);
      return (await fetch(`${monitor}/healthz`)).ok;
    });
    return started;
  }

  async function kill(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  const ask = async <Answer>(path: string): Promise<Answer> => (await (await fetch(monitor + path)).json()) as Answer;

  return {
    url: `nats://127.0.0.1:${port}`,
    dir,
    signal: (signal) => void child.kill(signal),
    kill,
    async restart() {
      await kill();
      child = await start();
    },
    async subscriptions() {
      const counts = new Map<string, number>();
      for (const { name = '', subscriptions = 0 } of (await ask<Connz>('/connz?subs=1&limit=4096')).connections) {
        const role = name.replace(/^(toolbus ingress) \S+/, '$1');
        counts.set(role, (counts.get(role) ?? 0) + subscriptions);
      }
      return counts;
    },
    connections: async () => (await ask<Connz>('/connz?limit=4096')).connections.length,
    consumers: async () => (await ask<{ readonly consumers: number }>('/jsz')).consumers,
    async slowConsumers() {
      const { connections } = await ask<Connz>('/connz?state=closed&limit=4096');
      return connections.filter(({ reason = '' }) => reason.startsWith('Slow Consumer')).map(({ name = '' }) => name);
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGCONT');
      await kill();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
