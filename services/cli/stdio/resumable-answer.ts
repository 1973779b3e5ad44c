import { setTimeout as sleep } from 'node:timers/promises';
import type { RequestId } from '../../../shared/mcp/json-rpc.ts';
import { type GatewayResponse, Lost, Unsent } from './gateway.ts';
import type { Link } from './link.ts';
import { readAnswer } from './read-answer.ts';
import { createReconnection } from './reconnection.ts';
import { type Session, sessionHeaders } from './session.ts';

/** For how long a broken answer is asked for again. */
const resumeMs = 30_000;

export interface ResumableAnswer {
  /** In which the request was sent. */
  readonly session: Session | undefined;
  /** Requests that must be answered. Those that are answered are taken out. */
  readonly owed: Set<RequestId>;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal?: AbortSignal | undefined;
  /** One JSON text; returns which requests it answers. */
  onMessage(text: string): readonly RequestId[];
  /** Resolves when there is room for more. */
  drained(): Promise<void>;
}

/** Reads what a POST is answered with, resuming the stream where it breaks. Rejects with Lost or TooLarge. */
export async function readResumable(link: Link, first: GatewayResponse, answer: ResumableAnswer): Promise<void> {
  const { session, owed, signal, onMessage, drained } = answer;
  let response: GatewayResponse | undefined = first;
  const where = createReconnection();
  const giveUpAt = performance.now() + resumeMs;
  const reader = {
    onMessage(text: string) {
      for (const id of onMessage(text)) owed.delete(id);
    },
    onEventId: where.onEventId,
    onRetry: where.onRetry,
    drained,
  };
  for (;;) {
    try {
      if (response !== undefined) await readAnswer(response, reader);
    } catch (error) {
      if (!(error instanceof Lost) || where.lastId === undefined) throw error;
    }
    if (owed.size === 0 || signal?.aborted === true) return;
    const { lastId } = where;
    if (lastId === undefined || performance.now() > giveUpAt) throw new Lost('the answer ended before the result');
    await sleep(where.retryMs, undefined, signal && { signal });
    const headers = { accept: 'text/event-stream', 'last-event-id': lastId, ...sessionHeaders(session) };
    response = await link.send({ method: 'GET', headers, signal }).catch(onlyUnsent);
    if (response !== undefined && response.status !== 200) {
      response.body.destroy();
      throw new Lost('the answer cannot be resumed');
    }
  }
}

function onlyUnsent(error: unknown): undefined {
  if (error instanceof Unsent) return undefined;
  throw error;
}
