import { parseArgs } from 'node:util';
import type { Era } from '../../shared/mcp/revisions.ts';
import { type TargetName, targetNames } from './targets/target.ts';

export const usageText = `npm run bench -- [options]
  --quick           one round of short windows, at most 3 minutes: to see that it works, not to judge
  --rounds N        rounds (default 3, with --quick 1)
  --only NAME,…     only these suites (calls payloads lists sessions hung workers) or targets (direct floor toolbus synced unaudited)
  --era ERA         what the agents speak: legacy (2025-11-25, default) or modern (2026-07-28)
  --baseline FILE   compare with this run instead of test/bench/results/stored.json
  --store           keep this run as test/bench/results/stored.json
`;

export interface BenchOptions {
  readonly quick: boolean;
  readonly rounds: number;
  readonly suites: readonly string[];
  readonly targets: readonly TargetName[];
  readonly era: Era;
  readonly baseline: string | undefined;
  readonly store: boolean;
}

/** Reads the command line; throws with a sentence on what it does not know. */
export function readOptions(args: readonly string[], suiteNames: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      only: { type: 'string', multiple: true, default: [] },
      era: { type: 'string', default: 'legacy' },
      baseline: { type: 'string' },
      store: { type: 'boolean', default: false },
    },
  });
  const only = values.only.flatMap((names) => names.split(','));
  const known = [...suiteNames, ...targetNames];
  for (const name of only) {
    if (!known.includes(name)) throw new Error(`--only knows ${known.join(', ')}, not ${name}`);
  }
  if (values.era !== 'legacy' && values.era !== 'modern') throw new Error('--era is legacy or modern');
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
  if (!Number.isSafeInteger(rounds) || rounds < 1) throw new Error('--rounds is a whole number from 1');
  const suites = suiteNames.filter((name) => only.includes(name));
  const targets = targetNames.filter((name) => only.includes(name));
  return {
    quick: values.quick,
    rounds,
    suites: suites.length > 0 ? suites : suiteNames,
    targets: targets.length > 0 ? targets : targetNames,
    era: values.era,
    baseline: values.baseline,
    store: values.store,
  };
}
