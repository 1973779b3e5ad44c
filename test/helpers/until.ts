import { setTimeout as delay } from 'node:timers/promises';

/** Asks again and again until `probe` gives something that is not undefined or false; throws with the last error after `withinMs`. */
export async function until<Value>(
  what: string,
  probe: () => Promise<Value | undefined | false> | Value | undefined | false,
  withinMs = 10_000,
): Promise<Value> {
  const end = Date.now() + withinMs;
  let cause: unknown;
  while (Date.now() < end) {
    try {
      const value = await probe();
      if (value !== undefined && value !== false) return value;
    } catch (error) {
      cause = error;
    }
    await delay(50);
  }
  throw new Error(`not within ${withinMs} ms: ${what}`, { cause });
}
