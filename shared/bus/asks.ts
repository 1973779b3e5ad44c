import { type NatsConnection, RequestError } from '@nats-io/transport-node';
import type { JsonObject } from '../mcp/json.ts';
import { readJsonObject } from './json-bytes.ts';
import type { Subjects } from './subjects.ts';

/** What ingresses ask each other about. */
export type AskKind =
  /** An ingress that answers requests of agents on streams: is this one still open there? `id` is the ingress. */
  | 'streams'
  /** Whoever holds the standalone stream of a legacy session. `id` is the session. */
  | 'standalone'
  /** Whoever reads a resumed stream to an agent. `id` is the stream. */
  | 'reader'
  /** Whoever holds the stream of an HTTP+SSE session. `id` is the session. */
  | 'sse';

/** `nobody`: no process serves this, which NATS knows at once. `silent`: some process does, and did not answer in time. */
export type Asked = JsonObject | 'nobody' | 'silent';

/** Questions between ingresses that are answered from memory. */
export interface Asks {
  /** Never rejects: while NATS is away everybody is silent. Throws RangeError for a body larger than NATS takes. */
  ask(kind: AskKind, id: string, body: JsonObject, withinMs: number): Promise<Asked>;
  /** The same to all who serve this, whose answers are not wanted. */
  tell(kind: AskKind, id: string, body: JsonObject): void;
  /** Answers until the returned function is called; undefined leaves the answer to others who serve the same. */
  serve(kind: AskKind, id: string, answer: (body: JsonObject) => JsonObject | undefined): () => void;
}

export function createAsks(nc: NatsConnection, subjects: Subjects): Asks {
  return {
    async ask(kind, id, body, withinMs) {
      const payload = Buffer.from(JSON.stringify(body), 'utf8');
      if (payload.length > (nc.info?.max_payload ?? Number.POSITIVE_INFINITY)) throw new RangeError('too large to ask');
      try {
        const { data } = await nc.request(subjects.ask(kind, id), payload, { timeout: withinMs });
        return readJsonObject(data) ?? 'silent';
      } catch (error) {
        return error instanceof RequestError && error.isNoResponders() ? 'nobody' : 'silent';
      }
    },
    tell(kind, id, body) {
      if (!nc.isClosed()) nc.publish(subjects.ask(kind, id), JSON.stringify(body));
    },
    serve(kind, id, answer) {
      const subscription = nc.subscribe(subjects.ask(kind, id), {
        callback: (error, message) => {
          const body = error === null ? readJsonObject(message.data) : undefined;
          const said = body && answer(body);
          if (said !== undefined && message.reply !== undefined) message.respond(JSON.stringify(said));
        },
      });
      return () => subscription.unsubscribe();
    },
  };
}
