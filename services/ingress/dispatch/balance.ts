import { lineOf } from '../../../shared/bus/limits.ts';
import type { InstanceStatus } from '../../../shared/mcp/manifest.ts';

/** Calls of this ingress in each worker process; what others send shows in the heartbeat. */
export type OwnLoad = ReadonlyMap<string, number>;

/** True for a worker process that may take a call now. */
export function canServe(status: InstanceStatus): boolean {
  return status.state === 'ready' && status.breaker !== 'open';
}

/**
 * The less loaded of two processes picked at random ("two choices"), among those that can serve and are not in `tried`.
 * Undefined when there is none: the queue group may know more. A single one is chosen too, because NATS keeps a frozen process in the
 * group for minutes.
 */
export function chooseInstance(
  instances: readonly InstanceStatus[],
  own: OwnLoad,
  tried: ReadonlySet<string>,
  random: () => number = Math.random,
): string | undefined {
  const candidates = instances.filter((status) => canServe(status) && !tried.has(status.instance));
  if (candidates.length <= 1) return candidates[0]?.instance;
  const first = candidates[Math.floor(random() * candidates.length)]!;
  const second = candidates[Math.floor(random() * candidates.length)]!;
  return loadOf(first, own) <= loadOf(second, own) ? first.instance : second.instance;
}

/** Share of its slots in use, 0 to 1 and above: by our own count, which is exact, or by its word, which is up to a second old. */
function loadOf(status: InstanceStatus, own: OwnLoad): number {
  return Math.max(own.get(status.instance) ?? 0, status.inFlight) / status.concurrency;
}

/** Offers that all processes keep while their slots are taken. */
export function linesOf(instances: readonly InstanceStatus[]): number {
  let room = 0;
  for (const status of instances) {
    if (canServe(status) && status.breaker === 'closed') room += lineOf(status.concurrency);
  }
  return room;
}

/** Slots of all processes that can serve, one where the breaker is half-open; undefined when nobody is known. */
export function capacityOf(instances: readonly InstanceStatus[]): number | undefined {
  let capacity: number | undefined;
  for (const status of instances) {
    if (canServe(status)) capacity = (capacity ?? 0) + (status.breaker === 'half_open' ? 1 : status.concurrency);
  }
  return capacity;
}
