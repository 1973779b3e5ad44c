import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { GatewayError } from '../../../shared/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../../shared/mcp/json.ts';
import type { Cost } from './cost.ts';
import { inspectSchema } from './inspect.ts';
import { type EngineProblem, instantiate, type Validate } from './instantiate.ts';
import type { HashedSchema } from './jobs.ts';
import type { Measure } from './measure.ts';
import type { ValidationThread } from './thread.ts';

/** Milliseconds in the thread. A compilation that overran is tried again: other work of the process counts against it. */
const compileMs = [100, 400, 1_500] as const;
const checkMs = 400;
/** What may be checked on the event loop: some tens of nanoseconds each. */
export const loopBudget = 50_000;
/** A character under a pattern costs as much as so many comparisons. */
export const patternCharacter = 4;
const maxCode = 200_000;
const slowPatternsMs = 20;

/** `unusable` is a fault of the schema and stays; `slow`: this value takes too long to check. */
export type Verdict =
  | { readonly kind: 'valid' }
  | { readonly kind: 'invalid'; readonly problems: readonly EngineProblem[] }
  | { readonly kind: 'slow' }
  | { readonly kind: 'unusable'; readonly why: string };

/** A schema made ready. */
export interface Validator {
  /** Pattern of the schema that are not enforced. */
  readonly unenforced: readonly string[];
  /**
   * At once where that costs the event loop little, else in the thread. Throws GatewayError `overloaded` when too much waits
   * for the thread.
   */
  check(value: JsonValue, size: Measure): Verdict | Promise<Verdict>;
}

export type Made = { readonly ok: true; readonly validator: Validator } | { readonly ok: false; readonly why: string };

/** Validators by the hash of their schema. */
export interface Validators {
  /** At once when the same schema was used before; a first use compiles in the thread. */
  of(schema: JsonObject): Made | Promise<Made>;
}

export function createValidators(thread: ValidationThread): Validators {
  const made = new LRUCache<string, Made>({ max: 2_000 });
  const hashes = new WeakMap<JsonObject, string>();
  const pending = new Map<string, Promise<Made>>();

  const hashOf = (schema: JsonObject): string => {
    const known = hashes.get(schema);
    if (known !== undefined) return known;
    const hash = createHash('sha256').update(JSON.stringify(schema)).digest('base64url');
    hashes.set(schema, hash);
    return hash;
  };
  const compile = async (schema: JsonObject, hash: string): Promise<Made> => {
    const inspected = inspectSchema(schema);
    if (!inspected.ok) return inspected;
    const hashed: HashedSchema = { hash, dialect: inspected.dialect, schema };
    for (const budgetMs of compileMs) {
      const outcome = await thread.run({ kind: 'compile', schema: hashed }, budgetMs);
      if (outcome.kind === 'overrun') continue;
      if (outcome.kind === 'failed') return { ok: false, why: outcome.why.slice(0, 200) };
      if (outcome.kind !== 'compiled') throw unavailable(outcome.kind);
      const heavy = outcome.code.length > maxCode || outcome.patternsMs > slowPatternsMs;
      const validate = heavy ? undefined : instantiate(outcome.code);
      const { unenforced } = outcome;
      return { ok: true, validator: validatorOf(hashed, inspected.cost, unenforced, validate, thread) };
    }
    return { ok: false, why: 'it takes too long to compile' };
  };

  return {
    of(schema) {
      const hash = hashOf(schema);
      const known = made.get(hash) ?? pending.get(hash);
      if (known !== undefined) return known;
      const compiling = compile(schema, hash).then((result) => {
        made.set(hash, result);
        return result;
      });
      pending.set(hash, compiling);
      const done = () => void pending.delete(hash);
      compiling.then(done, done);
      return compiling;
    },
  };
}

function validatorOf(
  schema: HashedSchema,
  cost: Cost,
  unenforced: readonly string[],
  validate: Validate | undefined,
  thread: ValidationThread,
): Validator {
  return {
    unenforced,
    check(value, size) {
      if (validate === undefined || costOfCheck(cost, size) > loopBudget)
        return inThread(schema, value, undefined, thread);
      if (validate(value)) return valid;
      return inThread(schema, value, validate.errors?.[0], thread);
    },
  };
}

const valid: Verdict = { kind: 'valid' };

function costOfCheck({ perValue, patterns, comparesItems }: Cost, { values, characters }: Measure): number {
  return (
    values * perValue +
    characters * patterns * patternCharacter +
    characters / 50 +
    (comparesItems ? (values * values) / 8 : 0)
  );
}

/** All problems instead of the first. Where the thread cannot say, the one that is known is enough. */
async function inThread(
  schema: HashedSchema,
  value: JsonValue,
  first: EngineProblem | undefined,
  thread: ValidationThread,
): Promise<Verdict> {
  const outcome = await thread.run({ kind: 'explain', schema, value }, checkMs);
  if (outcome.kind === 'explained') {
    if (outcome.problems.length > 0) return { kind: 'invalid', problems: outcome.problems };
    if (first === undefined) return valid;
  }
  if (first !== undefined) return { kind: 'invalid', problems: [first] };
  if (outcome.kind === 'overrun') return { kind: 'slow' };
  if (outcome.kind === 'failed') return { kind: 'unusable', why: outcome.why };
  throw unavailable(outcome.kind);
}

/** Why the thread did nothing, as the agent hears it. */
export function unavailable(kind: string): GatewayError {
  return kind === 'closed'
    ? new GatewayError('shutting_down', 'this ingress is stopping')
    : new GatewayError('overloaded', 'too many arguments wait to be checked', { retryAfterMs: 1_000 });
}

/** True where a schema says nothing that could fail: then nothing needs to be compiled. */
export function acceptsAll(schema: JsonObject): boolean {
  const { type, properties, additionalProperties } = schema;
  const open = additionalProperties === undefined || additionalProperties === true;
  const none = properties === undefined || (isJsonObject(properties) && Object.keys(properties).length === 0);
  const harmless = new Set(['type', 'properties', 'additionalProperties', '$schema', 'title', 'description']);
  return type === 'object' && open && none && Object.keys(schema).every((keyword) => harmless.has(keyword));
}
