import type { RuntimeFlags } from '../../shared/config/runtime.ts';

/** Flags that every command takes. */
export interface CommonFlags extends RuntimeFlags {
  readonly config?: string | undefined;
}
