import type { NatsConnection } from '@nats-io/transport-node';
import { readJsonObject } from './json-bytes.ts';
import type { Subjects } from './subjects.ts';

/** Tells of calls that a worker refused because nobody had signed them. */

const what = 'unsigned_call';
/** Whoever sends many is told of once in this time, with their number. */
const quietMs = 1_000;

export interface UnsignedCalls {
  readonly server: string;
  readonly instance: string;
  /** Who it said it was. Not proven. */
  readonly ingress: string;
  readonly count: number;
}

/** The worker's side. Returns what tells of one. */
export function createUnsignedCallReporter(
  nc: NatsConnection,
  subjects: Subjects,
  server: string,
  instance: string,
): (ingress: string) => void {
  let count = 0;
  let timer: NodeJS.Timeout | undefined;
  let named = '';
  const tell = (): void => {
    timer = undefined;
    if (count === 0 || nc.isClosed()) return;
    nc.publish(subjects.event(server, what), JSON.stringify({ server, instance, ingress: named, count }));
    count = 0;
    timer = setTimeout(tell, quietMs);
    timer.unref();
  };
  return (ingress) => {
    count += 1;
    named = ingress;
    if (timer === undefined) tell();
  };
}

/** The ingress' side: one ingress of the tenant hears of each. Returns what ends it. */
export function followUnsignedCalls(
  nc: NatsConnection,
  subjects: Subjects,
  onCalls: (calls: UnsignedCalls) => void,
): () => void {
  const subscription = nc.subscribe(subjects.events(what), {
    queue: 'ingress',
    callback: (error, message) => {
      const told = error === null ? readJsonObject(message.data) : undefined;
      if (told === undefined) return;
      const { server, instance, ingress, count } = told;
      if (typeof server !== 'string' || typeof instance !== 'string' || typeof ingress !== 'string') return;
      onCalls({ server, instance, ingress: ingress.slice(0, 64), count: typeof count === 'number' ? count : 1 });
    },
  });
  return () => subscription.unsubscribe();
}
