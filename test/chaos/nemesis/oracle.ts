import type { RpcMessage } from '../../helpers/rpc.ts';

/**
 * What must hold while ingresses die.
 *
 * Legacy calls: once an agent has an event id, its call ends with the answer or with `upstream_lost` on that very stream, and a call
 * that is answered OK has had every message of it, once and in order. An agent whose connection broke before it had any id has nothing
 * to come back with: it counts the call as lost and makes a new one. Modern calls: a broken connection ends the call
 * (2026-07-28 has no resumption), and the agent makes a new one. In the end everything that an agent wanted is answered, if only by a
 * refusal with `executed: "no"` or by `upstream_lost`. No call runs twice.
 * Legacy notifications: each change of a note is told exactly once, in order, however often the stream moved. Modern: within one listen no
 * change is told twice or out of order; while there is none, changes may be missed.
 */
export interface Verdicts {
  violation(text: string): void;
  count(what: string): void;
}

export interface Tally extends Verdicts {
  readonly violations: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

export function createTally(): Tally {
  const violations: string[] = [];
  const counts: Record<string, number> = {};
  return {
    violations,
    counts,
    violation: (text) => void violations.push(text),
    count(what) {
      counts[what] = (counts[what] ?? 0) + 1;
    },
  };
}

export interface CallPlan {
  readonly id: string;
  readonly steps: number;
  readonly stepMs: number;
  readonly ask: boolean;
}

/** Follows the messages of one call, over all connections it takes. */
export interface CallWitness {
  /** Undefined until the answer is there. */
  readonly answer: RpcMessage | undefined;
  /** Takes a message of the call's stream; returns the question when it is one. */
  take(message: RpcMessage): RpcMessage | undefined;
  /** Judges the answer. */
  judge(): void;
}

export function witnessCall(plan: CallPlan, requestId: string, verdicts: Verdicts): CallWitness {
  const { id, steps, ask } = plan;
  const broken = (text: string) => verdicts.violation(`call ${id}: ${text}`);
  let answer: RpcMessage | undefined;
  let progress = 0;
  let logged = 0;

  const inOrder = (what: string, step: unknown, before: number): number => {
    if (step !== before + 1) broken(`${what} ${String(step)} after ${before}`);
    return Number(step);
  };

  return {
    get answer() {
      return answer;
    },
    take(message) {
      const { method, params = {} } = message;
      if (answer !== undefined) broken(`${method ?? 'a second answer'} after its answer`);
      switch (method) {
        case undefined:
          if (message.id !== requestId) broken(`got the answer to ${String(message.id)}`);
          answer = message;
          return undefined;
        case 'notifications/progress':
          if (params['progressToken'] !== id) broken(`got progress of ${String(params['progressToken'])}`);
          progress = inOrder('progress', params['progress'], progress);
          return undefined;
        case 'notifications/message': {
          const data = params['data'] as { readonly id?: unknown; readonly step?: unknown };
          if (data.id !== id) broken(`got a log message of ${String(data.id)}`);
          logged = inOrder('log message', data.step, logged);
          return undefined;
        }
        case 'elicitation/create':
          if (!ask || params['message'] !== id) broken(`was asked ${String(params['message'])}`);
          return message;
        case 'notifications/cancelled':
          return undefined;
        default:
          broken(`got ${method}`);
          return undefined;
      }
    },
    judge() {
      if (answer === undefined) return broken('has no answer');
      if (answer.error !== undefined) {
        const { reason, executed } = answer.error.data ?? {};
        verdicts.count(`${String(reason)}, executed ${String(executed)}`);
        const allowed = ['upstream_lost', 'overloaded', 'no_worker', 'shutting_down', 'broker_unavailable'];
        if (!allowed.includes(String(reason))) broken(`failed: ${JSON.stringify(answer.error)}`);
        return;
      }
      verdicts.count('ok');
      const content = answer.result?.['content'] as ReadonlyArray<{ readonly text?: string }> | undefined;
      const text = content?.[0]?.text ?? '';
      const said = JSON.stringify({ id, ...(ask && { echo: id }), runs: 1 });
      if (text !== said) broken(`was answered ${JSON.stringify(answer.result).slice(0, 200)}`);
      if (progress !== steps || logged !== steps)
        broken(`answered OK with ${progress} and ${logged} of ${steps} steps`);
    },
  };
}
