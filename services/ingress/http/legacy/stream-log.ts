/**
 * Remembers what was written to the streams of sessions, so that a reader that lost its connection can go on at any ingress
 * (2025-11-25, basic/transports, "Resumability and Redelivery"). An event id is unique within its session and names its stream.
 */
export interface StreamLog {
  /** A new stream of the session; undefined when its events cannot be had again, and so carry no id. */
  open(sessionKey: string): StreamRecord | undefined;
}

export interface StreamRecord {
  /** Id of the event that primes the reader (SEP-1699). */
  readonly firstId: string;
  /** Records a message; returns its event id. */
  append(message: string | Uint8Array): string;
  /** Nothing follows. */
  end(): void;
}

/** No stream can be resumed: a reader with a `Last-Event-ID` gets a new stream. */
export const noStreamLog: StreamLog = { open: () => undefined };
