import { compilePattern } from '../../../shared/re2.ts';

/** What the validation engine sees of a pattern. */
export interface EnginePattern {
  test(text: string): boolean;
  /** The engine tells patterns apart by this; two that say the same would be one. */
  toString(): string;
}

/** The pattern engine for validators, in place of the backtracking one of JavaScript. */
export function linearPattern(pattern: string, flags: string): EnginePattern {
  const compiled = compilePattern(pattern);
  return { test: (text) => compiled.test(text), toString: () => `/${pattern}/${flags}` };
}
