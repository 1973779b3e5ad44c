import { openClusterBucket } from '../../shared/bus/buckets.ts';
import { callKeyOf } from '../../shared/bus/call-proof.ts';
import { clusterSecret } from '../../shared/bus/cluster-secret.ts';
import { type BusAddress, connectBus } from '../../shared/bus/connect.ts';
import type { Config } from '../../shared/config/schema.ts';
import { exitCode, OperatorError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';

export interface CallKeysOptions {
  readonly server: string;
  readonly config: Config;
  readonly bus: BusAddress;
  readonly log: Logger;
}

/**
 * The keys by which a worker that was started on its own knows the calls of its server: from `cluster.secret`, else from the secret that is kept in NATS.
 * Rejects with an OperatorError (exit 2) where there is neither.
 */
export async function workerCallKeys({ server, config, bus, log }: CallKeysOptions): Promise<readonly Buffer[]> {
  const { secret, previousSecrets } = config.cluster;
  const secrets = secret === '' ? [await mintedSecret(config, bus, log)] : [secret];
  return [...secrets, ...previousSecrets].map((one) => callKeyOf(one, server));
}

async function mintedSecret(config: Config, bus: BusAddress, log: Logger): Promise<string> {
  const nc = await connectBus({ ...bus, name: 'toolbus worker secret', log });
  try {
    return (await clusterSecret(await openClusterBucket(nc, config.nats.tenant), '')).secret;
  } catch (error) {
    throw new OperatorError(exitCode.usage, 'this worker cannot read the cluster secret from NATS', {
      cause: error,
      hint: 'set cluster.secret (TOOLBUS_SECRET) to what the ingresses have; docs/nats.md says why',
    });
  } finally {
    await nc.close();
  }
}
