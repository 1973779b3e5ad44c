import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * Proof that an ingress of this cluster tells this very worker process to run this very call, for this very principal. The MAC covers the
 * offer as it was sent (principal, tool, arguments) and a challenge that the worker made up when it accepted: a `go` that was overheard
 * proves nothing a second time, to another process, or for another offer, and no clock takes part.
 */

/** Who says `go` to whom, and for which acceptance. */
export interface Handshake {
  readonly ingress: string;
  readonly key: string;
  readonly instance: string;
  /** Used once by that process. */
  readonly challenge: string;
}

/** The secret that signs calls of one server. From it neither the cluster's secret nor another server's key can be told. */
export function callKeyOf(clusterSecret: string, server: string): Buffer {
  return createHmac('sha256', clusterSecret).update(`toolbus call key v1\n${server}`).digest();
}

/** `offer`: the message as it was published; `rest`: the parts of arguments that were too large for it, in order. */
export function proveCall(
  callKey: Buffer,
  handshake: Handshake,
  offer: Uint8Array,
  rest: readonly Uint8Array[],
): string {
  return mac(callKey, handshake, offer, rest).toString('base64url');
}

/** Whether one of the keys made the proof. */
export function isProven(
  callKeys: readonly Buffer[],
  proof: unknown,
  handshake: Handshake,
  offer: Uint8Array,
  rest: readonly Uint8Array[],
): boolean {
  if (typeof proof !== 'string' || proof.length > 64) return false;
  const given = Buffer.from(proof, 'base64url');
  return callKeys.some((callKey) => {
    const expected = mac(callKey, handshake, offer, rest);
    return expected.length === given.length && timingSafeEqual(expected, given);
  });
}

function mac(callKey: Buffer, handshake: Handshake, offer: Uint8Array, rest: readonly Uint8Array[]): Buffer {
  const { ingress, key, instance, challenge } = handshake;
  // None of the four can hold a line break, so no two handshakes have the same text.
  const hmac = createHmac('sha256', callKey).update(`${ingress}\n${key}\n${instance}\n${challenge}\n`).update(offer);
  for (const part of rest) hmac.update(part);
  return hmac.digest();
}
