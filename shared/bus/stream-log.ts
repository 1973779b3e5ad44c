import type { StoredMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import type { Subjects } from './subjects.ts';
import { createVolatileStream, volatileName } from './volatile-stream.ts';

/**
 * What was written to the event streams of legacy agents, kept for some minutes in the memory of NATS so that any ingress can go on
 * where another one stopped. Each stream is a subject; its writer counts the events from 1. Writing is a plain publish: nobody waits.
 */

/** One event. Neither `message` nor `ends`: it was too large to be kept. */
export interface LoggedEvent {
  readonly n: number;
  readonly message?: Uint8Array;
  /** Nothing follows. */
  readonly ends?: true;
}

export interface BusStreamLog {
  append(session: string, stream: string, n: number, message: string | Uint8Array): void;
  end(session: string, stream: string, n: number): void;
  /** What is kept of a stream, in order. Empty when nothing is, or NATS cannot say. */
  history(session: string, stream: string): Promise<LoggedEvent[]>;
  /** Calls back for what is appended from now on, once this resolves; returns the function that stops. */
  follow(session: string, stream: string, onEvent: (event: LoggedEvent) => void): Promise<() => void>;
  close(): void;
}

export interface BusStreamLogOptions {
  readonly nc: NatsConnection;
  readonly subjects: Subjects;
  readonly tenant: string;
  readonly log: Logger;
}

const maxBytes = 64 * 1024 * 1024;
/** A call that reports progress without end keeps the newest of it. */
const maxPerStream = 2_048;
/** Well below the 1 MiB that a message may have by default. */
const partBytes = 256 * 1024;
const maxParts = 16;
const readBatch = 512;
const readWithinMs = 3_000;

/** Opens the log and makes its stream. While that fails nothing is kept, which is logged. */
export function createBusStreamLog({ nc, subjects, tenant, log }: BusStreamLogOptions): BusStreamLog {
  const stored = createVolatileStream({
    nc,
    log,
    name: volatileName(tenant, 'streams'),
    subjects: [subjects.streamLogs],
    maxBytes,
    maxPerSubject: maxPerStream,
  });
  const prepare = () => {
    stored.ensure().catch((error: unknown) => log.warn({ err: error }, 'cannot keep event streams: none resumes'));
  };
  prepare();
  stored.onReconnect(prepare);

  const publish = (subject: string, head: string, body: Uint8Array = empty) => {
    if (!nc.isClosed()) nc.publish(subject, Buffer.concat([Buffer.from(`${head}\n`), body]));
  };

  /** Up to `readBatch` messages of the subject from `seq` on. */
  async function read(subject: string, seq: number): Promise<StoredMsg[]> {
    const { direct } = await stored.manager();
    const found: StoredMsg[] = [];
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('NATS did not answer in time')), readWithinMs);
      direct
        .getBatch(stored.name, {
          seq,
          next_by_subj: subject,
          batch: readBatch,
          callback(done, message) {
            if (done === null) return void found.push(message);
            clearTimeout(timer);
            // "Not found" ends an empty stream as an error would.
            if (done.err === undefined || found.length > 0 || isNotFound(done.err)) resolve(found);
            else reject(done.err);
          },
        })
        .catch(reject);
    });
  }

  return {
    append(session, stream, n, message) {
      const subject = subjects.streamLog(session, stream);
      const bytes = typeof message === 'string' ? Buffer.from(message, 'utf8') : message;
      const parts = Math.max(1, Math.ceil(bytes.length / partBytes));
      if (parts > maxParts) return publish(subject, `${n} x`);
      for (let at = 0; at < parts; at += 1) {
        publish(subject, `${n} m ${at} ${parts}`, bytes.subarray(at * partBytes, (at + 1) * partBytes));
      }
    },
    end: (session, stream, n) => publish(subjects.streamLog(session, stream), `${n} e`),
    async history(session, stream) {
      const subject = subjects.streamLog(session, stream);
      const events: LoggedEvent[] = [];
      const assemble = createAssembler();
      try {
        for (let seq = 1; ; ) {
          const batch = await read(subject, seq);
          for (const { data } of batch) {
            const event = assemble(data);
            if (event !== undefined) events.push(event);
          }
          const last = batch.at(-1);
          if (last === undefined || batch.length < readBatch) return events;
          seq = last.seq + 1;
        }
      } catch (error) {
        log.warn({ err: error }, 'cannot read an event stream');
        return events;
      }
    },
    async follow(session, stream, onEvent) {
      const assemble = createAssembler();
      const subscription = nc.subscribe(subjects.streamLog(session, stream), {
        callback: (error, message) => {
          const event = error === null ? assemble(message.data) : undefined;
          if (event !== undefined) onEvent(event);
        },
      });
      await nc.flush().catch(() => undefined);
      return () => subscription.unsubscribe();
    },
    close: () => stored.close(),
  };
}

const empty = new Uint8Array();
const headShape = /^(\d{1,10}) (?:(e|x)|m (\d{1,2}) (\d{1,2}))$/;
const maxHeadBytes = 32;

/** Puts events together from their parts, which arrive in order. Anything else is passed over. */
function createAssembler(): (data: Uint8Array) => LoggedEvent | undefined {
  let open: { n: number; parts: Uint8Array[] } | undefined;
  return (data) => {
    const headEnd = data.subarray(0, maxHeadBytes).indexOf(10);
    if (headEnd === -1) return undefined;
    const [, count, word, at, parts] = headShape.exec(Buffer.from(data.subarray(0, headEnd)).toString('latin1')) ?? [];
    if (count === undefined) return undefined;
    const n = Number(count);
    if (word !== undefined) return word === 'e' ? { n, ends: true } : { n };
    const body = data.subarray(headEnd + 1);
    if (parts === '1') return { n, message: body };
    if (at === '0') open = { n, parts: [body] };
    else if (open?.n === n && open.parts.length === Number(at)) open.parts.push(body);
    else return undefined;
    return open.parts.length === Number(parts) ? { n, message: Buffer.concat(open.parts) } : undefined;
  };
}

function isNotFound(error: Error): boolean {
  return /no results|not found|no messages/i.test(error.message);
}
