import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../helpers/until.ts';
import type { CallRecord } from './oracle.ts';
import type { Rig, RigBroker } from './rig.ts';

/** Waits until calls are answered as if nothing had happened. */
export async function healed(rig: Rig<RigBroker>, withinMs = 15_000): Promise<void> {
  await until('calls are answered again', async () => (await rig.call()).outcome === 'ok', withinMs);
}

/** What was refused may not run later either: looks again after `afterMs`. */
export async function assertPromisesKept(rig: Rig<RigBroker>, afterMs = 5_000): Promise<void> {
  await delay(afterMs);
  assert.deepEqual(rig.violations(), []);
}

/** Calls one after another from each of `agents` until `over` says so, or `calls` are made. */
export async function load(
  rig: Rig<RigBroker>,
  options: {
    readonly agents: number;
    readonly calls?: number;
    readonly delayMs?: number;
    /** Characters of each call's arguments. */
    readonly padding?: number;
    readonly over?: () => boolean;
  },
): Promise<CallRecord[]> {
  const made: CallRecord[] = [];
  let issued = 0;
  const padding = options.padding === undefined ? {} : { padding: 'x'.repeat(options.padding) };
  const agent = async (): Promise<void> => {
    while (issued < (options.calls ?? Number.POSITIVE_INFINITY) && options.over?.() !== true) {
      issued += 1;
      const record = await rig.call({ delayMs: options.delayMs ?? 20, ...padding });
      made.push(record);
      if (record.executed === 'no' || record.outcome === 'connection_lost') await delay(50);
    }
  };
  await Promise.all(Array.from({ length: options.agents }, agent));
  return made;
}

export const tookMs = ({ startedAt, endedAt }: CallRecord): number => endedAt - startedAt;
