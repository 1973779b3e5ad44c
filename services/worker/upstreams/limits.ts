/** Bounds of what an upstream may cost us. Sizes in bytes, times in milliseconds. */
export const limits = {
  /** One stdout line, one JSON body, one SSE event. */
  messageBytes: 64 * 1024 * 1024,
  /** Body of an HTTP error: more is not read. */
  errorBodyBytes: 64 * 1024,
  /** Unsent bytes towards a child that does not read its stdin. */
  stdinQueueBytes: 1024 * 1024,
  stderrTailBytes: 2048,
  listItems: 10_000,
  listPages: 1_000,
  manifestBytes: 64 * 1024 * 1024,
  connectMs: 3_000,
  /** `server/discover` on stdio: a server that says nothing is taken for a legacy one. */
  probeMs: 5_000,
  /** Requests of our own: discover over HTTP, initialize, lists, subscribe. `npx` may have to download the server first. */
  handshakeMs: 60_000,
  httpHandshakeMs: 15_000,
  listMs: 30_000,
  /** To ask for the state of a task that agents want to be told of. */
  taskMs: 10_000,
  /** Waiting for questions that arrive together. */
  questionGatherMs: 5,
  /** After a legacy handshake: what a server asks in that time is for itself, unless it comes on a call's own stream. */
  startupMs: 5_000,
  /** On a shared channel a tool that was never called before gets that much time to ask before another such one may start. */
  leaseTrialMs: 2_000,
  /** Questions that a server asks at the same time in one call come within this time. */
  sideBySideMs: 1_000,
  /** A question that could be several calls' is refused after this time. */
  unclaimedMs: 5_000,
  /** A server that answers no ping is taken to know after this time that a call was given up. */
  partingMs: 1_000,
  /** Requests of one session that were given up and whose answer may still be a task. */
  lateTasks: 256,
  /** A task that is announced later than this after its call was given up is not cancelled. */
  lateTaskMs: 60_000,
  /** Over HTTP to close the request is to cancel it, which must not wait long for the id of a task. */
  lateHttpTaskMs: 2_000,
  listChangedDebounceMs: 50,
  closeMs: 5_000,
  /** A server is told that its session is over; whether it listens is its own affair. */
  goodbyeMs: 1_000,
  /** A verdict on a server's eras older than this is asked again: a legacy one would succeed silently for ever. */
  verdictMs: 24 * 60 * 60 * 1000,
} as const;
