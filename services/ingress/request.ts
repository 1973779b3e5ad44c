import type { CancelSignal } from '../../shared/cancellation.ts';
import type { AgentContext, CallNotification, CallTiming, Principal } from '../../shared/mcp/call.ts';
import type { JsonObject } from '../../shared/mcp/json.ts';
import type { RpcError } from '../../shared/mcp/json-rpc.ts';

/** Which door of `/mcp` the agent knocked at. */
export type Endpoint =
  | { readonly kind: 'all' }
  /** `/mcp/NAME` of a server: names without prefix. */
  | { readonly kind: 'server'; readonly name: string }
  /** `/mcp/NAME` of a toolset: names with prefix. */
  | { readonly kind: 'toolset'; readonly name: string };

/**
 * One MCP request of an agent after its transport and its revision are taken off: the edge knows the era, nothing behind it does.
 * Names in `params` are the agent's (`server__tool`).
 */
export interface AgentRequest {
  /** Minted by the edge; the `callId` of errors, logs and audit. */
  readonly callId: string;
  readonly method: string;
  /** Without the envelope keys of `_meta` and without the progress token; everything else as the agent sent it. */
  readonly params: JsonObject;
  readonly endpoint: Endpoint;
  readonly principal: Principal;
  readonly agent: AgentContext;
  readonly wantsProgress: boolean;
  readonly clientAddress: string;
  /** Key of the legacy session it came in; agents of 2026-07-28 have none. */
  readonly session?: string | undefined;
  /** `Mcp-Param-*` and trace context, lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** Aborts when the agent cancelled, by its era's own rule. */
  readonly signal: CancelSignal;
  /** `performance.now()` when the request arrived. */
  readonly receivedAt: number;
  onNotification(notification: CallNotification): void;
}

/** A call that waits for its agent. Its server asked by itself, so that an agent's error is an answer, too. */
export interface HeldCall {
  /** Nobody will answer: the call is cancelled. */
  abandon(): void;
}

/**
 * The answer to an AgentRequest, era-neutral. `body` is the JSON text of the result object (without `resultType` when that is `complete`).
 * `cache` is set on the six cacheable results. Errors of toolbus itself are thrown as GatewayError, never returned.
 */
export type AgentReply =
  | {
      readonly kind: 'result';
      readonly resultType: string;
      readonly body: Uint8Array | string;
      /** The tool itself reported a failure. */
      readonly isError?: boolean | undefined;
      readonly cache?: { readonly ttlMs: number; readonly scope: 'public' | 'private' } | undefined;
      readonly timing?: CallTiming | undefined;
      /** Set while the call is held open at its server until its questions are answered. */
      readonly held?: HeldCall | undefined;
      /** Server and tool that the result came from; the legacy edge looks up whether its output must be wrapped. */
      readonly source?: { readonly server: string; readonly tool: string } | undefined;
      /** The ingress refused the call by this result, and why: a word for the audit. The server was not called. */
      readonly refused?: string | undefined;
    }
  | {
      readonly kind: 'error';
      readonly error: RpcError;
      readonly timing?: CallTiming | undefined;
      /** The ingress said no by itself, and why: a word for the audit. */
      readonly refused?: string | undefined;
    };

/** Answers a request of an agent: the whole of the ingress behind its edges. */
export type Handle = (request: AgentRequest) => Promise<AgentReply>;
