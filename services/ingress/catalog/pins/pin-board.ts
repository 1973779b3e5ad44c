import type { Pin } from '../../../../shared/bus/pins.ts';
import type { JsonObject } from '../../../../shared/mcp/json.ts';
import { fingerprint } from './fingerprint.ts';

/** How a tool's definition stands to its pin. */
export type PinState = 'unpinned' | 'same' | 'changed';

/** The pins of all servers, kept in memory. */
export interface PinBoard {
  set(pin: Pin): void;
  pin(server: string, tool: string): Pin | undefined;
  state(server: string, tool: string, definition: JsonObject): PinState;
  /** Calls back after a pin was set; returns the unsubscribe function. */
  onChange(listener: () => void): () => void;
}

export function createPinBoard(): PinBoard {
  const pins = new Map<string, Map<string, Pin>>();
  const listeners = new Set<() => void>();
  const hashes = new WeakMap<JsonObject, string>();
  const hashOf = (definition: JsonObject): string => {
    const hash = hashes.get(definition) ?? fingerprint(definition);
    hashes.set(definition, hash);
    return hash;
  };
  return {
    set(pin) {
      const known = pins.get(pin.server) ?? new Map<string, Pin>();
      if (known.get(pin.tool)?.hash === pin.hash) return;
      pins.set(pin.server, known.set(pin.tool, pin));
      for (const listener of [...listeners]) listener();
    },
    pin: (server, tool) => pins.get(server)?.get(tool),
    state(server, tool, definition) {
      const pin = pins.get(server)?.get(tool);
      if (pin === undefined) return 'unpinned';
      return pin.hash === hashOf(definition) ? 'same' : 'changed';
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
