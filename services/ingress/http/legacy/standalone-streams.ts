import type { ServerResponse } from 'node:http';
import type { LegacySession } from '../../sessions/legacy-session.ts';
import type { SessionLines } from '../../sessions/session-lines.ts';
import { readNote } from '../../sessions/session-notes.ts';
import type { EdgeDeps } from '../edge.ts';
import type { KeepAlive, Quiet } from '../keep-alive.ts';
import { openSse } from '../sse-writer.ts';
import type { Notices } from './notices.ts';
import { keepAliveMs } from './post-answer.ts';
import type { StreamLog } from './stream-log.ts';

/** The streams that agents open with GET, for what belongs to no request of theirs. */
export interface StandaloneStreams {
  /** False when this session has its stream here already: a second one must not replace the first (CVE-2026-33946). */
  open(session: LegacySession, res: ServerResponse): boolean;
  end(sessionKey: string): void;
  close(): void;
}

export interface StandaloneStreamsOptions {
  readonly deps: Pick<EdgeDeps, 'sessions'>;
  readonly lines: SessionLines;
  readonly notices: Notices;
  readonly keepAlive: KeepAlive;
  readonly streamLog: StreamLog;
}

export function createStandaloneStreams(options: StandaloneStreamsOptions): StandaloneStreams {
  const { deps, lines, notices, keepAlive, streamLog } = options;
  const ends = new Map<string, () => void>();

  return {
    open(session, res) {
      const { key } = session;
      if (ends.has(key)) return false;
      const stream = openSse(res);
      const record = streamLog.open(key);
      if (record) stream.event('', { id: record.firstId });
      const quiet: Quiet = { lastWrite: performance.now(), quietMs: keepAliveMs, onQuiet: () => stream.comment() };
      const send = (message: string) => {
        quiet.lastWrite = performance.now();
        stream.event(message, record && { id: record.append(message) });
      };
      const subscriptions = notices.open(session, send);
      const leave = lines.follow(key, (message) => {
        const note = readNote(message);
        if (note?.toolbus === 'subscribe') subscriptions.add(note.uri);
        else if (note?.toolbus === 'unsubscribe') subscriptions.remove(note.uri);
        else if (message['jsonrpc'] === '2.0') send(JSON.stringify(message));
      });
      for (const uri of deps.sessions.state(key)?.subscriptions ?? []) subscriptions.add(uri);
      keepAlive.watch(quiet);
      ends.set(key, () => stream.end());
      res.once('close', () => {
        ends.delete(key);
        keepAlive.release(quiet);
        leave();
        subscriptions.close();
        record?.end();
      });
      return true;
    },
    end: (sessionKey) => ends.get(sessionKey)?.(),
    close() {
      for (const end of ends.values()) end();
    },
  };
}
