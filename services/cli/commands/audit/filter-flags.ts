import { type CompiledFilter, compileFilter } from '../../../audit/record-filter.ts';
import { parseMoment } from '../../../audit/time-argument.ts';
import type { CommonFlags } from '../../flags.ts';

/** Flags of the commands that choose records. */
export interface FilterFlags extends CommonFlags {
  readonly agent?: string;
  readonly server?: string;
  readonly tool?: string;
  readonly outcome?: string;
  readonly since?: string;
  readonly until?: string;
}

export interface ChosenRecords {
  readonly filter: CompiledFilter;
  /** Epoch milliseconds. */
  readonly since: number | undefined;
  readonly until: number | undefined;
  /** True when every record is wanted. */
  readonly everything: boolean;
}

/** Throws an OperatorError (exit 2) for a time that cannot be read. */
export function chosenBy(flags: FilterFlags, text?: string): ChosenRecords {
  const { agent, server, tool, outcome } = flags;
  const now = Date.now();
  const since = flags.since === undefined ? undefined : parseMoment('--since', flags.since, now);
  const until = flags.until === undefined ? undefined : parseMoment('--until', flags.until, now);
  const wanted = { agent, server, tool, outcome, text, since, until };
  return {
    filter: compileFilter(wanted),
    since,
    until,
    everything: Object.values(wanted).every((value) => value === undefined),
  };
}
