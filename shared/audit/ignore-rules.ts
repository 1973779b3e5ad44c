import { matchesGlob } from '../glob.ts';
import type { IgnoreRule } from './json-diff.ts';

/** `audit.replay.ignore`: what varies in the results of tools, by patterns of `server__tool`. */
export type IgnoreRules = Readonly<Record<string, readonly IgnoreRule[]>>;

/** What varies in the results of one tool. */
export function ignoredFor(
  rules: IgnoreRules,
  { server, tool }: { server: string; tool: string },
): readonly IgnoreRule[] {
  const name = `${server}__${tool}`;
  return Object.entries(rules).flatMap(([pattern, pointers]) =>
    matchesGlob(pattern.split('*'), name) ? pointers : [],
  );
}
