import { setTimeout as sleep } from 'node:timers/promises';
import { Lost, Unsent } from './gateway.ts';
import type { Link } from './link.ts';
import type { Output } from './output.ts';
import { readAnswer } from './read-answer.ts';
import { createReconnection } from './reconnection.ts';
import { type Session, sessionHeaders } from './session.ts';

export interface StandingStreamOptions {
  readonly link: Link;
  readonly output: Output;
  /** Aborts when the shim ends. */
  readonly ending: AbortSignal;
  isCurrent(session: Session): boolean;
  /** The gateway does not know the session any more. */
  reopen(stale: Session): Promise<Session>;
  onMessage(text: string): void;
  /** For people. */
  say(text: string): void;
}

/** Keeps the GET stream for what belongs to no request, for as long as `session` is the current one. Never rejects. */
export async function keepStandingStream(session: Session, options: StandingStreamOptions): Promise<void> {
  const { link, output, ending, isCurrent, reopen, onMessage, say } = options;
  const where = createReconnection();
  const { onEventId, onRetry } = where;
  const reader = { onMessage, onEventId, onRetry, drained: output.drained };
  let broken = false;
  while (isCurrent(session) && !ending.aborted) {
    const { lastId } = where;
    try {
      const resumed = lastId !== undefined && { 'last-event-id': lastId };
      const headers = { accept: 'text/event-stream', ...sessionHeaders(session), ...resumed };
      const response = await link.send({ method: 'GET', headers, signal: ending, patienceMs: 0 });
      if (response.status === 200) {
        // Also where the stream is resumed: while no gateway ran, nobody compared lists.
        if (broken) tellOfChanges(output, session);
        broken = false;
        await readAnswer(response, reader);
      } else {
        response.body.destroy();
        // A server without such a stream says 405; one that knows the event no more is asked for the stream as it is now.
        if (response.status === 405) return;
        if (response.status === 404 && session.id !== undefined) {
          await reopen(session);
          return;
        }
        where.lastId = undefined;
        broken = true;
        where.late();
      }
    } catch (error) {
      if (ending.aborted) return;
      if (!(error instanceof Lost) && !(error instanceof Unsent)) {
        say(`the event stream failed: ${String(error)}`);
        where.late();
      }
      broken = true;
    }
    await sleep(where.retryMs, undefined, { signal: ending }).catch(() => undefined);
    where.soon();
  }
}

/** What the server said meanwhile is lost, so the client looks for itself. */
export function tellOfChanges(output: Output, { announces }: Session): void {
  for (const list of announces) {
    output.write(JSON.stringify({ jsonrpc: '2.0', method: `notifications/${list}/list_changed` }));
  }
}
