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

/** A sealer whose key comes from the cluster secret by HKDF-SHA-256, so that every ingress opens what another one sealed. */
export function createSealer(secret: string): Sealer {
  const key = Buffer.from(hkdfSync('sha256', secret, 'toolbus', 'seal v1', 32));
  return {
    seal(purpose, payload, bound = '') {
      const iv = randomBytes(ivBytes);
      const cipher = createCipheriv(algorithm, key, iv);
      cipher.setAAD(associated(purpose, bound));
      const text = Buffer.concat([cipher.update(JSON.stringify(payload), 'utf8'), cipher.final()]);
      return Buffer.concat([iv, text, cipher.getAuthTag()]).toString('base64url');
    },
    open(purpose, text, bound = '') {
      const bytes = Buffer.from(text, 'base64url');
      if (bytes.length < ivBytes + tagBytes || bytes.toString('base64url') !== text) return undefined;
      const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, ivBytes));
      decipher.setAAD(associated(purpose, bound));
      decipher.setAuthTag(bytes.subarray(-tagBytes));
      try {
        const plain = Buffer.concat([decipher.update(bytes.subarray(ivBytes, -tagBytes)), decipher.final()]);
        const payload: unknown = JSON.parse(plain.toString('utf8'));
        return isJsonObject(payload) ? payload : undefined;
      } catch {
        return undefined;
      }
    },
  };
}

function associated(purpose: string, bound: string): Buffer {
  return Buffer.from(`${purpose}\0${bound}`, 'utf8');
}
