import type { Buckets } from '../../shared/bus/buckets.ts';
import { callKeyOf } from '../../shared/bus/call-proof.ts';
import { clusterSecret, keepClusterSecret } from '../../shared/bus/cluster-secret.ts';
import type { Config } from '../../shared/config/schema.ts';
import type { Logger } from '../../shared/log.ts';
import { createSealer, type Sealer } from '../../shared/seal.ts';

/** What is made from the secret that all ingresses of a cluster have. */
export interface ClusterSecrets {
  /** The one in force when the process started. */
  readonly secret: string;
  /** Seals with the current secret, opens with the former ones too. */
  readonly sealer: Sealer;
  /** With which calls of a server are signed. */
  keyOf(server: string): Buffer;
  /** The same for its workers: the current key first, then former ones. */
  keysOf(server: string): readonly Buffer[];
  /** No longer looks whether the minted secret is still where others find it. */
  close(): void;
}

/** Reads the secrets of the configuration; the first process of a cluster without any mints one and says whom that trusts. */
export async function openClusterSecrets(buckets: Buckets, config: () => Config, log: Logger): Promise<ClusterSecrets> {
  const { secret, minted } = await clusterSecret(buckets, config().cluster.secret);
  if (minted) {
    log.info(
      'cluster.secret is not set: whoever can read the bucket "cluster" in NATS can forge sessions; set it where NATS is shared',
    );
  }
  const kept = keepClusterSecret({ buckets, minted: minted ? secret : undefined, log });
  // Workers know the secrets from their start; so the one that signs does not change while this process runs.
  const [signing = secret, ...former] = sealingSecrets(config(), secret);
  const keys = new Map<string, Buffer>();
  const keyOf = (server: string): Buffer => {
    const key = keys.get(server) ?? callKeyOf(signing, server);
    keys.set(server, key);
    return key;
  };
  return {
    secret,
    sealer: createSealer(() => sealingSecrets(config(), secret)),
    keyOf,
    keysOf: (server) => [keyOf(server), ...former.map((one) => callKeyOf(one, server))],
    close: kept.close,
  };
}

/** The secrets of the configuration in force; `minted` where it names none. */
function sealingSecrets({ cluster }: Config, minted: string): readonly string[] {
  return [cluster.secret === '' ? minted : cluster.secret, ...cluster.previousSecrets];
}
