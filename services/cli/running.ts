import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { BusAddress } from '../../shared/bus/connect.ts';
import { type Runtime, type RuntimeFlags, resolveRuntime } from '../../shared/config/runtime.ts';
import type { Config } from '../../shared/config/schema.ts';
import { exitCode, OperatorError } from '../../shared/errors.ts';

/** What a running `up` tells other commands on this machine. The file is readable by its owner only: the URL holds the password. */
export interface Running {
  readonly pid: number;
  readonly nats: string;
  readonly mcp: string;
  readonly admin: string;
}

const fileName = 'running.json';

export async function writeRunning(dataDir: string, running: Running): Promise<() => Promise<void>> {
  const file = path.join(dataDir, fileName);
  await writeFile(file, `${JSON.stringify(running)}\n`, { mode: 0o600 });
  return () => rm(file, { force: true });
}

/** What the `up` on this data directory told; undefined where none runs. */
export async function readRunning(dataDir: string): Promise<Running | undefined> {
  try {
    return JSON.parse(await readFile(path.join(dataDir, fileName), 'utf8')) as Running;
  } catch {
    return undefined;
  }
}

/** The endpoint of the `up` on the data directory that the flags lead to. */
export async function runningMcp(flags: RuntimeFlags, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const mcp: unknown = (await readRunning(resolveRuntime(flags, env).dataDir))?.mcp;
  return typeof mcp === 'string' ? mcp : undefined;
}

/** Which NATS a command joins: flag or variable, else the configuration, else the `up` that runs on this data directory. */
export async function findBus(runtime: Runtime, config: Config): Promise<BusAddress> {
  const url = runtime.nats ?? config.nats.url ?? (await readRunning(runtime.dataDir))?.nats;
  if (url === undefined) {
    throw new OperatorError(exitCode.unreachable, `no NATS is given and no \`toolbus up\` runs on ${runtime.dataDir}`, {
      hint: 'give --nats or NATS_URL, or the --data-dir of a running `toolbus up`',
    });
  }
  return busAddress(url, config);
}

/** How the configuration says to join the NATS at `url`. */
export function busAddress(url: string, { nats }: Config): BusAddress {
  return { url, credentials: nats.credentials, inboxPrefix: nats.inboxPrefix, tls: nats.tls };
}

/** A NATS URL with its password masked, for people to read. */
export function showNats(url: string): string {
  return url.replaceAll(/\/\/[^@/,]*@/g, '//***@');
}
