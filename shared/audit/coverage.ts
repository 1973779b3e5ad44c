import { headOf, isSigned, readCheckpoint } from './checkpoint.ts';
import { genesis } from './record.ts';
import type { Finding } from './verify.ts';

/** What the signed checkpoints say of each writer's chain. */
export interface Coverage {
  readonly writers: readonly string[];
  readonly keys: readonly string[];
  /** SHA-256 of that record's line, where a checkpoint has it. */
  hashAt(writer: string, seq: number): string | undefined;
  /** Last record that a checkpoint covers; 0 for none. */
  lastSeqOf(writer: string): number;
  isClosed(writer: string): boolean;
  /** An operator has accepted since that what was covered then is lost. */
  isLossAccepted(writer: string): boolean;
  /** When that was, each time. */
  readonly acceptedLosses: readonly string[];
}

export interface CoverageOptions {
  readonly trustedKeys?: readonly string[] | undefined;
  /** The first checkpoints may have expired. */
  readonly beginsLate: boolean;
}

interface WriterCoverage {
  readonly hashes: Map<number, string>;
  lastSeq: number;
  closed: boolean;
  lossAccepted: boolean;
}

/** Checks signatures and chain of the checkpoints. One that is not signed by a trusted key is reported and covers nothing. */
export function coverageOf(
  lines: readonly string[],
  { trustedKeys, beginsLate }: CoverageOptions,
  report: (finding: Finding) => void,
): Coverage {
  const writers = new Map<string, WriterCoverage>();
  const keys = new Set<string>();
  const acceptedLosses: string[] = [];
  let before: { n: number; hash: string } | undefined;
  lines.forEach((line, index) => {
    const checkpoint = readCheckpoint(line);
    if (checkpoint === undefined) {
      report({ what: 'checkpoint_edited', message: `line ${index + 1} of the checkpoints cannot be read` });
      return;
    }
    const { n, writer, seq, hash, key } = checkpoint;
    const expected = before ?? (beginsLate ? { n: n - 1, hash: checkpoint.prev } : { n: 0, hash: genesis });
    if (n !== expected.n + 1) {
      const message = `checkpoint ${expected.n + 1} is missing: ${n} stands in its place`;
      report({ what: 'checkpoint_dropped', message, writer, seq });
    } else if (checkpoint.prev !== expected.hash) {
      const message = `checkpoint ${n} does not follow from the one before it`;
      report({ what: 'checkpoint_edited', message, writer, seq });
    }
    before = headOf(checkpoint, line);
    if (!isSigned(checkpoint, line)) {
      report({ what: 'bad_signature', message: `the signature of checkpoint ${n} is wrong`, writer, seq });
      return;
    }
    keys.add(key);
    if (trustedKeys !== undefined && !trustedKeys.includes(key)) {
      report({ what: 'unknown_key', message: `checkpoint ${n} is signed by the key ${key}`, writer, seq });
      return;
    }
    if (checkpoint.lossAccepted === true) {
      acceptedLosses.push(checkpoint.time);
      for (const each of writers.values()) each.lossAccepted = true;
      return;
    }
    const fresh = { hashes: new Map<number, string>(), lastSeq: 0, closed: false, lossAccepted: false };
    const known = writers.get(writer) ?? fresh;
    known.lossAccepted = false;
    writers.set(writer, known);
    known.hashes.set(seq, hash);
    known.lastSeq = Math.max(known.lastSeq, seq);
    known.closed = checkpoint.closed === true;
  });
  return {
    writers: [...writers.keys()],
    keys: [...keys],
    hashAt: (writer, seq) => writers.get(writer)?.hashes.get(seq),
    lastSeqOf: (writer) => writers.get(writer)?.lastSeq ?? 0,
    isClosed: (writer) => writers.get(writer)?.closed ?? false,
    isLossAccepted: (writer) => writers.get(writer)?.lossAccepted ?? false,
    acceptedLosses,
  };
}
