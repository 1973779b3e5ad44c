import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { Asks } from '../../../shared/bus/asks.ts';
import type { ResourceEvents } from '../../../shared/bus/resource-events.ts';
import type { ResourceInterest } from '../../../shared/bus/resource-interest.ts';
import type { BusStreamLog } from '../../../shared/bus/stream-log.ts';
import type { TaskWatch } from '../../../shared/bus/task-watch.ts';
import type { Config } from '../../../shared/config/schema.ts';
import type { LogLevel, Principal } from '../../../shared/mcp/call.ts';
import type { JsonObject } from '../../../shared/mcp/json.ts';
import type { Sealer } from '../../../shared/seal.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { Endpoint, Handle } from '../request.ts';

/** One HTTP request after the access hooks: authenticated, within its size limit, from an allowed address, host and origin. */
export interface Exchange {
  readonly req: IncomingMessage;
  /** The edge writes the answer itself (`reply.hijack()` has been called). */
  readonly res: ServerResponse;
  readonly endpoint: Endpoint;
  readonly principal: Principal;
  /** Address of the agent, after trusted proxies. */
  readonly clientAddress: string;
  /** `performance.now()` when the request arrived. */
  readonly receivedAt: number;
}

/** What a legacy session has set that any ingress must know; sessions that set nothing are not stored. */
export interface SessionState {
  readonly logLevel?: LogLevel | undefined;
  /** URIs as the agent knows them. */
  readonly subscriptions?: readonly string[] | undefined;
}

/** Sessions across ingresses: what one ingress publishes reaches the one that holds the agent's stream. */
export interface SessionBus extends Asks, Omit<BusStreamLog, 'close'> {
  /** This ingress' own id: `[A-Za-z0-9]{10}`. */
  readonly ingress: string;
  /** To whoever follows the session. Lost when nobody does. */
  deliver(sessionId: string, message: JsonObject): void;
  /** This ingress follows the session; returns the function that lets go. */
  attach(sessionId: string, onMessage: (message: JsonObject) => void): () => void;
  /** An agent answered a question (a JSON-RPC response) that the given ingress had asked. */
  answer(ingress: string, sessionId: string, message: JsonObject): void;
  onAnswer(listener: (sessionId: string, message: JsonObject) => void): () => void;
  /** From memory; every ingress follows the same store. */
  state(sessionId: string): SessionState | undefined;
  /** What the store holds now, which memory may be a moment behind. */
  freshState(sessionId: string): Promise<SessionState | undefined>;
  /** Writes what `change` makes of the state, undefined being no change. It may be called several times. */
  changeState(sessionId: string, change: (state: SessionState | undefined) => SessionState | undefined): Promise<void>;
  /** Tells when the state of a session is another, whichever ingress changed it. */
  onState(listener: (sessionId: string) => void): () => void;
  /** Ends the session on every ingress. */
  revoke(sessionId: string): Promise<void>;
  revoked(sessionId: string): boolean;
  onRevoked(listener: (sessionId: string) => void): () => void;
}

/** Subscriptions to resources, counted over all agents of this ingress, and what comes of them. URIs are the server's own. */
export interface ResourceWatch
  extends Pick<ResourceInterest, 'watch'>,
    Pick<ResourceEvents, 'onUpdated' | 'position' | 'since'> {}

/** What both edges are built from. */
export interface EdgeDeps {
  readonly handle: Handle;
  readonly catalog: Catalog;
  readonly sessions: SessionBus;
  readonly resources: ResourceWatch;
  readonly tasks: Omit<TaskWatch, 'close'>;
  readonly sealer: Sealer;
  readonly log: Logger;
  /** The configuration in force now. */
  config(): Config;
  /** Aborts when the ingress stops: end streams, refuse new work with `shutting_down`. */
  readonly stopping: AbortSignal;
}

/** The 2026-07-28 edge: one POST, one answer. `body` is the parsed JSON, checked for depth, duplicate keys and UTF-8. */
export interface ModernEdge {
  post(exchange: Exchange, body: unknown): Promise<void>;
}

/** The edge for 2025-11-25 … 2025-03-26: sessions, server-to-client requests, GET streams. */
export interface LegacyEdge {
  post(exchange: Exchange, body: unknown): Promise<void>;
  get(exchange: Exchange): Promise<void>;
  delete(exchange: Exchange): Promise<void>;
  /** HTTP+SSE of 2024-11-05: opens the event stream. */
  openSse(exchange: Exchange): Promise<void>;
  /** HTTP+SSE of 2024-11-05: takes a message for the stream that `sessionId` names. */
  postMessage(exchange: Exchange, sessionId: string, body: unknown): Promise<void>;
  /** Ends every stream, for shutdown. */
  close(): Promise<void>;
}
