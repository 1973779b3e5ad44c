import { isJsonObject, type JsonObject } from '../../../../shared/mcp/json.ts';
import type { SessionBus } from '../edge.ts';

/** A POST and what of it the holder of the stream needs. */
export interface RelayedPost {
  readonly body: JsonObject | JsonObject[];
  readonly clientAddress: string;
  readonly headers: Record<string, string>;
  /** Of the token it came with; absent: scopes do not limit it. */
  readonly scopes: string[] | undefined;
}

const takenWithinMs = 2_000;

/** What became of a POST: somebody holds its stream and has it, nobody does, or NATS cannot carry it. */
export type Relayed = 'taken' | 'unknown' | 'too large';

/** Hands a POST of HTTP+SSE to the ingress that holds the stream, which has two seconds to say so. */
export async function relayPost(bus: SessionBus, sessionKey: string, post: RelayedPost): Promise<Relayed> {
  try {
    return isJsonObject(await bus.ask('sse', sessionKey, { ...post }, takenWithinMs)) ? 'taken' : 'unknown';
  } catch (error) {
    if (error instanceof RangeError) return 'too large';
    throw error;
  }
}

/** Takes the POSTs that other ingresses hand over; returns the function that stops. */
export function takePosts(bus: SessionBus, sessionKey: string, take: (post: RelayedPost) => void): () => void {
  return bus.serve('sse', sessionKey, (asked) => {
    const post = readPost(asked);
    if (post !== undefined) take(post);
    return post && {};
  });
}

function readPost({ body, clientAddress, headers, scopes }: JsonObject): RelayedPost | undefined {
  const messages = isJsonObject(body) || (Array.isArray(body) && body.every(isJsonObject)) ? body : undefined;
  if (messages === undefined || typeof clientAddress !== 'string') return undefined;
  // What cannot be read as scopes permits nothing.
  const limited = Array.isArray(scopes) ? scopes.filter((scope) => typeof scope === 'string') : [];
  return {
    body: messages,
    clientAddress,
    headers: stringsOf(headers),
    scopes: scopes === undefined ? undefined : limited,
  };
}

function stringsOf(value: unknown): Record<string, string> {
  const strings: Record<string, string> = Object.create(null);
  if (!isJsonObject(value)) return strings;
  for (const [name, text] of Object.entries(value)) if (typeof text === 'string') strings[name] = text;
  return strings;
}
