import type { NatsConnection } from '@nats-io/transport-node';

/** A broker that is away must not hold up the end of a process. Milliseconds. */
const patienceMs = 1_000;

/** Waits until NATS has taken what was published, or `waiting` has settled, but not for long. Never rejects. */
export async function flushed(nc: NatsConnection, waiting?: Promise<unknown>): Promise<void> {
  if (nc.isClosed()) return;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, patienceMs);
  });
  const taken = (waiting ?? nc.flush()).catch(() => undefined);
  await Promise.race([taken, late]);
  clearTimeout(timer);
}
