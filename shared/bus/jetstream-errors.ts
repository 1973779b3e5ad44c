import { JetStreamApiError } from '@nats-io/jetstream';
import { RequestError } from '@nats-io/transport-node';

const streamNotFound = 10_059;
const wrongLastSequence = [10_071, 10_164];

/** NATS says that there is no such stream or bucket; not: it says nothing. */
export function isStreamMissing(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === streamNotFound;
}

/** Somebody else has written there first. */
export function isConflict(error: unknown): boolean {
  return error instanceof JetStreamApiError && wrongLastSequence.includes(error.code);
}

/** NATS is there, and nobody on it answers for what was written to or read: the bucket is gone. */
export function isBucketGone(error: unknown): boolean {
  if (isStreamMissing(error)) return true;
  // A read says it itself, a write as the cause of "jetstream is not enabled".
  const request = error instanceof RequestError ? error : error instanceof Error ? error.cause : undefined;
  return request instanceof RequestError && request.isNoResponders();
}
