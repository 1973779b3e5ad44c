import { createHash } from 'node:crypto';
import { isJsonObject, type JsonObject, type JsonValue } from '../../../shared/mcp/json.ts';

/** What may differ between a request and its retry: the answers, our state, and what is said about the message itself. */
const retryMembers = new Set(['inputResponses', 'requestState', '_meta']);

/** SHA-256 of what a request asks for, independent of the order in which its members were written. */
export function digestOf(params: JsonObject): string {
  const asked = Object.entries(params).filter(([member]) => !retryMembers.has(member));
  return createHash('sha256')
    .update(canonical(Object.fromEntries(asked)))
    .digest('base64url');
}

function canonical(value: JsonValue | undefined): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (!isJsonObject(value)) return JSON.stringify(value ?? null);
  const members = Object.keys(value)
    .filter((member) => value[member] !== undefined)
    .sort()
    .map((member) => `${JSON.stringify(member)}:${canonical(value[member])}`);
  return `{${members.join(',')}}`;
}
