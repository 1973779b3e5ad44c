import type { JsonObject } from './json.ts';
import type { RpcError } from './json-rpc.ts';

/** Who is asking, after authentication. */
export interface Principal {
  /** Agent name of the config, `development` for the minted key, `anonymous` with `auth.mode: none`. */
  readonly id: string;
  readonly method: 'key' | 'development' | 'none' | 'oauth';
  /** Issuer and subject of its token: several of them may be one agent. */
  readonly subject?: string | undefined;
  /** Scopes of its token that the configuration knows, sorted; absent: scopes do not limit it. */
  readonly scopes?: readonly string[] | undefined;
}

/** What belongs to one principal belongs to who gives the same text: an agent, or one subject of it. Tokens come and go beneath it. */
export function identityOf({ id, subject }: Principal): string {
  return subject === undefined ? id : `${id}\0${subject}`;
}

/** Severity names of MCP log messages, least severe first (RFC 5424). */
export const logLevels = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'] as const;
export type LogLevel = (typeof logLevels)[number];

/** What an upstream may know of the agent that calls it. */
export interface AgentContext {
  /** The revision the agent speaks; the worker uses the same era towards the upstream where the upstream has it. */
  readonly protocolVersion: string;
  readonly capabilities: JsonObject;
  readonly clientInfo?: JsonObject | undefined;
  /** Absent: no log messages (a legacy edge sets its session's level, `debug` when none was set). */
  readonly logLevel?: LogLevel | undefined;
}

/**
 * One request on its way to one server, whatever door it came through and whatever era it was spoken in.
 * It is plain JSON data: the bus carries it as it stands.
 */
export interface Call {
  /** Unique and time-ordered; minted by the ingress, never the agent's JSON-RPC id. */
  readonly id: string;
  /** Configured name of the server. */
  readonly server: string;
  readonly method: string;
  /** The server's own name of the tool or prompt, or the resource's own URI. */
  readonly target?: string | undefined;
  /** In the server's own names, without the envelope keys of `_meta` and without `_meta.progressToken`. */
  readonly params: JsonObject;
  readonly agent: AgentContext;
  readonly principal: Principal;
  /** True when the agent gave a progress token. The token itself never leaves the edge. */
  readonly wantsProgress: boolean;
  /** Milliseconds this call may take from now on. Progress renews it, up to the hard cap. */
  readonly timeoutMs: number;
  /** `Mcp-Param-*` headers for an upstream that reads them, and trace context. Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** Set where only one worker process can go on: an answer to a question a held call asked, or affinity. */
  readonly instance?: string | undefined;
  /** Names for whom the server keeps state by connection (`affinity` of its config); opaque. Absent where it keeps none. */
  readonly affinity?: string | undefined;
  /** The held call in that worker process which `params.inputResponses` answers. */
  readonly park?: string | undefined;
}

/** A notification that belongs to a running call: progress, a log message, or one we do not know. Without progress token. */
export interface CallNotification {
  readonly method: string;
  readonly params: JsonObject;
}

/** Where a call's time went, in milliseconds. `upstreamMs` is what the worker waited for the upstream. */
export interface CallTiming {
  readonly totalMs: number;
  readonly upstreamMs: number;
}

/**
 * How a server answered. `body` is the UTF-8 JSON text of the result object; it is forwarded without being parsed.
 * A `complete` result's body carries no `resultType`; any other kind (`input_required`, `task`, …) is named here and stands in the body too.
 */
export type Reply =
  | {
      readonly kind: 'result';
      readonly resultType: string;
      readonly body: Uint8Array;
      readonly isError: boolean;
      /** Worker process that answered. */
      readonly instance: string;
      /** The call is held open in that process until it is called again with `inputResponses` and this id. */
      readonly park?: string | undefined;
      readonly timing: CallTiming;
    }
  | { readonly kind: 'error'; readonly error: RpcError; readonly instance: string; readonly timing: CallTiming };
