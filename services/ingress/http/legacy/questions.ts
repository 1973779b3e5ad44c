import type { CancelSignal } from '../../../../shared/cancellation.ts';
import { isJsonObject, type JsonObject } from '../../../../shared/mcp/json.ts';
import type { SessionBus } from '../edge.ts';
import type { Outlet } from './outlet.ts';

/** A question to the agent came to nothing. `message` may be shown to the agent. */
export class Unanswered extends Error {
  override readonly name = 'Unanswered';
}

/** People answer these, so this is long. */
export const answerWithinMs = 600_000;

/**
 * JSON-RPC requests to agents. The id of each names this ingress, so that the answer, POSTed to any ingress, finds its way back.
 */
export interface Questions {
  /**
   * Sends a request through `outlet` and waits for the agent's JSON-RPC response. Throws Unanswered when there is none in ten minutes,
   * and the signal's reason when that aborts; the agent is told in both cases that nobody waits any more.
   */
  ask(
    sessionKey: string,
    outlet: Outlet,
    method: string,
    params: JsonObject,
    signal: CancelSignal,
  ): Promise<JsonObject>;
  /** Takes a response that an agent sent in a session, whichever ingress asked. */
  answered(sessionKey: string, response: JsonObject): void;
  close(): void;
}

interface Waiting {
  readonly sessionKey: string;
  answer(response: JsonObject): void;
}

const idShape = /^q\.([A-Za-z0-9]{10})\.[0-9]{1,16}$/;

export function createQuestions(bus: SessionBus): Questions {
  const waiting = new Map<string, Waiting>();
  let asked = 0;

  const settle = (sessionKey: string, response: JsonObject) => {
    const { id } = response;
    const question = typeof id === 'string' ? waiting.get(id) : undefined;
    // Another session's answer is as none: ids are not secret.
    if (question?.sessionKey === sessionKey) question.answer(response);
  };
  const stopListening = bus.onAnswer(settle);

  return {
    ask(sessionKey, outlet, method, params, signal) {
      if (outlet.closed) return Promise.reject(new Unanswered('The agent is no longer connected'));
      if (signal.aborted) return Promise.reject(signal.reason);
      asked += 1;
      const id = `q.${bus.ingress}.${asked}`;
      return new Promise((resolve, reject) => {
        const giveUp = (reason: unknown, told: string) => {
          finish();
          const notice = { method: 'notifications/cancelled', params: { requestId: id, reason: told } };
          outlet.send(JSON.stringify({ jsonrpc: '2.0', ...notice }));
          reject(reason);
        };
        const onAbort = () => giveUp(signal.reason, 'the request that asked has ended');
        const timer = setTimeout(
          () => giveUp(new Unanswered(`No answer to ${method} in time`), 'no answer in time'),
          answerWithinMs,
        );
        const finish = () => {
          waiting.delete(id);
          clearTimeout(timer);
          signal.removeEventListener('abort', onAbort);
        };
        waiting.set(id, {
          sessionKey,
          answer(response) {
            finish();
            resolve(response);
          },
        });
        signal.addEventListener('abort', onAbort, { once: true });
        outlet.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
      });
    },
    answered(sessionKey, response) {
      const { id, result, error } = response;
      const asker = typeof id === 'string' ? idShape.exec(id)?.[1] : undefined;
      if (asker === undefined || (!isJsonObject(result) && !isJsonObject(error))) return;
      if (asker === bus.ingress) settle(sessionKey, response);
      else bus.answer(asker, sessionKey, response);
    },
    close: stopListening,
  };
}
