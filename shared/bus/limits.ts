/** Clocks and sizes of the call protocol, in milliseconds and bytes. Reasons: docs/adr/0002-offer-accept-go.md. */
export const busLimits = {
  /** No `accepted` within this time: offer the call elsewhere. */
  acceptMs: 250,
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
  /** Larger bodies travel in parts. */
  inlineBytes: 512 * 1024,
  partBytes: 256 * 1024,
  /** Parts of a result that may be on their way before the ingress asks for more. */
  creditParts: 16,
  /** A result larger than this is refused as bad_upstream_output. */
  maxBodyBytes: 64 * 1024 * 1024,
  /** How often deadlines are looked at: one timer for all calls. */
  sweepMs: 50,
} as const;
