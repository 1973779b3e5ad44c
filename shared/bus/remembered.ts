import type { KV } from '@nats-io/kv';
import type { Logger } from 'pino';
import { readJsonObject } from './json-bytes.ts';

/** One small value that outlives the process: read once at the start, written in the background. */
export interface Remembered<T> {
  get(): T | undefined;
  set(value: T | undefined): void;
}

/** Loads what an earlier process remembered under `key`. A value that cannot be read is as if there were none. */
export async function remember<T extends object>(kv: KV, key: string, log: Logger): Promise<Remembered<T>> {
  let value: T | undefined;
  try {
    const entry = await kv.get(key);
    if (entry !== null && entry.operation === 'PUT') value = readJsonObject(entry.value) as T | undefined;
  } catch (error) {
    log.warn({ err: error }, 'cannot read what an earlier worker remembered');
  }
  return {
    get: () => value,
    set(next) {
      value = next;
      const written = next === undefined ? kv.purge(key) : kv.put(key, JSON.stringify(next));
      written.then(undefined, (error: unknown) => log.debug({ err: error }, 'cannot remember'));
    },
  };
}
