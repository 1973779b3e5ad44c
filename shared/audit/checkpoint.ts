import { sign, verify } from 'node:crypto';
import { isJsonObject } from '../mcp/json.ts';
import type { Head } from './chain.ts';
import { sha256Hex } from './digest.ts';
import { type AuditKeys, readPublicKey } from './keys.ts';
import { type Checkpoint, genesis, recordVersion } from './record.ts';

/** The last checkpoint of the chain that all writers share; `n` 0 is before the first. */
export interface CheckpointHead {
  readonly n: number;
  readonly hash: string;
}

export const noCheckpoints: CheckpointHead = { n: 0, hash: genesis };

export interface CheckpointFacts {
  readonly writer: string;
  readonly head: Head;
  readonly closed?: boolean;
  readonly lossAccepted?: boolean;
  readonly time: string;
}

/** The line of the next checkpoint, signed. */
export function signCheckpoint(facts: CheckpointFacts, after: CheckpointHead, keys: AuditKeys): string {
  const unsigned: Omit<Checkpoint, 'sig'> = {
    v: recordVersion,
    kind: 'checkpoint',
    n: after.n + 1,
    time: facts.time,
    writer: facts.writer,
    seq: facts.head.seq,
    hash: facts.head.hash,
    ...(facts.closed === true && { closed: true as const }),
    ...(facts.lossAccepted === true && { lossAccepted: true as const }),
    prev: after.hash,
    key: keys.publicKey,
  };
  const text = JSON.stringify(unsigned);
  const sig = sign(null, Buffer.from(text), keys.signing).toString('base64url');
  return `${text.slice(0, -1)},"sig":"${sig}"}`;
}

/** The head that a checkpoint's line makes. */
export function headOf(checkpoint: Checkpoint, line: string): CheckpointHead {
  return { n: checkpoint.n, hash: sha256Hex(line) };
}

/** Reads a line; undefined for what is no checkpoint. The signature is not looked at. */
export function readCheckpoint(line: string): Checkpoint | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isJsonObject(value) || value.v !== recordVersion || value.kind !== 'checkpoint') return undefined;
  const { n, time, writer, seq, hash, closed, lossAccepted, prev, key, sig } = value;
  if (typeof n !== 'number' || typeof seq !== 'number' || typeof time !== 'string' || typeof writer !== 'string')
    return undefined;
  if (typeof hash !== 'string' || typeof prev !== 'string' || typeof key !== 'string' || typeof sig !== 'string')
    return undefined;
  return {
    v: recordVersion,
    kind: 'checkpoint',
    n,
    time,
    writer,
    seq,
    hash,
    ...(closed === true && { closed: true as const }),
    ...(lossAccepted === true && { lossAccepted: true as const }),
    prev,
    key,
    sig,
  };
}

/** True when the line is exactly what the holder of `checkpoint.key` signed. */
export function isSigned(checkpoint: Checkpoint, line: string): boolean {
  const key = readPublicKey(checkpoint.key);
  const tail = `,"sig":"${checkpoint.sig}"}`;
  if (key === undefined || !line.endsWith(tail)) return false;
  const signature = Buffer.from(checkpoint.sig, 'base64url');
  return verify(null, Buffer.from(`${line.slice(0, -tail.length)}}`), key, signature);
}
