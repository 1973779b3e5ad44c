import { followBlocks } from '../../../shared/bus/blocks.ts';
import type { Buckets } from '../../../shared/bus/buckets.ts';
import { followPins } from '../../../shared/bus/pins.ts';
import { followRegistry } from '../../../shared/bus/registry.ts';
import type { Config } from '../../../shared/config/schema.ts';
import type { Logger } from '../../../shared/log.ts';
import type { Sealer } from '../../../shared/seal.ts';
import { toolbusVersion } from '../../../shared/version.ts';
import { type Blocks, createBlocks } from '../blocks/blocks.ts';
import { cleanText } from './clean-text.ts';
import { createCatalog, type LiveCatalog } from './create.ts';
import { createPinBoard, type PinBoard } from './pins/pin-board.ts';

/** The catalog as the bus tells it, and what is kept out of it. */
export interface FollowedCatalog {
  readonly catalog: LiveCatalog;
  /** The kill switch as it stands, and its turns from now on. */
  readonly blocks: Blocks;
  readonly pins: PinBoard;
  /** Servers that a worker has announced, now or before. */
  announced(): Iterable<string>;
  /** Resolves when all that was known on the bus at the start is in the catalog. */
  readonly caughtUp: Promise<unknown>;
  close(): void;
}

export interface FollowOptions {
  readonly buckets: Buckets;
  readonly sealer: Sealer;
  readonly log: Logger;
  /** The configuration in force now. */
  config(): Config;
}

/** A server with many faulty definitions does not fill the log. */
const maxQuarantineLogs = 20;

/** Follows workers and their manifests, the kill switch and the pins. */
export function followCatalog({ buckets, sealer, log, config }: FollowOptions): FollowedCatalog {
  const blocks = createBlocks();
  const pins = createPinBoard();
  const catalog = createCatalog({
    config,
    sealer,
    version: toolbusVersion(),
    blocks,
    pins,
    onQuarantined(server, quarantined) {
      for (const { kind, name, reason } of quarantined.slice(0, maxQuarantineLogs))
        log.warn({ server, kind, name, why: cleanText(reason) }, 'a definition is kept from agents');
    },
  });
  pins.onChange(() => catalog.configChanged());
  const pinned = followPins({ buckets, log, onPin: pins.set });
  blocks.onChange(() => catalog.configChanged());
  const switches = followBlocks({ buckets, log, onEvent: blocks.apply });
  const announced = new Set<string>();
  const registry = followRegistry(
    buckets,
    {
      onStatus: (status) => {
        announced.add(status.server);
        catalog.setInstance(status);
      },
      onGone: (server, instance) => catalog.removeInstance(server, instance),
      onManifest: (server, manifest) => {
        if (manifest === undefined) announced.delete(server);
        else announced.add(server);
        catalog.setManifest(server, manifest);
      },
    },
    log,
  );
  return {
    catalog,
    blocks,
    pins,
    announced: () => announced,
    caughtUp: Promise.all([registry.caughtUp, switches.caughtUp, pinned.caughtUp]),
    close() {
      registry.close();
      switches.close();
      pinned.close();
      blocks.close();
      catalog.close();
    },
  };
}
