import { createReadStream } from 'node:fs';
import { appendFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { exitCode, OperatorError } from '../../../shared/errors.ts';
import { isJsonObject, type JsonObject } from '../../../shared/mcp/json.ts';
import type { RecordFilter } from '../record-filter.ts';
import type { CatalogChange } from './catalog-changes.ts';
import type { ReplayedCall } from './compare.ts';
import type { SkippedCall } from './recorded-call.ts';

/** What a run was asked for, and how it went. */
export interface RunFacts {
  readonly run: string;
  readonly startedAt: string;
  /** Which records; times in epoch milliseconds. */
  readonly filter: Omit<RecordFilter, 'server' | 'text' | 'call'>;
  /** Recorded server → server that is asked; empty: all, each to itself. */
  readonly servers: Readonly<Record<string, string>>;
  /** URL of another toolbus; absent: the running servers. */
  readonly to?: string | undefined;
  readonly speed: string;
  /** Also tools that may change something. */
  readonly all: boolean;
  /** In addition to the rules of the configuration. */
  readonly ignore: readonly string[];
  /** How what servers offer has changed since. */
  readonly catalog: readonly CatalogChange[];
  readonly finishedAt?: string | undefined;
}

export type RunResult = ReplayedCall | SkippedCall;

/** A replay kept in a directory: `run.json`, and `results.ndjson` with a line for each call. */
export interface RunStore {
  readonly facts: RunFacts;
  /** Written when it resolves: a run that is cut off goes on from here. */
  add(result: RunResult): Promise<void>;
  update(facts: Partial<RunFacts>): Promise<void>;
}

const safeName = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

function directoryOf(root: string, run: string): string {
  if (!safeName.test(run)) throw unknownRun(run, root);
  return join(root, run);
}

/** Begins a run under `root`. */
export async function createRun(root: string, facts: RunFacts): Promise<RunStore> {
  const directory = directoryOf(root, facts.run);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const store = storeIn(directory, facts);
  await store.update({});
  return store;
}

/** Opens a run to go on with it. `done` holds the calls that have a result. Throws an OperatorError (exit 2) for a run that is not there. */
export async function resumeRun(root: string, run: string): Promise<{ store: RunStore; done: ReadonlySet<string> }> {
  const facts = await readFacts(root, run);
  const done = new Set<string>();
  for await (const result of readResults(root, run)) done.add(result.call);
  return { store: storeIn(directoryOf(root, run), facts), done };
}

export async function readFacts(root: string, run: string): Promise<RunFacts> {
  const file = join(directoryOf(root, run), 'run.json');
  let facts: unknown;
  try {
    facts = JSON.parse(await readFile(file, 'utf8'));
  } catch {
    throw unknownRun(run, root, await namesIn(root));
  }
  if (!isJsonObject(facts) || typeof facts['run'] !== 'string') throw unknownRun(run, root);
  return facts as JsonObject & RunFacts;
}

/** The results of a run in the order in which they came; a line that was cut off by a crash is passed over. */
export async function* readResults(root: string, run: string): AsyncIterable<RunResult> {
  const file = createReadStream(join(directoryOf(root, run), 'results.ndjson'));
  try {
    for await (const line of createInterface({ input: file, crlfDelay: Number.POSITIVE_INFINITY })) {
      const result = parse(line);
      if (result !== undefined) yield result;
    }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}

function storeIn(directory: string, first: RunFacts): RunStore {
  let facts = first;
  return {
    get facts() {
      return facts;
    },
    add: (result) => appendFile(join(directory, 'results.ndjson'), `${JSON.stringify(result)}\n`, { mode: 0o600 }),
    async update(changed) {
      facts = { ...facts, ...changed };
      await writeFile(join(directory, 'run.json'), `${JSON.stringify(facts, undefined, 2)}\n`, { mode: 0o600 });
    },
  };
}

function parse(line: string): RunResult | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isJsonObject(value) && typeof value['call'] === 'string' ? (value as JsonObject & RunResult) : undefined;
  } catch {
    return undefined;
  }
}

async function namesIn(root: string): Promise<string[]> {
  return readdir(root).catch(() => []);
}

function unknownRun(run: string, root: string, known: readonly string[] = []): OperatorError {
  return new OperatorError(exitCode.usage, `there is no replay ${JSON.stringify(run)} in ${root}`, {
    hint: known.length === 0 ? '`toolbus audit replay` makes one' : `there are: ${known.slice(-5).join(', ')}`,
  });
}
