import type { Config, ServerConfig } from '../../../shared/config/schema.ts';
import type { JsonObject } from '../../../shared/mcp/json.ts';
import type { Entry } from './offering.ts';
import type { PinBoard } from './pins/pin-board.ts';

/** Why a tool that passed the checks of its definition is kept from agents all the same. */
export interface Withheld {
  readonly status: 'quarantined' | 'changed';
  readonly reason: string;
}

/** Judges tools by what came out after their definition was read: it cannot be used, or it is not the pinned one. */
export interface Withholding {
  /** Undefined: agents may have it. */
  of(entry: Entry, config: Config): Withheld | undefined;
  /** What an operator should know of a tool that agents have. */
  remark(entry: Entry, config: Config): string | undefined;
  /** The definition turned out to be unusable. False where that was known. */
  condemn(definition: JsonObject, why: string): boolean;
}

/** The reason that agents and logs get. */
export const definitionChanged = 'definition changed';

export function createWithholding(pins: PinBoard | undefined): Withholding {
  const condemned = new WeakMap<JsonObject, string>();
  const hasChanged = ({ server, target, definition }: Entry, config: Config, mode: ServerConfig['pin']): boolean =>
    pins !== undefined && pinModeOf(config, server) === mode && pins.state(server, target, definition) === 'changed';
  return {
    of(entry, config) {
      const why = condemned.get(entry.definition);
      if (why !== undefined) return { status: 'quarantined', reason: why };
      return hasChanged(entry, config, 'block') ? { status: 'changed', reason: definitionChanged } : undefined;
    },
    remark: (entry, config) => (hasChanged(entry, config, 'warn') ? definitionChanged : undefined),
    condemn(definition, why) {
      if (condemned.has(definition)) return false;
      condemned.set(definition, why);
      return true;
    },
  };
}

export function pinModeOf({ servers }: Config, server: string): ServerConfig['pin'] {
  return Object.hasOwn(servers, server) ? (servers[server]?.pin ?? 'off') : 'off';
}
