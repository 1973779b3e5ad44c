import type { Executed, Reason } from '../errors.ts';
import type { RpcError } from '../mcp/json-rpc.ts';

/**
 * What ingress and worker say to each other. Every message is one line of JSON, a line break, and a body of bytes that is
 * forwarded without being looked at (the params of a call, the JSON text of a result). `k` is the kind.
 */

/** Ingress → queue group or instance: who wants this call? The body is the JSON text of `params`, or empty with `parts`. */
export interface Offer {
  readonly k: 'offer';
  /** Key of the reply subject, new for each attempt. */
  readonly key: string;
  readonly ingress: string;
  /** The Call without its params. */
  readonly call: object;
  /** The params follow in that many `part` messages after `accepted`, because they are too large for one message. */
  readonly parts?: number | undefined;
  /** It may wait a moment for a slot instead of being refused. */
  readonly wait?: boolean | undefined;
  /** So many more calls of this agent wait at this ingress for a slot. */
  readonly waiting?: number | undefined;
}

/** Ingress → instance. `go` starts the accepted call, if its proof holds (call-proof.ts); without it the tool never runs. `ingress` and `key` together name the call. */
export type Control =
  | { readonly k: 'go'; readonly ingress: string; readonly key: string; readonly proof: string }
  | { readonly k: 'cancel'; readonly ingress: string; readonly key: string }
  /** The ingress took another instance: give the slot back. */
  | { readonly k: 'release'; readonly ingress: string; readonly key: string }
  /** The body is a part of the params of an accepted call, in order, before `go`. */
  | { readonly k: 'part'; readonly ingress: string; readonly key: string }
  /** The ingress has consumed chunks: send that many more. */
  | { readonly k: 'credit'; readonly ingress: string; readonly key: string; readonly chunks: number }
  /** Nobody will answer the questions of this held call. */
  | { readonly k: 'abandon'; readonly park: string }
  /** The slot that was `free` for this agent is not needed any more. */
  | { readonly k: 'decline'; readonly ingress: string; readonly agent: string }
  /** Are you there? Answered with `alive`, which says the same `n`. */
  | { readonly k: 'ping'; readonly ingress: string; readonly n?: number | undefined };

/** Instance → ingress, on the reply subject of the attempt. */
export type Frame =
  /** `challenge` is new each time; `go` must prove itself with it. */
  | { readonly k: 'accepted'; readonly instance: string; readonly challenge: string }
  /** No slot, breaker open or stopping: offer it elsewhere. Nothing ran. */
  | {
      readonly k: 'busy';
      readonly instance: string;
      readonly why: 'full' | 'breaker' | 'draining' | 'down';
      readonly retryAfterMs?: number | undefined;
    }
  /** `go` came too late, the reservation had ended. Nothing ran and nothing will. */
  | { readonly k: 'expired'; readonly instance: string }
  /** A notification of the running call; the body is the JSON text of its params. */
  | { readonly k: 'note'; readonly method: string }
  /** A part of the result's JSON text, in order; the rest follows. The first one says how many bytes there are `of` it in all. */
  | { readonly k: 'chunk'; readonly of?: number | undefined }
  /** The body is the JSON text of the result, or its last part. */
  | {
      readonly k: 'result';
      readonly resultType: string;
      readonly isError?: boolean | undefined;
      readonly park?: string | undefined;
      readonly upstreamMs: number;
    }
  /** The upstream's own JSON-RPC error. */
  | { readonly k: 'error'; readonly error: RpcError; readonly upstreamMs: number }
  /** An error of toolbus' own. */
  | {
      readonly k: 'failed';
      readonly reason: Reason;
      readonly message: string;
      readonly executed: Executed;
      readonly retryAfterMs?: number | undefined;
      readonly upstreamMs: number;
    }
  /** Once a second to every ingress with a call in this process, under the key `alive`, with the keys of its running calls. */
  | {
      readonly k: 'alive';
      readonly instance: string;
      readonly keys: readonly string[];
      readonly n?: number | undefined;
    }
  /** A slot is kept for a call of this agent, to an ingress that was told `busy` for one, under the key `free`. */
  | { readonly k: 'free'; readonly server: string; readonly instance: string; readonly agent: string };

export type Message = Offer | Control | Frame;

const newline = 0x0a;
/** Kinds that must say which call they are about, and of which ingress. */
const keyed: ReadonlySet<string> = new Set(['offer', 'go', 'cancel', 'release', 'part', 'credit']);
const fromIngress: ReadonlySet<string> = new Set([...keyed, 'ping', 'decline']);
const none = new Uint8Array(0);

/** Bytes of a message: head, line break, body. */
export function encodeMessage(head: Message, body: Uint8Array | string = none): Uint8Array {
  const line = JSON.stringify(head);
  if (typeof body === 'string') return Buffer.from(`${line}\n${body}`, 'utf8');
  const bytes = Buffer.allocUnsafe(Buffer.byteLength(line) + 1 + body.length);
  const end = bytes.write(line, 'utf8');
  bytes[end] = newline;
  bytes.set(body, end + 1);
  return bytes;
}

/** Takes a message apart; undefined for bytes that are none of ours. The body is a view of the same memory. */
export function decodeMessage(bytes: Uint8Array): { head: Message; body: Uint8Array } | undefined {
  const end = bytes.indexOf(newline);
  if (end < 2) return undefined;
  try {
    const head: unknown = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, end).toString('utf8'));
    if (typeof head !== 'object' || head === null || !isAddressed(head)) return undefined;
    return { head: head as Message, body: bytes.subarray(end + 1) };
  } catch {
    return undefined;
  }
}

/** The key of a call stands in a subject as it is. */
const plainKey = /^[A-Za-z0-9_-]{1,64}$/;

/** Whether what a message is answered by can be part of a subject: anything else would throw inside the NATS client and end the connection. */
function isAddressed(head: { k?: unknown; ingress?: unknown; key?: unknown; instance?: unknown }): boolean {
  const { k, ingress, key, instance } = head;
  return (
    typeof k === 'string' &&
    (ingress === undefined ? !fromIngress.has(k) : typeof ingress === 'string') &&
    (key === undefined ? !keyed.has(k) : typeof key === 'string' && plainKey.test(key)) &&
    (instance === undefined || typeof instance === 'string')
  );
}
