import { matchesGlob } from '../../../shared/glob.ts';

/**
 * Patterns of the configuration: literal text in which `*` stands for any characters, none included. Case-sensitive.
 * Matching is linear in the text; nothing here makes a regular expression out of a pattern.
 */

export type Matcher = (text: string) => boolean;

/** True for a text that at least one of the patterns matches; no patterns match nothing. */
export function anyOf(patterns: readonly string[]): Matcher {
  const literals = new Set(patterns.filter((pattern) => !pattern.includes('*')));
  const globs = patterns.filter((pattern) => pattern.includes('*')).map(globMatcher);
  if (patterns.includes('*')) return () => true;
  return (text) => literals.has(text) || globs.some((matches) => matches(text));
}

/** True when the pattern matches some text that begins with `prefix`. */
export function reaches(pattern: string, prefix: string): boolean {
  const star = pattern.indexOf('*');
  if (star === -1) return pattern.startsWith(prefix);
  const literal = pattern.slice(0, star);
  return literal.startsWith(prefix) || prefix.startsWith(literal);
}

/** True when the pattern matches every text that begins with `prefix`. */
export function covers(pattern: string, prefix: string): boolean {
  return /\*$/.test(pattern) && globMatcher(pattern)(prefix);
}

function globMatcher(pattern: string): Matcher {
  const parts = pattern.split('*');
  return (text) => matchesGlob(parts, text);
}
