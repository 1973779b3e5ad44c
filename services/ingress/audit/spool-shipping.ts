import { decodePack } from '../../../shared/audit/pack.ts';
import type { AuditStreams } from '../../../shared/bus/audit-stream.ts';
import type { Logger } from '../../../shared/log.ts';
import { type GroupCommit, itemOf } from './group-commit.ts';
import type { Spool, SpooledEntry } from './spool.ts';
import type { WriterState } from './writer-state.ts';

export interface SpoolShippingOptions {
  readonly stream: string;
  readonly subject: string;
  readonly streams: AuditStreams;
  readonly commit: GroupCommit;
  readonly spool: Spool;
  readonly state: WriterState;
  readonly log: Logger;
}

/** Brings what is on the disk into the stream: of this process, and of ended ones on the same directory. */
export interface SpoolShipping {
  /** Once at a time; what is left is shipped by the next call. Never rejects. */
  ship(): Promise<void>;
}

export function createSpoolShipping(options: SpoolShippingOptions): SpoolShipping {
  const { stream, subject, streams, commit, spool, state, log } = options;
  let shipping = false;
  let hasAdopted = false;

  /** Ids in the last pack of a writer: the only one that may be stored without its writer having known. */
  async function lastIds(ended: string): Promise<ReadonlySet<string>> {
    const last = await streams.last(stream, subject.slice(0, subject.lastIndexOf('.') + 1) + ended);
    const lines = last === undefined ? [] : (decodePack(last.data)?.lines ?? []);
    return new Set(lines.flatMap((line) => /"id":"([^"]+)"/.exec(line)?.[1] ?? []));
  }

  /** Puts a spooled entry into the stream; it stays in the spool until this resolves. */
  function store({ id, json }: SpooledEntry): Promise<void> {
    return new Promise((resolve, reject) => {
      let late = false;
      const item = itemOf(
        json,
        () => {
          if (late) spool.forget(id);
          resolve();
        },
        () => {
          late = true;
          reject(new Error('not recorded yet'));
        },
      );
      if (state.now !== 'recording' || !commit.push(item)) reject(new Error('not recording'));
    });
  }

  return {
    async ship() {
      if (shipping) return;
      shipping = true;
      try {
        if (!hasAdopted) await spool.adopt(lastIds);
        hasAdopted = true;
        await spool.ship(store);
      } catch (error) {
        if (state.now === 'recording') log.error({ err: error }, 'spooled audit records cannot be shipped');
      } finally {
        shipping = false;
      }
    },
  };
}
