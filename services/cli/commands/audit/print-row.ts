import type { CallRow } from '../../../audit/call-rows.ts';
import { printable } from '../../output/printable.ts';

/** Rows come one by one, so the columns have a width of their own; a longer cell pushes the rest of its line to the right. */
const columns: readonly (readonly [keyof CallRow, string, number])[] = [
  ['time', 'time', 24],
  ['agent', 'agent', 14],
  ['what', 'tool', 32],
  ['outcome', 'outcome', 18],
  ['executed', 'ran', 7],
  ['took', 'ms', 8],
  ['id', 'call', 26],
];

export function headerLine(): string {
  return columns
    .map(([, title, width]) => title.padEnd(width))
    .join('  ')
    .trimEnd();
}

export function rowLine(row: CallRow): string {
  return columns
    .map(([column, , width]) => printable(row[column]).padEnd(width))
    .join('  ')
    .trimEnd();
}
