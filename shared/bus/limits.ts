/** Clocks and sizes of the call protocol, in milliseconds and bytes. Reasons: docs/adr/0002-offer-accept-go.md. */
export const busLimits = {
  /** No `accepted` within this time: offer the call elsewhere. Longer, up to `mostAcceptMs`, where workers are seen to be far away. */
  acceptMs: 250,
  mostAcceptMs: 2_000,
  /** How long a worker keeps an offer that may wait for a slot; less than `acceptMs`, so that it says `busy` in time. */
  lineMs: 150,
  /** A worker gives a reserved slot back when `go` does not come. */
  reservationMs: 5_000,
  /** Every worker process with running calls says `alive` this often to each ingress it works for. */
  aliveMs: 1_000,
  /** Nothing heard from a process with running calls: ask it once. */
  probeMs: 1_300,
  /** The same after an offer found nobody: long enough for a process to reconnect to another node. */
  doubtMs: 500,
  /** Still nothing: its calls are lost. */
  lostMs: 3_000,
  /** Running calls are given up this long after the bus connection broke. */
  disconnectGraceMs: 1_000,
  /** An answer is waited for at most this long past the worker's own deadline. */
  answerGraceMs: 500,
  /** No call lasts longer, whatever progress it reports (specification, basic/patterns/cancellation: always enforce a maximum). */
  hardCapMs: 600_000,
  /** A larger notification is dropped. */
  noteBytes: 512 * 1024,
  /** Larger bodies travel in parts. Small ones: a NATS client takes them out of what it reads at once, but puts larger ones together anew. */
  inlineBytes: 64 * 1024,
  partBytes: 16 * 1024,
  /** Parts of a result that may be on their way before the ingress asks for more. */
  creditParts: 256,
  /** A result larger than this is refused as bad_upstream_output. */
  maxBodyBytes: 64 * 1024 * 1024,
  /** How often deadlines are looked at: one timer for all calls. */
  sweepMs: 50,
} as const;

/** Offers that a worker with so many slots keeps while all are taken. They hide the handshake: the next call starts when a slot is free. */
export function lineOf(concurrency: number): number {
  return Math.max(1, Math.floor(concurrency / 8));
}
