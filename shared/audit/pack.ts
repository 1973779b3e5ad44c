import { isJsonObject } from '../mcp/json.ts';
import { recordVersion } from './record.ts';

/**
 * One message of the audit stream: a header line, then records of one writer, a line each. The header repeats where the pack stands in the
 * chain, so that a reader can check order and completeness of packs without reading their records.
 */
export interface PackHeader {
  readonly v: typeof recordVersion;
  readonly writer: string;
  /** Sequence number of the first record. */
  readonly seq: number;
  readonly count: number;
  /** SHA-256 of the line before the first record. */
  readonly prev: string;
  /** SHA-256 of the last record's line. */
  readonly hash: string;
}

export interface Pack {
  readonly header: PackHeader;
  /** The records' lines, as they were hashed. */
  readonly lines: readonly string[];
}

/** The text of a message. */
export function encodePack(header: PackHeader, lines: readonly string[]): string {
  return `${JSON.stringify(header)}\n${lines.join('\n')}`;
}

/** Takes a message apart; undefined for what is no pack of this version. Nothing is verified yet. */
export function decodePack(bytes: Uint8Array): Pack | undefined {
  const [head = '', ...lines] = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    .toString('utf8')
    .split('\n');
  const header = readHeader(head);
  return header === undefined ? undefined : { header, lines };
}

function readHeader(line: string): PackHeader | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isJsonObject(value)) return undefined;
  const { v, writer, seq, count, prev, hash } = value;
  if (v !== recordVersion || typeof writer !== 'string' || typeof prev !== 'string' || typeof hash !== 'string')
    return undefined;
  if (!isCount(seq) || !isCount(count)) return undefined;
  return { v, writer, seq, count, prev, hash };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 1;
}
