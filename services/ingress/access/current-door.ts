import type { Config } from '../../../shared/config/schema.ts';
import type { Logger } from '../../../shared/log.ts';
import { createDoor, type Door } from './admit.ts';
import { createKeysOfIssuers } from './oauth/key-store.ts';

export interface CurrentDoorOptions {
  /** The configuration in force now. */
  config(): Config;
  /** The address that the listener is bound to. */
  readonly host: string;
  /** `http://host:port` of the listener, once it listens. */
  origin(): string;
  /** See createAuthenticator. */
  readonly developmentKey?: string | undefined;
  readonly log: Logger;
}

/**
 * Gives the door for the configuration in force. One that cannot be built is logged and the last good door stays; the first must be:
 * throws as createDoor does.
 */
export function createCurrentDoor({ config, host, origin, developmentKey, log }: CurrentDoorOptions): () => Door {
  const options = { developmentKey, oauth: { origin, keys: createKeysOfIssuers(log) } };
  let built = config();
  let door = createDoor(built, host, options);
  return () => {
    const now = config();
    if (now !== built) {
      built = now;
      try {
        door = createDoor(now, host, options);
      } catch (error) {
        log.error({ err: error }, 'access rules of the new configuration refused; the old ones stay');
      }
    }
    return door;
  };
}
