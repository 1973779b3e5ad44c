import { RE2JS } from 're2js';

/**
 * Patterns that others wrote, matched in time linear in the text (RE2). The only door to the engine. Look-around, back references and
 * repetitions above 1,000 do not exist here.
 */
export interface LinearPattern {
  /** True when some part of the text matches. */
  test(text: string): boolean;
}

const maxPatternLength = 2_000;

/** Compiles a pattern in JavaScript's spelling. Throws an Error that says why it cannot be. */
export function compilePattern(pattern: string): LinearPattern {
  if (pattern.length > maxPatternLength) throw new Error(`a pattern may have ${maxPatternLength} characters`);
  const compiled = RE2JS.compile(RE2JS.translateRegExp(pattern));
  return { test: (text) => compiled.test(text) };
}

/** Why a pattern cannot be compiled; undefined when it can. */
export function faultOfPattern(pattern: string): string | undefined {
  try {
    compilePattern(pattern);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : 'it cannot be compiled';
  }
}
