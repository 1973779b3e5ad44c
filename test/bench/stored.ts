import { readFileSync } from 'node:fs';
import { type Results, resultsFormat } from './results.ts';

/** The run to compare with. */
export type Stored =
  | { readonly kind: 'run'; readonly results: Results }
  | { readonly kind: 'none' }
  /** A run that was measured in another way: its figures mean something else. */
  | { readonly kind: 'other format'; readonly format: number };

/** Reads a stored run. Throws a sentence when the file is something else. */
export function readStored(file: string): Stored {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return { kind: 'none' };
  }
  const results = parsed(text);
  if (isRun(results)) return { kind: 'run', results };
  const format = results?.format;
  if (typeof format === 'number' && format !== resultsFormat) return { kind: 'other format', format };
  throw new Error(`${file} is not a stored run of this benchmark`);
}

type Unchecked = { readonly [member in keyof Results]?: unknown } | undefined;

function parsed(text: string): Unchecked {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** A file of this format that has the parts that are compared was written by this benchmark. */
function isRun(results: Unchecked): results is Results {
  return results?.format === resultsFormat && isObject(results.figures) && isObject(results.machine);
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}
