import type { NatsConnection } from '@nats-io/transport-node';

/** A broker that is away must not hold up the end of a process. Milliseconds. */
const patienceMs = 1_000;

/** Waits until NATS has taken what was published, or what `begin` began has settled, but not for long. Never rejects. */
export async function flushed(nc: NatsConnection, begin: () => Promise<unknown> = () => nc.flush()): Promise<void> {
  if (nc.isClosed()) return;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, patienceMs);
  });
  const taken = begin().catch(() => undefined);
  await Promise.race([taken, late]);
  clearTimeout(timer);
}
