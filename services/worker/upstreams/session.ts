import type { Call } from '../../../shared/mcp/call.ts';
import type { JsonObject } from '../../../shared/mcp/json.ts';
import type { CacheHint } from '../../../shared/mcp/manifest.ts';
import type { Era } from '../../../shared/mcp/revisions.ts';
import type { Outcome } from './peer.ts';
import type { UpstreamAnswer, UpstreamCallOptions } from './upstream.ts';

/** What a server says of itself when it is first spoken to. */
export interface Introduction {
  readonly protocolVersion: string;
  readonly serverInfo: JsonObject;
  readonly capabilities: JsonObject;
  readonly instructions?: string | undefined;
  readonly cache?: CacheHint | undefined;
}

export type ListKind = 'tools' | 'prompts' | 'resources';

export interface SessionEvents {
  onListChanged(kind: ListKind): void;
  onResourceUpdated(params: JsonObject): void;
  /** A task of the extension that is watched is not what it was. */
  onTaskChanged(taskId: string): void;
}

/** One conversation with an upstream in one era. */
export interface Session {
  readonly era: Era;
  readonly introduction: Introduction;
  call(call: Call, options: UpstreamCallOptions): Promise<UpstreamAnswer>;
  /** A request of our own, such as a list. Rejects with a GatewayError. */
  request(method: string, params: JsonObject, timeoutMs: number): Promise<Outcome>;
  setResourceSubscriptions(uris: ReadonlySet<string>): Promise<void>;
  /** Watches these tasks of the extension and no others. Before 2026-07-28 there are none. */
  setWatchedTasks(taskIds: ReadonlySet<string>): Promise<void>;
  close(): Promise<void>;
}
