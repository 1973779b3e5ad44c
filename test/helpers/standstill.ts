import { monitorEventLoopDelay } from 'node:perf_hooks';

export interface Measured<Value> {
  readonly value: Value;
  /** The longest time for which this process did not run, in milliseconds. */
  readonly stoodMs: number;
}

/**
 * Measures `round` again when the process stood still for longer than `allowedMs` meanwhile, as on a shared machine it may
 * for seconds; after `attempts` it gives the last one as it is.
 */
export async function undisturbed<Value>(
  round: () => Promise<Value>,
  { allowedMs, attempts = 4 }: { readonly allowedMs: number; readonly attempts?: number },
): Promise<Measured<Value>> {
  for (let attempt = 1; ; attempt += 1) {
    const pauses = monitorEventLoopDelay({ resolution: 5 });
    pauses.enable();
    const value = await round();
    pauses.disable();
    const stoodMs = pauses.max / 1e6;
    if (stoodMs <= allowedMs || attempt === attempts) return { value, stoodMs };
  }
}
