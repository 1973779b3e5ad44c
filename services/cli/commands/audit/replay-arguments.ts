import { toolDigest } from '../../../../shared/audit/digest.ts';
import { exitCode, OperatorError } from '../../../../shared/errors.ts';
import { type CatalogChange, catalogChange } from '../../../audit/replay/catalog-changes.ts';
import type { Survey } from '../../../audit/replay/survey.ts';
import type { ReplayTarget } from './replay-target.ts';

/**
 * Reads `--server`: `RECORDED=ASKED` sends the calls of one server to another, `NAME` chooses the calls of that server. A NAME of which nothing is recorded
 * is where the calls of the only recorded server go, if it is `known`: `--server github-next`. Throws an OperatorError (exit 2) where that is not clear.
 */
export function destinations(
  values: readonly string[],
  recorded: readonly string[],
  known: (server: string) => boolean,
): Record<string, string> {
  const chosen: Record<string, string> = Object.create(null);
  for (const value of values) {
    const [from = '', to] = value.split('=', 2);
    const [only] = recorded;
    if (to !== undefined) chosen[from] = to;
    else if (recorded.includes(from)) chosen[from] = from;
    else if (recorded.length === 1 && only !== undefined && known(from)) chosen[only] = from;
    else {
      throw new OperatorError(
        exitCode.usage,
        `no call of the server ${JSON.stringify(from)} is recorded in this range`,
        {
          hint:
            recorded.length === 0
              ? 'no call is recorded in it at all; widen it with --since'
              : `to send the calls of another server there: --server ${recorded[0]}=${from}`,
        },
      );
    }
  }
  return chosen;
}

/** `original` is 1, `max` does not wait, a number is that many times as fast. Throws an OperatorError (exit 2). */
export function factorOf(speed: string): number {
  if (speed === 'original') return 1;
  if (speed === 'max') return Number.POSITIVE_INFINITY;
  const factor = /^\d{1,6}(\.\d{1,3})?x?$/.test(speed) ? Number.parseFloat(speed) : 0;
  if (factor > 0) return factor;
  throw new OperatorError(exitCode.usage, '--speed is original, max, or a factor such as 10 or 0.5');
}

/** The endpoint of another toolbus, `/mcp` where only a host is given. Throws an OperatorError (exit 2). */
export function urlOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.username !== '') {
    throw new OperatorError(exitCode.usage, '--to is no http:// or https:// URL', {
      hint: 'the endpoint of another toolbus, such as http://127.0.0.1:8080/mcp; its key in TOOLBUS_API_KEY',
    });
  }
  if (url.pathname === '/') url.pathname = '/mcp';
  return url;
}

/** How the tools of the recorded servers differ from those that are asked now. Servers whose tools were not recorded are left out. */
export function catalogChanges({ servers, catalogs }: Survey, target: ReplayTarget): CatalogChange[] {
  return servers.flatMap((server) => {
    const before = catalogs.of(server);
    const now = target.serverFor(server);
    if (before === undefined || now === undefined) return [];
    const after = new Map(target.tools(now).map((tool) => [String(tool['name']), toolDigest(tool)]));
    return catalogChange(server, now, before, after) ?? [];
  });
}
