import { decodePack, type PackHeader } from '../../../shared/audit/pack.ts';
import type { AuditPublisher } from '../../../shared/bus/audit-publisher.ts';
import type { AuditStreams } from '../../../shared/bus/audit-stream.ts';
import type { Logger } from '../../../shared/log.ts';
import { eventEntry } from './entries.ts';
import { type GroupCommit, itemOf } from './group-commit.ts';
import type { StreamKeeper } from './stream-keeper.ts';
import type { WriterState } from './writer-state.ts';

export interface RecoveryOptions {
  readonly stream: string;
  readonly subject: string;
  readonly publisher: AuditPublisher;
  readonly streams: AuditStreams;
  readonly keeper: StreamKeeper;
  readonly commit: GroupCommit;
  readonly state: WriterState;
  readonly log: Logger;
}

/** Brings a broken stream back into use. */
export interface Recovery {
  /** The stream itself said no: its limits or the stream itself may be the cause, so it is looked at before the next try. */
  noteRefused(isOfStream: boolean): void;
  /** Finds out what became of the pack on its way; where there is none, sends a record that says how long nothing was recorded. Never rejects. */
  tryAgain(): Promise<void>;
}

/** What an operator can do about it stands in docs/audit.md. */
const silence = 'JetStream answers to nothing it should store: its disk is full or hangs, or its cluster has no leader';
const noop = (): void => undefined;

export function createRecovery(options: RecoveryOptions): Recovery {
  const { stream, subject, publisher, streams, keeper, commit, state, log } = options;
  let wasRefused = false;
  let trying = false;
  /** The pack that was sent once more, and about which nothing was heard since. */
  let asked: PackHeader | undefined;

  async function attempt(): Promise<void> {
    if (!publisher.connected) return;
    // The operator may have given the stream more room, or answered for a lost one.
    const found = wasRefused || keeper.state.kind !== 'ready' ? await keeper.check() : keeper.state;
    if (found.kind !== 'ready') {
      if (found.kind === 'missing' || found.kind === 'failed') state.explain(found.reason);
      return;
    }
    const { flight } = commit;
    if (flight === undefined) {
      commit.sendAlone([itemOf(JSON.stringify(eventEntry('audit_gap', state.gap())), noop, noop)]);
      return;
    }
    const last = await streams.last(stream, subject);
    const header = last === undefined ? undefined : decodePack(last.data)?.header;
    if (commit.flight !== flight) return;
    if (header?.seq === flight.seq && header.hash === flight.hash) commit.confirm();
    else {
      if (asked === flight) state.explain(silence);
      asked = flight;
      commit.again();
    }
  }

  return {
    noteRefused(isOfStream) {
      wasRefused = isOfStream;
    },
    async tryAgain() {
      if (trying) return;
      trying = true;
      try {
        await attempt();
      } catch (error) {
        log.debug({ err: error }, 'the audit stream does not answer');
        if (state.now === 'broken') state.explain(silence);
      } finally {
        trying = false;
        if (state.now === 'broken') state.postpone();
      }
    },
  };
}
