import type { AuditEntry, Recorded } from '../../../shared/audit/record.ts';
import type { AgentRequest } from '../request.ts';
import { doorEntry, refusalEntry } from './entries.ts';

/** Records refused requests, so that nobody who is refused can fill the stream. */
export interface Refusals {
  /** Before a request was read: one record per address, reason and second, with their number. */
  atDoor(address: string, reason: string, detail: string, status: number): void;
  /** Of an authenticated agent: each one, up to some per reason and second, then their number. */
  ofRequest(request: AgentRequest, reason: string, code: number | undefined, args: () => Recorded | undefined): void;
  /** Records what was only counted so far. */
  flush(): void;
}

/** Different addresses and reasons that are told apart within a second; further ones share one record each. */
const maxKeys = 64;
/** Refusals of one agent for one reason that are recorded singly within a second. */
const maxSingle = 16;
const everyAddress = '*';

interface DoorCount {
  readonly address: string;
  readonly reason: string;
  readonly detail: string;
  readonly status: number;
  count: number;
}

interface AgentCount {
  count: number;
  /** The last one that was only counted. */
  last: { readonly request: AgentRequest; readonly reason: string; readonly code: number | undefined } | undefined;
}

/** `flush` is to be called once a second. */
export function createRefusals(note: (entry: AuditEntry) => void): Refusals {
  let door = new Map<string, DoorCount>();
  let agents = new Map<string, AgentCount>();

  return {
    atDoor(address, reason, detail, status) {
      const known = door.get(`${address}\n${reason}`);
      if (known !== undefined) {
        known.count += 1;
        return;
      }
      const shared = door.size < maxKeys ? address : everyAddress;
      const key = `${shared}\n${reason}`;
      const entry = door.get(key) ?? { address: shared, reason, detail, status, count: 0 };
      entry.count += 1;
      door.set(key, entry);
    },
    ofRequest(request, reason, code, args) {
      const own = `${request.principal.id}\n${reason}`;
      const key = agents.has(own) || agents.size < maxKeys ? own : `*\n${reason}`;
      const known = agents.get(key) ?? { count: 0, last: undefined };
      agents.set(key, known);
      if (known.count < maxSingle) {
        known.count += 1;
        note(refusalEntry(request, { reason, count: 1, code, arguments: args() }));
        return;
      }
      known.count += 1;
      known.last = { request, reason, code };
    },
    flush() {
      if (door.size > 0) {
        for (const { address, reason, detail, status, count } of door.values()) {
          note(doorEntry(address, reason, detail, status, count));
        }
        door = new Map();
      }
      if (agents.size > 0) {
        for (const { count, last } of agents.values()) {
          if (last !== undefined) {
            note(refusalEntry(last.request, { reason: last.reason, code: last.code, count: count - maxSingle }));
          }
        }
        agents = new Map();
      }
    },
  };
}
