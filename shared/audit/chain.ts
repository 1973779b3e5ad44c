import { sha256Hex } from './digest.ts';
import { genesis } from './record.ts';

/** Where a writer's chain stands: its last record and the SHA-256 of that record's line. `seq` 0 is before the first. */
export interface Head {
  readonly seq: number;
  readonly hash: string;
}

export const noRecords: Head = { seq: 0, hash: genesis };

/** Several records that follow each other in a chain. */
export interface Linked {
  readonly lines: readonly string[];
  /** Head after the last of them. */
  readonly head: Head;
}

/**
 * Gives entries their place in the chain of `writer`: the JSON text of each gets `writer`, `seq` and `prev` as its last members.
 * `entries` are JSON texts of objects with at least one member.
 */
export function link(entries: readonly string[], writer: string, after: Head): Linked {
  let { seq, hash } = after;
  const lines = entries.map((entry) => {
    seq += 1;
    const line = `${entry.slice(0, -1)},"writer":"${writer}","seq":${seq},"prev":"${hash}"}`;
    hash = sha256Hex(line);
    return line;
  });
  return { lines, head: { seq, hash } };
}
