import type { AuditRecord } from '../../../shared/audit/record.ts';
import { isJsonObject } from '../../../shared/mcp/json.ts';

/** How the tools of a server changed between a recorded moment and now. */
export interface CatalogChange {
  readonly server: string;
  /** The server whose tools they are compared with. */
  readonly now: string;
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Description, schema or annotations differ. */
  readonly changed: readonly string[];
}

/** Tools by name, each with the digest of its definition. */
export type ToolDigests = ReadonlyMap<string, string>;

/** Keeps what each server offered when the first of its records was written: the last `catalog` event before, or else the first after. */
export interface RecordedCatalogs {
  add(record: AuditRecord): void;
  of(server: string): ToolDigests | undefined;
}

export function createRecordedCatalogs(): RecordedCatalogs {
  const known = new Map<string, ToolDigests>();
  const used = new Set<string>();
  return {
    add(record) {
      if (record.kind === 'intent') used.add(record.server);
      if (record.kind !== 'event' || record.event !== 'catalog') return;
      const { server, tools } = record.detail;
      if (typeof server !== 'string' || !isJsonObject(tools)) return;
      if (used.has(server) && known.has(server)) return;
      known.set(
        server,
        new Map(
          Object.entries(tools).flatMap(([name, digest]) => (typeof digest === 'string' ? [[name, digest]] : [])),
        ),
      );
    },
    of: (server) => known.get(server),
  };
}

/** Undefined where nothing differs. */
export function catalogChange(
  server: string,
  now: string,
  before: ToolDigests,
  after: ToolDigests,
): CatalogChange | undefined {
  const added = [...after.keys()].filter((name) => !before.has(name)).sort();
  const removed = [...before.keys()].filter((name) => !after.has(name)).sort();
  const changed = [...after]
    .flatMap(([name, digest]) => (before.has(name) && before.get(name) !== digest ? [name] : []))
    .sort();
  return added.length + removed.length + changed.length === 0 ? undefined : { server, now, added, removed, changed };
}
