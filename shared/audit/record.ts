import type { Executed, Reason } from '../errors.ts';
import type { JsonObject, JsonValue } from '../mcp/json.ts';

/**
 * What stands in the audit stream. An entry is what happened; a record is an entry with its place in its writer's chain. A record is one
 * line of JSON, exactly the bytes that were hashed: `prev` of the next record is the SHA-256 of this line (chain.ts).
 */
export const recordVersion = 1;

/** How a value that may be sensitive was recorded. `bytes` is always the size of its JSON text. */
export type Recorded =
  /** As it was, but for the members at `redacted` (JSON pointers), whose values are `[redacted]`. */
  | { readonly mode: 'plain'; readonly bytes: number; readonly value: JsonValue; readonly redacted?: readonly string[] }
  /** Every leaf is `hmac-sha256:<hex>` of its JSON text (redact.ts). */
  | { readonly mode: 'hmac'; readonly bytes: number; readonly value: JsonValue; readonly redacted?: readonly string[] }
  /** SHA-256 of the JSON text in hex: because it is configured so, or because the text is too large to keep. */
  | { readonly mode: 'digest'; readonly bytes: number; readonly sha256: string }
  | { readonly mode: 'none'; readonly bytes: number };

/** A result: `sha256` is that of the bytes the server sent. */
export interface RecordedResult {
  readonly bytes: number;
  readonly sha256?: string;
  /** With `results: full` and a size that is kept. */
  readonly value?: JsonValue;
  readonly redacted?: readonly string[];
}

/** Who asked, from where, for what. Names of servers and tools are the server's own, not `server__tool`. */
export interface Request {
  /** Call id: the same in all records of a call and in the agent's error. */
  readonly call: string;
  /** The agent: name in the configuration, `development` or `anonymous`. */
  readonly agent: string;
  /** How it proved that: key, development, none, oauth. */
  readonly auth: string;
  readonly address: string;
  readonly era: 'modern' | 'legacy';
  /** Protocol revision. */
  readonly protocol: string;
  /** Key of a legacy session (not the session id, which is a credential). */
  readonly session?: string;
  /** `name/version` as the agent's program calls itself. */
  readonly client?: string;
  /** `/mcp` or `/mcp/NAME`. */
  readonly endpoint: string;
  readonly method: string;
  readonly server?: string;
  /** Of tools/call. */
  readonly tool?: string;
  /** Of every other method: prompt, URI, task. */
  readonly target?: string;
  /** Hash of the server's manifest at that moment. */
  readonly catalog?: string;
  /** W3C trace id, 32 hex digits. */
  readonly trace?: string;
  /** Set where a replay asked: id of the run and of the recorded call. */
  readonly replay?: { readonly run: string; readonly of: string };
}

interface Entry {
  readonly v: typeof recordVersion;
  /** Unique: `<call>.i` intent, `<call>.o` outcome, `<call>.r` refusal, else an id of its own. A record met twice under one id is one. */
  readonly id: string;
  /** ISO 8601, UTC, milliseconds. Order is that of the chain, not of this clock. */
  readonly time: string;
}

/** Written before the call may start. Alone it says that the call may have run, unless an outcome follows; see `stateOfCall`. */
export interface IntentEntry extends Entry, Request {
  readonly kind: 'intent';
  readonly decision: 'allowed';
  readonly server: string;
  readonly arguments: Recorded;
  /** Answers to what the server asked before (`inputResponses`). */
  readonly answers?: Recorded;
}

/** `ok`, `tool_error` (isError), `rpc_error` (the server's own JSON-RPC error), `cancelled`, another result type, or a reason of toolbus. */
export type Outcome = 'ok' | 'tool_error' | 'rpc_error' | 'input_required' | 'task' | 'cancelled' | 'failed' | Reason;

/** Written before the answer leaves. */
export interface OutcomeEntry extends Entry {
  readonly kind: 'outcome';
  readonly call: string;
  readonly agent: string;
  readonly method: string;
  readonly server: string;
  readonly tool?: string;
  readonly target?: string;
  /** Worker instance that answered. */
  readonly instance?: string;
  readonly outcome: Outcome;
  readonly executed: Executed;
  /** Code of the JSON-RPC error that the agent got. */
  readonly code?: number;
  readonly result?: RecordedResult;
  /** Milliseconds: from arrival to answer, and of these at the upstream, in the gateway, and waiting for the intent to be recorded. */
  readonly timing: {
    readonly total: number;
    readonly upstream: number;
    readonly gateway: number;
    readonly audit: number;
  };
}

/** A request that was answered without any call. Many alike within a second are one record with their `count`. */
export interface RefusalEntry extends Entry, Partial<Omit<Request, 'address'>> {
  readonly kind: 'refusal';
  readonly address: string;
  readonly decision: 'refused';
  /** A reason of toolbus, or: unauthenticated, forbidden, bad_request, too_large, media_type, unknown_tool, invalid_arguments, … */
  readonly reason: string;
  readonly executed: 'no';
  readonly count: number;
  /** HTTP status, or code of the JSON-RPC error. */
  readonly code?: number;
  /** What the one who was refused was told, where the reason alone says less. */
  readonly detail?: string;
  readonly arguments?: Recorded;
}

export type EventName =
  /** A process began or ended its chain. */
  | 'writer_started'
  | 'writer_stopped'
  /** Records could not be written for a while: `detail` counts what is missing. */
  | 'audit_gap'
  /** A worker refused calls that no ingress of this cluster had signed: `detail.ingress` is who they said they came from. */
  | 'unsigned_call'
  | 'config_reloaded'
  | 'kill_switch'
  /** What a server offers has changed: `detail.server`, `detail.version`, `detail.tools` (name → SHA-256 of the definition). */
  | 'catalog'
  | 'definition_changed'
  /** The copy of a call was answered differently, or not at all: `detail.of` is the agent's call. */
  | 'shadow'
  | 'replay_started'
  | 'replay_finished';

/** Something that concerns no single call. */
export interface EventEntry extends Entry {
  readonly kind: 'event';
  readonly event: EventName;
  /** Who caused it, where that is known. */
  readonly actor?: string;
  readonly detail: JsonObject;
}

export type AuditEntry = IntentEntry | OutcomeEntry | RefusalEntry | EventEntry;

/** The place of a record in the chain of its writer. */
export interface Link {
  /** Process that wrote it; each start of an ingress is a writer of its own. */
  readonly writer: string;
  /** 1, 2, 3, … per writer, without gaps. */
  readonly seq: number;
  /** SHA-256 (hex) of the line before; `genesis` in the first. */
  readonly prev: string;
}

export type AuditRecord = AuditEntry & Link;

/** `prev` of a first record. */
export const genesis = '0'.repeat(64);

/** Signed head of a writer's chain, in a stream of its own. All checkpoints of a tenant form one chain. A line of JSON as well. */
export interface Checkpoint {
  readonly v: typeof recordVersion;
  readonly kind: 'checkpoint';
  /** 1, 2, 3, … over all writers. */
  readonly n: number;
  readonly time: string;
  readonly writer: string;
  /** Last record of the writer that is covered. */
  readonly seq: number;
  /** SHA-256 of that record's line. */
  readonly hash: string;
  /** The writer has ended: there is nothing after `seq`. */
  readonly closed?: true;
  /** An operator has accepted that records covered before are lost. `writer` is empty and `seq` 0. */
  readonly lossAccepted?: true;
  /** SHA-256 of the line of checkpoint n − 1; `genesis` in the first. */
  readonly prev: string;
  /** Ed25519 public key, raw, base64url. */
  readonly key: string;
  /** Signature (base64url) of the line without this member. */
  readonly sig: string;
}

/** First line of an export. */
export interface ExportHeader {
  readonly v: typeof recordVersion;
  readonly kind: 'export';
  readonly time: string;
  readonly tenant: string;
  /** What the export was restricted to; absent: nothing is left out, and the chains must be whole. */
  readonly filters?: JsonObject;
}

/** Last line of an export: without it the file was cut off. */
export interface ExportEnd {
  readonly v: typeof recordVersion;
  readonly kind: 'export_end';
  readonly records: number;
  readonly checkpoints: number;
  /** SHA-256 (hex) over all lines before this one, each with its line break. */
  readonly sha256: string;
}

/** What a line of an export may be: header, checkpoints, records in the order of the stream, end. */
export type ExportLine = ExportHeader | Checkpoint | AuditRecord | ExportEnd;
