import crypto from 'node:crypto';

/** SHA-256 in hex. */
export function sha256Hex(data: string | Uint8Array): string {
  // The one-shot form takes half the time; Node has it since 20.12.
  if (typeof crypto.hash === 'function') return crypto.hash('sha256', data, 'hex');
  return crypto.createHash('sha256').update(data).digest('hex');
}

/** Names one definition of a tool: 32 hex digits of the SHA-256 of its JSON text. */
export function toolDigest(tool: object): string {
  return sha256Hex(JSON.stringify(tool)).slice(0, 32);
}
