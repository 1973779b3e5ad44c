import { exitCode, OperatorError } from '../errors.ts';

/** One thing wrong with a configuration file. Texts name keys and variables, never values. */
export interface Problem {
  /** Offset in the text of the file. */
  readonly at: number;
  /** `servers.github.env.TOKEN`; empty for the file as a whole. */
  readonly path: string;
  readonly text: string;
}

const maxShown = 50;
const maxNameLength = 80;

/** Line and column, both from 1, of an offset. */
export type Locate = (offset: number) => { readonly line: number; readonly col: number };

/** Finds lines and columns in a text; an offset beyond its end is its end. */
export function locateIn(text: string): Locate {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    const at = Math.min(Math.max(offset, 0), text.length);
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (starts[middle]! <= at) low = middle;
      else high = middle;
    }
    return { line: low + 1, col: at - starts[low]! + 1 };
  };
}

/** `file:line:col: key.path: what is wrong`. */
export function formatProblem(file: string, locate: Locate, problem: Problem): string {
  const { line, col } = locate(problem.at);
  return `${file}:${line}:${col}: ${problem.path === '' ? '' : `${problem.path}: `}${problem.text}`;
}

/** All problems of a file as the one error that the CLI prints, in the order of the file. */
export function invalidConfig(file: string, locate: Locate, problems: readonly Problem[]): OperatorError {
  const sorted = problems.toSorted((a, b) => a.at - b.at);
  const lines = sorted.slice(0, maxShown).map((problem) => formatProblem(file, locate, problem));
  if (sorted.length > maxShown) lines.push(`${file}: and ${sorted.length - maxShown} more`);
  return new OperatorError(exitCode.usage, [...new Set(lines)].join('\n'));
}

/** A name from outside, fit for a line on a terminal: no control characters, bounded length. */
export function showName(name: string): string {
  const clean = name.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '?');
  return clean.length <= maxNameLength ? clean : `${clean.slice(0, maxNameLength)}…`;
}

/** The path of an entry: `servers.github`, `agents."a.b"`, `args[2]`. */
export function joinPath(parent: string, key: string | number): string {
  if (typeof key === 'number') return `${parent}[${key}]`;
  const shown = /^[\w$-]+$/.test(key) ? showName(key) : `"${showName(key).replaceAll('"', '?')}"`;
  return parent === '' ? shown : `${parent}.${shown}`;
}

/** The candidate that `name` was probably meant to be: at most a third of its letters off, case aside. */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  const wanted = name.slice(0, maxNameLength).toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(wanted, candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Edits between two words, a swap of neighbours counting as one (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, beforePrevious[j - 2]! + 1);
      }
      row.push(cost);
    }
    beforePrevious = previous;
    previous = row;
  }
  return previous[b.length]!;
}
