import type { AuditEntry } from '../../../shared/audit/record.ts';
import type { Logger } from '../../../shared/log.ts';
import type { Spool } from './spool.ts';
import type { WriterState } from './writer-state.ts';

/** Puts records on the disk, and does not let anybody wait for a disk that hangs. */
export interface Spill {
  /**
   * Resolves when the record is on the disk. Rejects when the disk refuses it; with `isAwaited` also when the disk says nothing for five seconds, after
   * which the record may get there all the same.
   */
  put(entry: AuditEntry, json: string, isAwaited: boolean): Promise<void>;
  /** Gives up what has been waited for too long. */
  expire(now: number): void;
}

/** A disk under load may take this long for one fsync. */
const diskMs = 5_000;

export function createSpill({ spool, state, log }: { spool: Spool; state: WriterState; log: Logger }): Spill {
  const waiting = new Set<{ readonly since: number; expire(): void }>();

  function noteLost(error: unknown, { id }: AuditEntry): void {
    state.lost();
    log.error({ err: error, alarm: 'audit_lost', id }, 'an audit record is neither in the stream nor on the disk');
  }

  return {
    put(entry, json, isAwaited) {
      let expired = false;
      const written = spool.append(entry.id, json, entry.kind === 'outcome').then(
        () => {
          state.spooled();
          if (expired) log.warn({ id: entry.id }, 'an audit record given up as lost is on the disk after all');
        },
        (error: unknown) => {
          if (!expired) noteLost(error, entry);
          throw error;
        },
      );
      if (!isAwaited) return written;
      return new Promise((resolve, reject) => {
        const one = {
          since: performance.now(),
          expire() {
            expired = true;
            const error = new Error(`the disk took nothing within ${diskMs} ms`);
            noteLost(error, entry);
            reject(error);
          },
        };
        waiting.add(one);
        written.then(resolve, reject).finally(() => waiting.delete(one));
      });
    },
    expire(now) {
      // In the order of `since`: the first that may wait longer ends the search.
      for (const one of waiting) {
        if (now - one.since <= diskMs) return;
        waiting.delete(one);
        one.expire();
      }
    },
  };
}
