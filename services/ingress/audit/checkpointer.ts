import { appendFile, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Head } from '../../../shared/audit/chain.ts';
import {
  type CheckpointHead,
  headOf,
  noCheckpoints,
  readCheckpoint,
  signCheckpoint,
} from '../../../shared/audit/checkpoint.ts';
import type { AuditKeys } from '../../../shared/audit/keys.ts';
import { type AuditPublisher, type PublishAck, publishRefusal } from '../../../shared/bus/audit-publisher.ts';
import type { AuditStreams } from '../../../shared/bus/audit-stream.ts';
import type { Logger } from '../../../shared/log.ts';

export interface CheckpointerOptions {
  readonly writer: string;
  readonly subject: string;
  readonly stream: string;
  readonly publisher: AuditPublisher;
  readonly streams: AuditStreams;
  readonly keys: AuditKeys;
  readonly log: Logger;
  /** Head of what is known to be stored. */
  head(): Head;
  /** Where checkpoints are appended too, away from NATS. */
  file(): string | undefined;
  everyMs(): number;
}

/** Signs the head of this writer's chain from time to time. All writers append to one chain of checkpoints, so that none can vanish alone. */
export interface Checkpointer {
  /** Checkpoints that could not be written, in a row. */
  readonly failures: number;
  /** Signs the last head of this writer. */
  close(): Promise<void>;
}

const ackMs = 2_000;
/** Other writers may have been faster. */
const maxTries = 8;

export function createCheckpointer(options: CheckpointerOptions): Checkpointer {
  const { writer, subject, stream, publisher, streams, keys, log, head, file, everyMs } = options;
  let covered = 0;
  let failures = 0;
  let last: { streamSeq: number; head: CheckpointHead } | undefined;
  let running: Promise<void> | undefined;
  let timer = setTimeout(tick, everyMs());
  timer.unref();

  function tick(): void {
    void checkpoint(false).finally(() => {
      timer = setTimeout(tick, everyMs());
      timer.unref();
    });
  }

  function checkpoint(closed: boolean): Promise<void> {
    const next = head();
    if (next.seq === 0 || (next.seq === covered && !closed) || !publisher.connected) return Promise.resolve();
    running = (running ?? Promise.resolve())
      .then(() => write(next, closed))
      .then(
        () => {
          covered = next.seq;
          failures = 0;
        },
        (error: unknown) => {
          failures += 1;
          last = undefined;
          const level = failures === 1 ? 'error' : 'debug';
          log[level]({ err: error, alarm: 'audit_checkpoint', failures }, 'the audit chain could not be signed');
        },
      );
    return running;
  }

  async function write(next: Head, closed: boolean): Promise<void> {
    for (let tries = 0; tries < maxTries; tries += 1) {
      last ??= await latest();
      const line = signCheckpoint({ writer, head: next, closed, time: new Date().toISOString() }, last.head, keys);
      const signed = readCheckpoint(line);
      if (signed === undefined) throw new Error('a checkpoint of ours cannot be read');
      const ack = await publish(line, `${writer}:c:${signed.n}:${next.seq}`, last.streamSeq);
      if (ack.kind === 'stored') {
        last = { streamSeq: ack.seq, head: headOf(signed, line) };
        await toFile(line);
        return;
      }
      last = undefined;
      if (ack.kind === 'no_stream') throw new Error('no stream takes checkpoints');
      if (ack.code !== publishRefusal.wrongLastSequence) throw new Error(ack.description);
    }
    throw new Error('other writers were faster each time');
  }

  async function latest(): Promise<{ streamSeq: number; head: CheckpointHead }> {
    const message = await streams.last(stream);
    if (message === undefined) return { streamSeq: 0, head: noCheckpoints };
    const line = Buffer.from(message.data).toString('utf8');
    const found = readCheckpoint(line);
    if (found === undefined) throw new Error('the last message of the checkpoint stream is no checkpoint');
    return { streamSeq: message.seq, head: headOf(found, line) };
  }

  function publish(line: string, id: string, expectLastSeq: number): Promise<PublishAck> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        forget?.();
        reject(new Error(`no acknowledgement within ${ackMs} ms`));
      }, ackMs);
      const forget = publisher.publish(subject, line, { id, expectLastSeq }, (ack) => {
        clearTimeout(late);
        resolve(ack);
      });
      if (forget !== undefined) return;
      clearTimeout(late);
      reject(new Error('NATS is not reachable'));
    });
  }

  async function toFile(line: string): Promise<void> {
    const path = file();
    if (path === undefined) return;
    try {
      await mkdir(dirname(path), { recursive: true });
      await appendFile(path, `${line}\n`, { mode: 0o600, flush: true });
    } catch (error) {
      log.error(
        { err: error, alarm: 'audit_checkpoint' },
        'a checkpoint could not be written to audit.checkpoints.file',
      );
    }
  }

  return {
    get failures() {
      return failures;
    },
    async close() {
      clearTimeout(timer);
      await running;
      await checkpoint(true);
    },
  };
}
