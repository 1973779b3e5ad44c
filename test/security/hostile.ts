import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fixtureCommand } from '../helpers/fixture.ts';

/** What the hostile fixture was asked to do. */
export interface JournalLine {
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
}

/** A hostile stdio server: its entry for a configuration, and the files that steer it. */
export interface Hostile extends Disposable {
  /** For `servers.NAME`. */
  readonly server: { readonly command: string; readonly args: readonly string[]; readonly env: object };
  /** What it lists from now on, as JSON text or as definitions. */
  setTools(tools: readonly object[] | string): void;
  /** Calls that reached it. */
  calls(): JournalLine[];
}

export interface HostileOptions {
  readonly tools: readonly object[] | string;
  readonly modern?: boolean;
}

export function hostileServer({ tools, modern = false }: HostileOptions): Hostile {
  const dir = mkdtempSync(join(tmpdir(), 'toolbus-hostile-'));
  const file = join(dir, 'tools.json');
  const journal = join(dir, 'journal');
  const setTools: Hostile['setTools'] = (next) =>
    writeFileSync(file, typeof next === 'string' ? next : JSON.stringify(next));
  setTools(tools);
  writeFileSync(journal, '');
  const env = { TOOLS_FILE: file, JOURNAL: journal, ...(modern ? { MODERN: '1' } : {}) };
  return {
    server: { ...fixtureCommand('hostile-upstream'), env },
    setTools,
    calls: () =>
      readFileSync(journal, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as JournalLine),
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  };
}

/** A tool that says back what it got. */
export function echoTool(name: string, rest: object = {}): object {
  return { name, description: `Says back what it got: ${name}.`, inputSchema: { type: 'object' }, ...rest };
}
