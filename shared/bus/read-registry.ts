import { isJsonObject, type JsonObject, type JsonValue } from '../mcp/json.ts';
import type { BreakerState, CacheHint, InstanceStatus, Manifest } from '../mcp/manifest.ts';
import type { Era } from '../mcp/revisions.ts';
import { readJsonObject } from './json-bytes.ts';
import { token } from './subjects.ts';

/**
 * What stands in the registry was written by workers, one for each server, which NATS lets write under the keys of their own server. So a value
 * counts only under the key that belongs to it, and only with members of the right kinds: everything behind relies on them.
 */

const states: ReadonlySet<unknown> = new Set([
  'starting',
  'ready',
  'failed',
  'draining',
] satisfies InstanceStatus['state'][]);
const breakers: ReadonlySet<unknown> = new Set(['closed', 'open', 'half_open'] satisfies BreakerState[]);
const plainHash = /^[A-Za-z0-9_-]{1,128}$/;

/** The status under a key of the bucket "workers"; undefined for what is none of that worker. */
export function readStatus(key: string, bytes: Uint8Array): InstanceStatus | undefined {
  const value = readJsonObject(bytes);
  return value !== undefined && isStatus(value) && key === `${token(value.server)}.${token(value.instance)}`
    ? value
    : undefined;
}

function isStatus(value: JsonObject): value is JsonObject & InstanceStatus {
  const { manifest, retryAfterMs, lastError, hint, protocolVersion, serverVersion } = value;
  return (
    [value['server'], value['instance'], value['transport'], value['host'], value['version']].every(isString) &&
    [
      value['tools'],
      value['concurrency'],
      value['inFlight'],
      value['restarts'],
      value['pid'],
      value['startedAt'],
    ].every(isCount) &&
    [lastError, hint, protocolVersion, serverVersion].every(isOptional(isString)) &&
    isOptional(isCount)(retryAfterMs) &&
    isOptional(isHash)(manifest) &&
    states.has(value['state']) &&
    breakers.has(value['breaker']) &&
    areEras(value['eras'])
  );
}

/** Which manifest of a server is the newest. */
export interface Head {
  readonly server: string;
  readonly hash: string;
  readonly parts: number;
}

/** The head under a key of the bucket "catalog"; undefined for what is none of that server. */
export function readHead(key: string, bytes: Uint8Array): Head | undefined {
  const { server, hash, parts } = readJsonObject(bytes) ?? {};
  if (!isString(server) || !isHash(hash) || !isCount(parts)) return undefined;
  return key === `${token(server)}.head` ? { server, hash, parts } : undefined;
}

/** The manifest that the joined parts hold; undefined for what is none of that server. */
export function readManifest(server: string, hash: string, bytes: Uint8Array): Manifest | undefined {
  const value: JsonObject = { ...readJsonObject(bytes), hash };
  return isManifest(value) && value.server === server ? value : undefined;
}

function isManifest(value: JsonObject): value is JsonObject & Manifest {
  return (
    isString(value['server']) &&
    isString(value['protocolVersion']) &&
    isOptional(isString)(value['instructions']) &&
    isJsonObject(value['serverInfo']) &&
    isJsonObject(value['capabilities']) &&
    [value['tools'], value['prompts'], value['resources'], value['resourceTemplates']].every(areObjects) &&
    areEras(value['eras']) &&
    isOptional(isCacheHint)(value['cache'])
  );
}

type Member = JsonValue | undefined;

const isString = (value: Member): value is string => typeof value === 'string';
const isHash = (value: Member): value is string => isString(value) && plainHash.test(value);
const isCount = (value: Member): value is number => typeof value === 'number' && Number.isFinite(value) && value >= 0;
const areObjects = (value: Member): boolean => Array.isArray(value) && value.every(isJsonObject);
const areEras = (value: Member): value is Era[] =>
  Array.isArray(value) && value.every((era) => era === 'modern' || era === 'legacy');
const isCacheHint = (value: Member): value is JsonObject & CacheHint =>
  isJsonObject(value) && isCount(value['ttlMs']) && (value['scope'] === 'public' || value['scope'] === 'private');
const isOptional =
  (is: (value: Member) => boolean) =>
  (value: Member): boolean =>
    value === undefined || is(value);
