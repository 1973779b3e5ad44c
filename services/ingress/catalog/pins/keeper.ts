import type { Pin } from '../../../../shared/bus/pins.ts';
import type { Config } from '../../../../shared/config/schema.ts';
import type { Logger } from '../../../../shared/log.ts';
import { cleanText } from '../clean-text.ts';
import type { Entry } from '../offering.ts';
import { pinModeOf } from '../withheld.ts';
import { fingerprint, pinnedParts } from './fingerprint.ts';
import type { PinBoard } from './pin-board.ts';

export interface PinKeeperOptions {
  readonly board: PinBoard;
  readonly log: Logger;
  config(): Config;
  /** Tools of a server as they are now, also those kept from agents. */
  tools(server: string): readonly Entry[];
  /** Stores a pin unless there is one. */
  create(pin: Pin): Promise<boolean>;
}

/** Pins what is seen for the first time and says what has changed since. */
export interface PinKeeper {
  /** Looks at all servers whose tools are pinned; to be called after every change of the catalog. */
  review(): void;
}

/** Pins are only made once those that exist are known: call `review` first then. */
export function createPinKeeper({ board, log, config, tools, create }: PinKeeperOptions): PinKeeper {
  const creating = new Set<string>();
  /** What was last reported of a tool, so that it is not said again with every change of the catalog. */
  const reported = new Map<string, string>();

  const pinFirst = ({ server, target, definition }: Entry): void => {
    const key = `${server}\0${target}`;
    if (creating.has(key)) return;
    creating.add(key);
    const pin: Pin = {
      server,
      tool: target,
      hash: fingerprint(definition),
      definition: pinnedParts(definition),
      by: 'first seen',
      at: Date.now(),
    };
    create(pin)
      .then(
        (first) => first && board.set(pin),
        (error: unknown) => log.warn({ err: error, server }, 'cannot store the pin of a tool'),
      )
      .finally(() => creating.delete(key));
  };
  const report = ({ server, target, definition }: Entry, mode: string): void => {
    const key = `${server}\0${target}`;
    const hash = fingerprint(definition);
    if (reported.get(key) === hash) return;
    reported.set(key, hash);
    log.warn(
      { event: 'definition_changed', server, tool: cleanText(target).slice(0, 128), pin: mode, hash },
      mode === 'block'
        ? 'the definition of a tool changed; agents do not get it until it is approved'
        : 'the definition of a tool changed',
    );
  };

  return {
    review() {
      const now = config();
      for (const server of Object.keys(now.servers)) {
        const mode = pinModeOf(now, server);
        if (mode === 'off') continue;
        for (const entry of tools(server)) {
          const state = board.state(server, entry.target, entry.definition);
          if (state === 'unpinned') pinFirst(entry);
          else if (state === 'changed') report(entry, mode);
          else reported.delete(`${server}\0${entry.target}`);
        }
      }
    },
  };
}
