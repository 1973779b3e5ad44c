import type { Buckets } from '../../../shared/bus/buckets.ts';
import { createPin, type Pin } from '../../../shared/bus/pins.ts';
import type { Config } from '../../../shared/config/schema.ts';
import type { Logger } from '../../../shared/log.ts';
import type { Checks } from '../validation/checks.ts';
import type { LiveCatalog } from './create.ts';
import { createPinKeeper } from './pins/keeper.ts';
import type { PinBoard } from './pins/pin-board.ts';

export interface ReviewOptions {
  readonly buckets: Buckets;
  readonly catalog: LiveCatalog;
  readonly pins: PinBoard;
  readonly checks: Checks;
  readonly log: Logger;
  /** The configuration in force now. */
  config(): Config;
}

/** Looks at the definitions now and whenever they change: pins what was never seen before, and compiles schemas ahead where that is configured. */
export function reviewDefinitions({ buckets, catalog, pins, checks, log, config }: ReviewOptions): void {
  const create = (pin: Pin) => createPin(buckets, pin);
  const keeper = createPinKeeper({ board: pins, log, config, tools: catalog.tools, create });
  const review = (): void => {
    keeper.review();
    // Elsewhere a schema is compiled with the first call of its tool.
    for (const [server, { validation }] of Object.entries(config().servers)) {
      if (validation.unsupportedPatterns !== 'quarantine') continue;
      checks
        .vet(catalog.tools(server))
        .catch((error: unknown) => log.warn({ err: error, server }, 'cannot check schemas'));
    }
  };
  catalog.onChange(review);
  review();
}
