import type { CalleeAnswer, RunContext } from '../../../shared/bus/callee.ts';
import type { Call } from '../../../shared/mcp/call.ts';
import type { JsonObject } from '../../../shared/mcp/json.ts';
import type { Manifest } from '../../../shared/mcp/manifest.ts';

/** What the upstream said to one call: its result object or its JSON-RPC error, untouched but for the era's vocabulary. */
export type UpstreamAnswer = CalleeAnswer;

/** When the signal aborts: tell the upstream, settle at once. Notifications in order, before the answer. */
export type UpstreamCallOptions = RunContext;

/** What an upstream tells without being asked. */
export interface UpstreamEvents {
  /** The manifest is new or has changed (first discovery, list_changed, a reconnect to a changed server). */
  onManifest(manifest: Manifest): void;
  /** The resource with the server's own URI changed, and somebody subscribed to it. */
  onResourceUpdated(params: JsonObject): void;
  /** A task that somebody watches is not what it was, by the server's own id. */
  onTaskChanged(taskId: string): void;
  /** The connection is up (`undefined`) or is down with a cause that may be shown to operators. */
  onState(state: UpstreamState): void;
}

export type UpstreamState =
  | { readonly state: 'ready' }
  | { readonly state: 'down'; readonly error: string; readonly hint?: string | undefined; readonly retryInMs?: number };

/**
 * One running upstream server, whatever its transport and era. It reconnects and restarts by itself, with backoff.
 *
 * `call` resolves with whatever the upstream answered and rejects with a `GatewayError`:
 * `no_worker` (not connected; nothing was sent), `upstream_lost` (it died after something may have been sent),
 * `bad_upstream_output` (it answered something that is not MCP, or too much). Deadlines are the caller's, through `signal`.
 */
export interface Upstream {
  readonly transport: 'stdio' | 'http' | 'sse';
  /** Times the child or the session was started again. */
  readonly restarts: number;
  readonly protocolVersion: string | undefined;
  call(call: Call, options: UpstreamCallOptions): Promise<UpstreamAnswer>;
  /** Calls held open until their agents answer. Each keeps its place at the server. */
  readonly held: number;
  /** False where this call must not start beside those that run, because the server's questions would name no call. */
  admits(call: Call): boolean;
  /**
   * Goes on with a held call: `call.park` names it, `call.params.inputResponses` answers it. `-32602` as an error answer when nothing is held under
   * that name (any more); rejects with `upstream_lost` when the server died meanwhile.
   */
  resume(call: Call, options: UpstreamCallOptions): Promise<UpstreamAnswer>;
  /** Nobody will answer: the held call of this name is cancelled. */
  abandon(park: string): void;
  /** Makes the upstream's subscriptions equal to this set of its own URIs. */
  setResourceSubscriptions(uris: ReadonlySet<string>): Promise<void>;
  /** Makes the tasks whose changes the upstream tells of equal to this set of its own ids. */
  setWatchedTasks(taskIds: ReadonlySet<string>): Promise<void>;
  /** Ends the child, the session and every stream; waits at most 5 s for the child. */
  close(): Promise<void>;
}
