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
  /** `Mcp-Param-*` and trace context, lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** Aborts when the agent cancelled, by its era's own rule. */
  readonly signal: CancelSignal;
  /** `performance.now()` when the request arrived. */
  readonly receivedAt: number;
  onNotification(notification: CallNotification): void;
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
      /** Server and tool that the result came from; the legacy edge looks up whether its output must be wrapped. */
      readonly source?: { readonly server: string; readonly tool: string } | undefined;
    }
  | { readonly kind: 'error'; readonly error: RpcError; readonly timing?: CallTiming | undefined };

/** Answers a request of an agent: the whole of the ingress behind its edges. */
export type Handle = (request: AgentRequest) => Promise<AgentReply>;
