import { createPrivateKey, createPublicKey, hkdfSync, type KeyObject } from 'node:crypto';

/** The keys of the audit. All come from the cluster secret, so that every ingress signs alike and an auditor needs no other. */
export interface AuditKeys {
  /** Of `arguments: hmac`. */
  readonly hmac: Uint8Array;
  /** Ed25519, signs checkpoints. */
  readonly signing: KeyObject;
  /** Its public half: raw, base64url. This is what an auditor pins. */
  readonly publicKey: string;
}

// RFC 8410: what stands before the 32 bytes of an Ed25519 key in PKCS #8 and in SPKI.
const pkcs8Head = Buffer.from('302e020100300506032b657004220420', 'hex');
const spkiHead = Buffer.from('302a300506032b6570032100', 'hex');

export function auditKeys(clusterSecret: string): AuditKeys {
  const derive = (purpose: string) => Buffer.from(hkdfSync('sha256', clusterSecret, 'toolbus', purpose, 32));
  const signing = createPrivateKey({
    key: Buffer.concat([pkcs8Head, derive('audit checkpoints v1')]),
    format: 'der',
    type: 'pkcs8',
  });
  const spki = createPublicKey(signing).export({ format: 'der', type: 'spki' });
  return {
    hmac: derive('audit hmac v1'),
    signing,
    publicKey: spki.subarray(spkiHead.length).toString('base64url'),
  };
}

/** The key object for a raw base64url Ed25519 public key; undefined for anything else. */
export function readPublicKey(text: string): KeyObject | undefined {
  const raw = Buffer.from(text, 'base64url');
  if (raw.length !== 32 || raw.toString('base64url') !== text) return undefined;
  return createPublicKey({ key: Buffer.concat([spkiHead, raw]), format: 'der', type: 'spki' });
}
