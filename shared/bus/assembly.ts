import { busLimits } from './limits.ts';

/** A result that comes in parts. Each is copied where it belongs as it comes, so that nothing is left to do when the last one is here. */
export interface Assembly {
  readonly parts: number;
  /** False for more than was announced. */
  add(part: Uint8Array): boolean;
  /** All bytes; undefined while some are missing. */
  readonly whole: Uint8Array | undefined;
}

/** For as many bytes as announced; undefined where that is no size that a result may have. */
export function createAssembly(announced: number): Assembly | undefined {
  if (!Number.isInteger(announced) || announced < 1 || announced > busLimits.maxBodyBytes) return undefined;
  const bytes = Buffer.allocUnsafeSlow(announced);
  let filled = 0;
  let parts = 0;
  return {
    get parts() {
      return parts;
    },
    add(part) {
      if (part.length > announced - filled) return false;
      bytes.set(part, filled);
      filled += part.length;
      parts += 1;
      return true;
    },
    get whole() {
      return filled === announced ? bytes : undefined;
    },
  };
}
