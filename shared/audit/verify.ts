import { type Coverage, coverageOf } from './coverage.ts';
import { sha256Hex } from './digest.ts';
import { readRecord } from './read-record.ts';
import { type AuditRecord, genesis } from './record.ts';

/** Something that is not as it was written. */
export interface Finding {
  readonly what:
    | 'unreadable'
    | 'edited'
    | 'dropped'
    | 'swapped'
    | 'cut_off'
    | 'added'
    | 'missing_stream'
    | 'bad_signature'
    | 'unknown_key'
    | 'checkpoint_edited'
    | 'checkpoint_dropped'
    | 'export_damaged';
  /** A sentence that names the first bad record or checkpoint. */
  readonly message: string;
  readonly writer?: string | undefined;
  /** Of the first bad record. */
  readonly seq?: number | undefined;
  /** Id of that record, where it can be read. */
  readonly id?: string | undefined;
}

export interface Verdict {
  readonly ok: boolean;
  /** In the order in which they were met; at most `maxFindings`. */
  readonly findings: readonly Finding[];
  readonly records: number;
  readonly writers: number;
  readonly checkpoints: number;
  /** Records that no checkpoint covers yet: they are chained, and their end could be cut off unseen. */
  readonly uncovered: number;
  /** Public keys that signed checkpoints. */
  readonly keys: readonly string[];
  /** When an operator accepted that records were lost. */
  readonly acceptedLosses: readonly string[];
}

export interface VerifyOptions {
  /** Lines of all checkpoints, in the order of their stream. */
  readonly checkpoints: readonly string[];
  /** Public keys that may have signed; absent: any, and the verdict names them. */
  readonly trustedKeys?: readonly string[] | undefined;
  /** The stream forgets by age: chains may begin late. */
  readonly beginsLate?: boolean;
  /** Records were left out on purpose (an export with filters): only what is there is checked. */
  readonly partial?: boolean;
}

const maxFindings = 100;

interface WriterState {
  seq: number;
  hash: string;
  id: string | undefined;
}

/**
 * Verifies the lines of records, in the order of the stream: chains per writer, and their heads against the signed checkpoints. Finds what was
 * edited, dropped, swapped, cut off or added, as long as the checkpoints are whole. Memory grows with the number of writers alone.
 */
export async function verifyRecords(
  lines: AsyncIterable<string> | Iterable<string>,
  options: VerifyOptions,
): Promise<Verdict> {
  const { partial = false, beginsLate = false } = options;
  const findings: Finding[] = [];
  const report = (finding: Finding): void => {
    if (findings.length < maxFindings) findings.push(finding);
  };
  const coverage = coverageOf(options.checkpoints, { trustedKeys: options.trustedKeys, beginsLate }, report);
  const writers = new Map<string, WriterState>();
  let records = 0;

  for await (const line of lines) {
    records += 1;
    const record = readRecord(line);
    if (record === undefined) {
      report({ what: 'unreadable', message: `record ${records} of the stream cannot be read` });
      continue;
    }
    const known = writers.get(record.writer);
    const state = known ?? { seq: 0, hash: genesis, id: undefined };
    if (known === undefined) writers.set(record.writer, state);
    const isFirst = known === undefined;
    // Who wrote on in a new stream says so with its first record there.
    const isAfterLoss = coverage.acceptedLosses.length > 0 && record.kind === 'event' && record.event === 'audit_gap';
    const isNext = compare(record, state, isFirst && (beginsLate || partial || isAfterLoss), partial, report);
    const hash = sha256Hex(line);
    const claimed = coverage.hashAt(record.writer, record.seq);
    if (claimed !== undefined && claimed !== hash) {
      report({ ...at(record), what: 'edited', message: `${name(record)} is not what its checkpoint was signed for` });
    }
    if (isNext || record.seq > state.seq) {
      state.seq = record.seq;
      state.hash = hash;
      state.id = record.id;
    }
  }
  compareEnds(coverage, writers, records, { partial, beginsLate }, report);
  let uncovered = 0;
  for (const [writer, { seq }] of writers) uncovered += Math.max(0, seq - coverage.lastSeqOf(writer));
  return {
    ok: findings.length === 0,
    findings,
    records,
    writers: writers.size,
    checkpoints: options.checkpoints.length,
    uncovered,
    keys: coverage.keys,
    acceptedLosses: coverage.acceptedLosses,
  };
}

/** Whether the record follows the one before in its chain; reports where it does not. */
function compare(
  record: AuditRecord,
  state: WriterState,
  mayBeginHere: boolean,
  partial: boolean,
  report: (finding: Finding) => void,
): boolean {
  const { seq, prev } = record;
  const writer = { writer: record.writer };
  if (mayBeginHere) return true;
  if (seq === state.seq + 1) {
    if (prev === state.hash) return true;
    const bad = state.seq === 0 ? at(record) : { ...writer, seq: state.seq, id: state.id };
    report({
      ...bad,
      what: 'edited',
      message: `record ${bad.seq} of writer ${record.writer} was edited: ${name(record)} links to another text`,
    });
    return true;
  }
  if (seq > state.seq + 1) {
    if (partial) return true;
    const missing =
      seq === state.seq + 2 ? `record ${state.seq + 1}` : `every record from ${state.seq + 1} to ${seq - 1}`;
    report({
      ...writer,
      seq: state.seq + 1,
      what: 'dropped',
      message: `${missing} of writer ${record.writer} is missing`,
    });
    return true;
  }
  report({ ...at(record), what: 'swapped', message: `${name(record)} stands behind record ${state.seq}` });
  return false;
}

function compareEnds(
  coverage: Coverage,
  writers: ReadonlyMap<string, WriterState>,
  records: number,
  { partial, beginsLate }: { partial: boolean; beginsLate: boolean },
  report: (finding: Finding) => void,
): void {
  if (partial) return;
  const expected = coverage.writers.filter((writer) => !coverage.isLossAccepted(writer));
  if (records === 0 && expected.length > 0 && !beginsLate) {
    report({
      what: 'missing_stream',
      message: `there is no record at all, and checkpoints of ${expected.length} writers say there were`,
      writer: expected[0],
      seq: 1,
    });
    return;
  }
  for (const writer of coverage.writers) {
    const signed = coverage.lastSeqOf(writer);
    const state = writers.get(writer);
    // All records of a writer that ended long ago may have expired.
    if (state === undefined && beginsLate) continue;
    if (coverage.isLossAccepted(writer)) continue;
    const seq = state?.seq ?? 0;
    if (seq < signed) {
      const message = `writer ${writer} ends at record ${seq}, and its checkpoint says ${signed}: the rest was cut off`;
      report({ what: 'cut_off', message, writer, seq: seq + 1 });
    }
    if (coverage.isClosed(writer) && seq > signed) {
      const message = `writer ${writer} had ended at record ${signed}, and there are records behind it`;
      report({ what: 'added', message, writer, seq: signed + 1 });
    }
  }
}

const at = ({ writer, seq, id }: AuditRecord) => ({ writer, seq, id });

function name({ writer, seq }: AuditRecord): string {
  return `record ${seq} of writer ${writer}`;
}
