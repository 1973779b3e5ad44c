import { createHash } from 'node:crypto';
import type { Logger } from 'pino';
import { isJsonObject, type JsonObject } from '../../../shared/mcp/json.ts';
import type { CacheHint, Manifest } from '../../../shared/mcp/manifest.ts';
import { type HeaderParam, scanHeaderParams } from '../../../shared/mcp/mcp-headers.ts';
import type { Era } from '../../../shared/mcp/revisions.ts';
import { limits } from './limits.ts';
import {
  type FetchedList,
  fetchList,
  type ListSpec,
  mergeCache,
  promptsSpec,
  resourcesSpec,
  templatesSpec,
  toolsSpec,
} from './lists.ts';
import type { ListKind, Session } from './session.ts';
import { clean } from './text-tail.ts';

export interface ManifestKeeperOptions {
  readonly server: string;
  readonly log: Logger;
  onManifest(manifest: Manifest): void;
}

/** Knows what the server offers: lists everything after a connect, lists again what has changed, and tells when the whole is another. */
export interface ManifestKeeper {
  /** Lists everything over this session, and what changes from now on. Never rejects: what fails keeps its last state. */
  discover(session: Session, eras: readonly Era[]): Promise<void>;
  /** A `list_changed`: several within a few milliseconds are one. */
  changed(kind: ListKind): void;
  /** Lists the tools at once. Rejects when that fails. */
  refreshTools(): Promise<void>;
  headerParams(tool: string): readonly HeaderParam[];
  /** The server runs this tool as a task only (2025-11-25, basic/utilities/tasks). */
  needsTask(tool: string): boolean;
  close(): void;
}

const kinds: readonly ListKind[] = ['tools', 'prompts', 'resources'];
const specs: Readonly<Record<ListKind, readonly ListSpec[]>> = {
  tools: [toolsSpec],
  prompts: [promptsSpec],
  resources: [resourcesSpec, templatesSpec],
};
const noParams: readonly HeaderParam[] = [];
const retryMs = 5_000;
const maxRetries = 5;

export function createManifestKeeper({ server, log, onManifest }: ManifestKeeperOptions): ManifestKeeper {
  const lists = new Map<ListSpec, FetchedList>();
  const dirty = new Set<ListKind>();
  let headerParams: ReadonlyMap<string, readonly HeaderParam[]> = new Map();
  let asTask: ReadonlySet<string> = new Set();
  let source: { readonly session: Session; readonly eras: readonly Era[] } | undefined;
  let timer: NodeJS.Timeout | undefined;
  let queue: Promise<unknown> = Promise.resolve();
  let retries = 0;
  let lastHash: string | undefined;

  function enqueue<T>(work: () => Promise<T>): Promise<T> {
    const done = queue.then(work);
    queue = done.catch(() => {});
    return done;
  }

  /** Lists one kind; false when a part of it failed. */
  async function fetchKind(session: Session, kind: ListKind): Promise<boolean> {
    if (!isJsonObject(session.introduction.capabilities[kind])) {
      for (const spec of specs[kind]) lists.delete(spec);
      return true;
    }
    let complete = true;
    for (const spec of specs[kind]) {
      try {
        const list = await fetchList(session, spec);
        lists.set(spec, spec === toolsSpec ? checkTools(session, list) : list);
        if (list.dropped > 0) log.warn({ server, list: spec.member, dropped: list.dropped }, 'list items left out');
      } catch (error) {
        complete = false;
        log.warn(
          { server, list: spec.member, error: error instanceof Error ? error.message : 'unknown' },
          'list failed',
        );
      }
    }
    return complete;
  }

  /** 2026-07-28, server/tools: a tool whose header annotations are invalid is left out, the others stay. */
  function checkTools(session: Session, list: FetchedList): FetchedList {
    if (session.era !== 'modern') {
      headerParams = new Map();
      const hasTasks = isJsonObject(session.introduction.capabilities['tasks']);
      asTask = new Set(hasTasks ? list.items.filter(runsAsTaskOnly).map((tool) => String(tool['name'])) : []);
      return list;
    }
    const declared = new Map<string, readonly HeaderParam[]>();
    const items = list.items.filter((tool) => {
      const scan = scanHeaderParams(tool['inputSchema']);
      if (scan.ok) {
        if (scan.params.length > 0) declared.set(String(tool['name']), scan.params);
        return true;
      }
      log.warn(
        { server, tool: clean(String(tool['name'])).slice(0, 128), why: clean(scan.why).slice(0, 200) },
        'tool left out',
      );
      return false;
    });
    headerParams = declared;
    return { ...list, items };
  }

  async function refresh(wanted: readonly ListKind[]): Promise<boolean> {
    const from = source;
    if (from === undefined) return true;
    const complete = await Promise.all(wanted.map((kind) => fetchKind(from.session, kind)));
    if (source !== from) return true;
    publish(from.session, from.eras);
    const failed = wanted.filter((_, at) => complete[at] === false);
    if (failed.length > 0 && retries < maxRetries) {
      retries += 1;
      for (const kind of failed) dirty.add(kind);
      arm(retryMs * retries);
    } else if (failed.length === 0) {
      retries = 0;
    }
    return failed.length === 0;
  }

  function publish({ introduction }: Session, eras: readonly Era[]): void {
    const items = (spec: ListSpec): readonly JsonObject[] => lists.get(spec)?.items ?? [];
    let cache: CacheHint | undefined = introduction.cache;
    for (const list of lists.values()) cache = mergeCache(cache, list.cache);
    const rest = {
      server,
      eras,
      protocolVersion: introduction.protocolVersion,
      serverInfo: introduction.serverInfo,
      capabilities: introduction.capabilities,
      ...(introduction.instructions !== undefined && { instructions: introduction.instructions }),
      tools: items(toolsSpec),
      prompts: items(promptsSpec),
      resources: items(resourcesSpec),
      resourceTemplates: items(templatesSpec),
      ...(cache !== undefined && { cache }),
    };
    const text = JSON.stringify(rest);
    if (text.length > limits.manifestBytes) {
      log.error({ server, bytes: text.length }, 'what the server offers is too large, the last state stays');
      return;
    }
    const hash = createHash('sha256').update(text).digest('hex');
    if (hash === lastHash) return;
    lastHash = hash;
    onManifest({ ...rest, hash });
  }

  function arm(delayMs: number): void {
    timer ??= setTimeout(() => {
      timer = undefined;
      const wanted = [...dirty];
      dirty.clear();
      void enqueue(() => refresh(wanted));
    }, delayMs).unref();
  }

  return {
    discover(session, eras) {
      source = { session, eras };
      retries = 0;
      dirty.clear();
      return enqueue(async () => {
        await refresh(kinds);
      });
    },
    changed(kind) {
      dirty.add(kind);
      arm(limits.listChangedDebounceMs);
    },
    refreshTools: () =>
      enqueue(async () => {
        if (!(await refresh(['tools']))) throw new Error('the tools could not be listed');
      }),
    headerParams: (tool) => headerParams.get(tool) ?? noParams,
    needsTask: (tool) => asTask.has(tool),
    close() {
      clearTimeout(timer);
      source = undefined;
    },
  };
}

function runsAsTaskOnly({ execution }: JsonObject): boolean {
  return isJsonObject(execution) && execution['taskSupport'] === 'required';
}
