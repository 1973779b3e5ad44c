import type { IncomingMessage, ServerResponse } from 'node:http';
import { identityOf } from '../../../shared/mcp/call.ts';
import { mcpHeader } from '../../../shared/mcp/mcp-headers.ts';
import type { Admitted } from '../access/admit.ts';

/** Streams that stand open by themselves: those opened with GET, and `subscriptions/listen`. Answers to calls are none: they may finish. */
export interface Standing {
  /** Takes note of an admitted request: of its stream, if it is to be one, and of a token that is newer than that of streams of its principal. */
  note(admitted: Admitted, req: IncomingMessage, res: ServerResponse): void;
  /** Ends the streams of those who would not be admitted any more. */
  review(holds: (admitted: Admitted) => boolean): void;
  close(): void;
}

interface Stream {
  readonly admitted: Admitted;
  readonly res: ServerResponse;
}

/** The streams of one principal. */
interface Group {
  /** Until when the newest proof of it counts, in epoch milliseconds. */
  endsAt: number;
  readonly streams: Set<Stream>;
}

const lookMs = 1_000;

/** `now` gives epoch milliseconds. */
export function createStanding(now: () => number = Date.now): Standing {
  const groups = new Map<string, Group>();
  let timer: NodeJS.Timeout | undefined;

  /** A stream outlives the token it was opened with as long as its agent goes on to show newer ones: tokens live for minutes. */
  const look = () => {
    const time = now();
    let finite = false;
    for (const group of groups.values()) {
      if (time >= group.endsAt) for (const { res } of group.streams) res.end();
      finite ||= Number.isFinite(group.endsAt);
    }
    if (finite) return;
    clearInterval(timer);
    timer = undefined;
  };

  return {
    note(admitted, req, res) {
      const stands = req.method === 'GET' || req.headers[mcpHeader.method] === 'subscriptions/listen';
      if (groups.size === 0 && !stands) return;
      const { endsAt } = admitted.credential;
      const key = `${admitted.principal.method}\0${identityOf(admitted.principal)}`;
      const known = groups.get(key);
      if (known !== undefined) known.endsAt = Math.max(known.endsAt, endsAt);
      if (!stands) return;
      const group: Group = known ?? { endsAt, streams: new Set() };
      groups.set(key, group);
      const stream: Stream = { admitted, res };
      group.streams.add(stream);
      if (Number.isFinite(group.endsAt)) timer ??= setInterval(look, lookMs).unref();
      res.once('close', () => {
        group.streams.delete(stream);
        if (group.streams.size === 0 && groups.get(key) === group) groups.delete(key);
      });
    },
    review(holds) {
      for (const { streams } of groups.values()) {
        for (const { admitted, res } of streams) if (!holds(admitted)) res.end();
      }
    },
    close() {
      clearInterval(timer);
      groups.clear();
    },
  };
}
