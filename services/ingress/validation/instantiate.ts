import equal from 'ajv/dist/runtime/equal.js';
import ucs2length from 'ajv/dist/runtime/ucs2length.js';
import { formats } from './formats.ts';
import { needs } from './needs.ts';
import { linearPattern } from './patterns.ts';

/** One thing wrong with a value, in the engine's words. */
export interface EngineProblem {
  /** JSON pointer. */
  readonly instancePath: string;
  readonly keyword: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly message?: string;
}

/** A compiled validator; `errors` says what was wrong the last time. */
export interface Validate {
  (value: unknown): boolean;
  errors?: readonly EngineProblem[] | null;
}

const provided: Readonly<Record<string, unknown>> = {
  'ajv/dist/runtime/equal': equal,
  'ajv/dist/runtime/ucs2length': ucs2length,
  [needs.pattern]: linearPattern,
  [needs.formats]: formats,
};

/** Makes a function out of what `generateValidator` wrote. Throws when the code needs something it may not have. */
export function instantiate(code: string): Validate {
  const found: { exports?: unknown } = {};
  const require = (name: string): unknown => {
    if (Object.hasOwn(provided, name)) return provided[name];
    throw new Error(`a validator asks for ${name}`);
  };
  new Function('require', 'module', code)(require, found);
  if (typeof found.exports !== 'function') throw new Error('the code is no validator');
  return found.exports as Validate;
}
