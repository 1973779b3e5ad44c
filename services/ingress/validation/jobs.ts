import type { JsonObject, JsonValue } from '../../../shared/mcp/json.ts';
import type { EngineProblem } from './instantiate.ts';
import type { Dialect } from './keywords.ts';
import type { RuleSpec } from './rules/rule.ts';

/** A schema as the thread gets it. Both sides keep what they made of it under its hash. */
export interface HashedSchema {
  readonly hash: string;
  readonly dialect: Dialect;
  readonly schema: JsonObject;
}

/** What the thread is asked to do. */
export type Job =
  | { readonly kind: 'compile'; readonly schema: HashedSchema }
  | { readonly kind: 'explain'; readonly schema: HashedSchema; readonly value: JsonValue }
  | { readonly kind: 'rules'; readonly rules: readonly RuleSpec[]; readonly value: JsonObject };

/** What it answers; `failed` is a fault of the schema. */
export type JobResult =
  | {
      readonly kind: 'compiled';
      /** Source of a validator that stops at the first problem. */
      readonly code: string;
      readonly unenforced: readonly string[];
      /** Milliseconds that making its patterns took. */
      readonly patternsMs: number;
    }
  /** All problems of a value, at most `maxProblems`. None: it is valid. */
  | { readonly kind: 'explained'; readonly problems: readonly EngineProblem[] }
  | { readonly kind: 'judged'; readonly violations: readonly string[] }
  | { readonly kind: 'failed'; readonly why: string };

export const maxProblems = 20;

export type ThreadMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'result'; readonly id: number; readonly result: JobResult };
