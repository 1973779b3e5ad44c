import type { IntentEntry, OutcomeEntry } from '../../../shared/audit/record.ts';
import type { JsonObject } from '../../../shared/mcp/json.ts';

/** A recorded call that can be made again, with what it was answered. Names are the server's own. */
export interface RecordedCall {
  readonly call: string;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly agent: string;
  /** Protocol revision of the agent. */
  readonly protocol: string;
  readonly method: string;
  readonly server: string;
  /** Tool, prompt or URI. */
  readonly target: string;
  readonly arguments: JsonObject;
  readonly outcome: OutcomeEntry['outcome'];
  readonly code?: number | undefined;
  readonly result?: OutcomeEntry['result'];
}

/** A recorded call that cannot, and why. */
export interface SkippedCall {
  readonly call: string;
  readonly server: string;
  readonly target: string;
  readonly skipped: SkipReason;
}

export type SkipReason =
  | 'arguments were redacted'
  | 'arguments were not kept'
  | 'answers a question of the server'
  | 'asked a question'
  | 'became a task'
  | 'had no answer to compare with'
  | 'of a method that is not replayed'
  | 'is a replay itself'
  | 'the tool may change something'
  | 'the tool is not there any more'
  | 'no server to send it to';

/** Methods that a replay makes again. The rest belongs to a task or to one server's own protocol. */
export const replayedMethods: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read']);

/** What the two records of a call make of it. `outcome` undefined: none was recorded. */
export function recordedCall(intent: IntentEntry, outcome: OutcomeEntry | undefined): RecordedCall | SkippedCall {
  const { call, server, method } = intent;
  const target = intent.tool ?? intent.target ?? '';
  const why = whyNot(intent, outcome);
  if (why !== undefined || outcome === undefined || intent.arguments.mode !== 'plain') {
    return { call, server, target, skipped: why ?? 'had no answer to compare with' };
  }
  const { value } = intent.arguments;
  return {
    call,
    at: Date.parse(intent.time),
    agent: intent.agent,
    protocol: intent.protocol,
    method,
    server,
    target,
    arguments: typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {},
    outcome: outcome.outcome,
    code: outcome.code,
    result: outcome.result,
  };
}

function whyNot(intent: IntentEntry, outcome: OutcomeEntry | undefined): SkipReason | undefined {
  if (intent.replay !== undefined) return 'is a replay itself';
  if (!replayedMethods.has(intent.method)) return 'of a method that is not replayed';
  if (intent.answers !== undefined) return 'answers a question of the server';
  if (intent.arguments.mode !== 'plain') return 'arguments were not kept';
  if (intent.arguments.redacted !== undefined) return 'arguments were redacted';
  switch (outcome?.outcome) {
    case 'ok':
    case 'tool_error':
    case 'rpc_error':
      return undefined;
    case 'input_required':
      return 'asked a question';
    case 'task':
      return 'became a task';
    default:
      return 'had no answer to compare with';
  }
}
