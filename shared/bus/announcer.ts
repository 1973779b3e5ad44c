import type { Logger } from 'pino';
import { createLateness } from '../lateness.ts';
import type { InstanceStatus, Manifest } from '../mcp/manifest.ts';
import type { WorkerBuckets } from './buckets.ts';
import { followBucket } from './follow.ts';
import { isBucketGone } from './jetstream-errors.ts';
import { keepManifestMs, publishManifest } from './published-manifests.ts';
import { token } from './subjects.ts';

const beatMs = 1_000;

/** What a worker writes into the registry. */
export interface Announcer {
  /** Stores the manifest and makes it the server's last known one. */
  publish(manifest: Manifest): Promise<void>;
  /** Writes the status now; it is repeated every second until `close`. */
  beat(): void;
  /** Takes this process out of the registry. */
  close(): Promise<void>;
}

export function createAnnouncer(buckets: WorkerBuckets, status: () => InstanceStatus, log: Logger): Announcer {
  const { server, instance } = status();
  const key = `${token(server)}.${token(instance)}`;
  let failing = false;
  let restoring = false;
  let closed = false;
  let offered: Manifest | undefined;
  /** What was published may be gone. */
  let inDoubt = false;

  const catalog = followBucket({
    kv: buckets.catalog,
    filter: `${token(server)}.head`,
    restore: buckets.restore,
    log,
    onEntry: () => undefined,
    onAnew() {
      inDoubt = true;
      return [];
    },
  });

  function beat(): void {
    if (closed) return;
    buckets.workers.put(key, JSON.stringify(status())).then(
      () => {
        failing = false;
        if (inDoubt) void publishAgain();
      },
      (error: unknown) => {
        if (!failing) log.warn({ err: error }, 'cannot write the heartbeat');
        failing = true;
        if (isBucketGone(error)) void restore();
      },
    );
  }

  async function restore(): Promise<void> {
    if (restoring || closed) return;
    restoring = true;
    try {
      await buckets.restore();
      inDoubt = true;
      log.warn('the registry was gone and is written again');
      beat();
    } catch (error) {
      log.debug({ err: error }, 'the registry cannot be restored yet');
    } finally {
      restoring = false;
    }
  }

  async function publishAgain(): Promise<void> {
    inDoubt = false;
    if (offered === undefined || closed) return;
    try {
      await publishManifest(buckets, { manifest: offered, worker: key });
    } catch (error) {
      log.debug({ err: error }, 'the manifest cannot be published again yet');
      inDoubt = true;
    }
  }

  const lateAt = createLateness(beatMs);
  const timer = setInterval(() => {
    // Others may have taken this process for dead, and removed what it had published.
    if (lateAt(performance.now()) > keepManifestMs / 2) inDoubt = true;
    beat();
  }, beatMs);
  return {
    publish(manifest) {
      offered = manifest;
      return publishManifest(buckets, { manifest, worker: key });
    },
    beat,
    async close() {
      closed = true;
      clearInterval(timer);
      catalog.close();
      await buckets.workers.delete(key).catch(() => undefined);
    },
  };
}
