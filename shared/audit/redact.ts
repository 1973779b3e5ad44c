import { createHmac } from 'node:crypto';
import { matchesGlob } from '../glob.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../mcp/json.ts';
import { sha256Hex } from './digest.ts';
import type { Recorded } from './record.ts';

/** What stands in place of a value that is never recorded. */
export const redactedText = '[redacted]';

/** Deeper than this, values are recorded as redacted: a walk may not exhaust the stack. */
const maxDepth = 64;
/** Pointers named in one record; further redactions are made and not named. */
const maxPointers = 64;
/** Names of members whose verdict is remembered; they come from agents, so the memory is bounded. */
const maxRemembered = 4_096;

/** True for the name of a member whose value is never recorded. */
export type IsSecretName = (name: string) => boolean;

/** Matches names against globs (`*` is any text), without regard to case. Linear in the name. */
export function secretNames(patterns: readonly string[]): IsSecretName {
  const globs = patterns.map((pattern) => pattern.toLowerCase().split('*'));
  const known = new Map<string, boolean>();
  return (name) => {
    let verdict = known.get(name);
    if (verdict === undefined) {
      const lower = name.toLowerCase();
      verdict = globs.some((parts) => matchesGlob(parts, lower));
      if (known.size >= maxRemembered) known.clear();
      known.set(name, verdict);
    }
    return verdict;
  };
}

export interface RecordRule {
  readonly mode: 'plain' | 'hmac' | 'none';
  readonly isSecret: IsSecretName;
  /** JSON texts larger than this many bytes are recorded by their digest. */
  readonly inlineBytes: number;
  /** Key of the `hmac` mode. */
  readonly hmacKey: Uint8Array;
}

/** How a value is recorded under a rule. `text` is its JSON text, where the caller has it already. */
export function recordValue(value: JsonValue, rule: RecordRule, text: string = JSON.stringify(value)): Recorded {
  const bytes = Buffer.byteLength(text);
  if (rule.mode === 'none') return { mode: 'none', bytes };
  const isHmac = rule.mode === 'hmac';
  if (bytes > rule.inlineBytes)
    return isHmac ? whole(value, bytes, rule) : { mode: 'digest', bytes, sha256: sha256Hex(text) };
  const redacted: string[] = [];
  const leaf = isHmac ? (plain: JsonValue) => hmacLeaf(rule.hmacKey, plain) : undefined;
  const kept = walk(value, rule.isSecret, leaf, '', 0, redacted);
  // Many small leaves become far larger than they were.
  if (isHmac && JSON.stringify(kept).length > 2 * rule.inlineBytes) return whole(value, bytes, rule);
  return { mode: rule.mode, bytes, value: kept, ...(redacted.length > 0 && { redacted }) };
}

/** One HMAC of all of it: a plain digest would let anybody test a guess. */
function whole(value: JsonValue, bytes: number, { hmacKey }: RecordRule): Recorded {
  return { mode: 'hmac', bytes, value: hmacLeaf(hmacKey, value) };
}

/** The value without what the patterns name; `redacted` receives the JSON pointers of what was left out. */
export function redact(value: JsonValue, isSecret: IsSecretName, redacted: string[]): JsonValue {
  return walk(value, isSecret, undefined, '', 0, redacted);
}

/**
 * What `hmac` mode records of a leaf: HMAC-SHA-256 of its JSON text. Who has the key can test a guessed value; equal values are equal
 * everywhere in the audit.
 */
export function hmacLeaf(key: Uint8Array, leaf: JsonValue): string {
  return `hmac-sha256:${createHmac('sha256', key).update(JSON.stringify(leaf)).digest('hex')}`;
}

function walk(
  value: JsonValue,
  isSecret: IsSecretName,
  leaf: ((plain: JsonValue) => string) | undefined,
  pointer: string,
  depth: number,
  redacted: string[],
): JsonValue {
  if (typeof value !== 'object' || value === null) return leaf === undefined ? value : leaf(value);
  if (depth >= maxDepth) {
    name(redacted, pointer);
    return redactedText;
  }
  if (Array.isArray(value)) {
    return value.map((item, at) => walk(item, isSecret, leaf, `${pointer}/${at}`, depth + 1, redacted));
  }
  if (!isJsonObject(value)) return null;
  // A member may be called `__proto__`: only on an object without prototype is that a member like others.
  const kept: JsonObject = Object.create(null);
  for (const [member, held] of Object.entries(value)) {
    if (held === undefined) continue;
    const at = `${pointer}/${member.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    if (isSecret(member)) {
      name(redacted, at);
      kept[member] = redactedText;
    } else kept[member] = walk(held, isSecret, leaf, at, depth + 1, redacted);
  }
  return kept;
}

function name(redacted: string[], pointer: string): void {
  if (redacted.length < maxPointers) redacted.push(pointer);
}
