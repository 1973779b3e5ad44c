import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { isJsonObject, type JsonObject } from './mcp/json.ts';

/** Makes texts that agents carry for us and can neither read nor change: cursors, session ids, request states. */
export interface Sealer {
  /**
   * Base64url text of `payload`, encrypted (AES-256-GCM). `purpose` keeps one kind of text from being taken for another;
   * `bound` is what the text must come back with (a principal, a digest) and is not stored in it.
   */
  seal(purpose: string, payload: JsonObject, bound?: string): string;
  /** The payload, or undefined when the text is not ours, was changed, or belongs to another purpose or bound value. */
  open(purpose: string, text: string, bound?: string): JsonObject | undefined;
}

const algorithm = 'aes-256-gcm';
const ivBytes = 12;
const tagBytes = 16;

/** A secret that was in use before, or will be next, opens what is sealed with it; more than this many are not tried. */
export const maxSecrets = 8;

/**
 * A sealer whose key comes from the cluster secret by HKDF-SHA-256, so that every ingress opens what another one sealed. Of several
 * secrets the first seals and all open: that is how one is replaced without anybody noticing. A function is asked each time.
 */
export function createSealer(secrets: string | (() => readonly string[])): Sealer {
  const keys = new Map<string, Buffer>();
  const current = typeof secrets === 'string' ? () => [secrets] : secrets;

  function keyOf(secret: string): Buffer {
    let key = keys.get(secret);
    if (key === undefined) {
      if (keys.size >= 2 * maxSecrets) keys.clear();
      key = Buffer.from(hkdfSync('sha256', secret, 'toolbus', 'seal v1', 32));
      keys.set(secret, key);
    }
    return key;
  }

  return {
    seal(purpose, payload, bound = '') {
      const [secret] = current();
      if (secret === undefined) throw new Error('there is no secret to seal with');
      const iv = randomBytes(ivBytes);
      const cipher = createCipheriv(algorithm, keyOf(secret), iv);
      cipher.setAAD(associated(purpose, bound));
      const text = Buffer.concat([cipher.update(JSON.stringify(payload), 'utf8'), cipher.final()]);
      return Buffer.concat([iv, text, cipher.getAuthTag()]).toString('base64url');
    },
    open(purpose, text, bound = '') {
      const bytes = Buffer.from(text, 'base64url');
      if (bytes.length < ivBytes + tagBytes || bytes.toString('base64url') !== text) return undefined;
      const aad = associated(purpose, bound);
      for (const secret of current().slice(0, maxSecrets)) {
        const payload = unseal(keyOf(secret), bytes, aad);
        if (payload !== undefined) return payload;
      }
      return undefined;
    },
  };
}

function unseal(key: Buffer, bytes: Buffer, aad: Buffer): JsonObject | undefined {
  const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, ivBytes));
  decipher.setAAD(aad);
  decipher.setAuthTag(bytes.subarray(-tagBytes));
  try {
    const plain = Buffer.concat([decipher.update(bytes.subarray(ivBytes, -tagBytes)), decipher.final()]);
    const payload: unknown = JSON.parse(plain.toString('utf8'));
    return isJsonObject(payload) ? payload : undefined;
  } catch {
    return undefined;
  }
}

function associated(purpose: string, bound: string): Buffer {
  return Buffer.from(`${purpose}\0${bound}`, 'utf8');
}
