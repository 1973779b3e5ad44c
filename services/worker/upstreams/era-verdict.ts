import { type Era, eraOf } from '../../../shared/mcp/revisions.ts';
import { limits } from './limits.ts';

/** What a probe found out about a server, and when. */
export interface EraVerdict {
  readonly eras: readonly Era[];
  readonly transport: 'stdio' | 'http' | 'sse';
  /** Epoch milliseconds. */
  readonly at: number;
}

/** Where a verdict outlives the process; the caller's. */
export interface EraCache {
  get(): EraVerdict | undefined;
  set(verdict: EraVerdict | undefined): void;
}

/** The verdict where there is one young enough to be trusted. */
export function freshVerdict(cache: EraCache | undefined, now = Date.now()): EraVerdict | undefined {
  const verdict = cache?.get();
  if (verdict === undefined || verdict.eras.length === 0) return undefined;
  return now - verdict.at < limits.verdictMs && verdict.at <= now ? verdict : undefined;
}

/** A call is sent in the agent's own era where the server has it: then nothing needs translating. */
export function eraFor(eras: readonly Era[], agentRevision: string): Era {
  const own = eraOf(agentRevision);
  if (own !== undefined && eras.includes(own)) return own;
  return eras[0] ?? 'legacy';
}
