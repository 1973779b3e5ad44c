import { createHash } from 'node:crypto';
import { openWorkerBuckets, type WorkerBuckets } from '../../shared/bus/buckets.ts';
import { type BusAddress, connectBus } from '../../shared/bus/connect.ts';
import { remember } from '../../shared/bus/remembered.ts';
import { subjectsOf, token } from '../../shared/bus/subjects.ts';
import type { ServerConfig } from '../../shared/config/schema.ts';
import type { Logger } from '../../shared/log.ts';
import { toolbusVersion } from '../../shared/version.ts';
import { startInstance } from './instance.ts';
import type { EraVerdict } from './upstreams/era-verdict.ts';

export interface WorkerOptions {
  readonly server: string;
  readonly config: ServerConfig;
  readonly bus: BusAddress;
  readonly tenant: string;
  /** With which calls of this server are signed: the current key first. */
  readonly callKeys: Promise<readonly Buffer[]>;
  readonly log: Logger;
}

export interface Worker {
  readonly instances: readonly string[];
  /** Resolves when every upstream has been discovered or has failed once; the first one's outcome. */
  readonly settled: Promise<{ tools: number } | { error: string; hint?: string | undefined }>;
  close(graceMs?: number): Promise<void>;
}

const drainMs = 10_000;

/** Starts the sidecar of one server: an instance for the child, or one for each URL. Throws OperatorError when NATS is unreachable. */
export async function startWorker({ server, config, bus, tenant, callKeys, log }: WorkerOptions): Promise<Worker> {
  const name = `toolbus worker ${server}`;
  // A large result on its way must not delay heartbeats, so they have a connection of their own.
  const [calls, control] = await Promise.all([
    connectBus({ ...bus, name: `${name} calls`, log }),
    connectBus({ ...bus, name: `${name} control`, log }),
  ]);
  const buckets = await openWorkerBuckets(control, tenant);
  const urls = config.url === undefined ? [undefined] : [config.url].flat();
  const eraCaches = await Promise.all(urls.map((url) => openEraCache(buckets, server, config, url, log)));
  const instances = await Promise.all(
    urls.map((url, at) =>
      startInstance({
        server,
        config,
        url,
        calls,
        control,
        buckets,
        subjects: subjectsOf(tenant),
        eraCache: eraCaches[at],
        callKeys,
        version: toolbusVersion(),
        log,
      }),
    ),
  );
  return {
    instances: instances.map((instance) => instance.id),
    settled: Promise.all(instances.map((instance) => instance.settled)).then(
      (outcomes) => outcomes.find((outcome) => 'tools' in outcome) ?? outcomes[0]!,
    ),
    async close(graceMs = drainMs) {
      await Promise.all(instances.map((instance) => instance.close(graceMs)));
      await Promise.all([calls.close(), control.close()]);
    },
  };
}

/** What was found out about this very command or URL; another one is probed anew. */
function openEraCache(
  buckets: WorkerBuckets,
  server: string,
  config: ServerConfig,
  url: string | undefined,
  log: Logger,
) {
  const digest = createHash('sha256')
    .update(JSON.stringify([config.command, config.args, url]))
    .digest('hex')
    .slice(0, 16);
  return remember<EraVerdict>(buckets.catalog, `${token(server)}.era.${digest}`, log);
}
