import { fileURLToPath } from 'node:url';
import { compileFixture } from './compiled-fixture.ts';
import { startProcess } from './processes.ts';

export type FixtureName =
  | 'conformance-v1'
  | 'conformance-v2'
  | 'notebook'
  | 'scripted-upstream'
  | 'hostile-upstream'
  | 'versioned-shop';

export interface Fixture {
  /** Its endpoint, with `127.0.0.1`. */
  readonly url: string;
  readonly pid: number;
  signal(signal: NodeJS.Signals): void;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface FixtureOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Command line that runs a fixture, for the `command` and `args` of a stdio server. */
export function fixtureCommand(name: FixtureName, args: readonly string[] = []): { command: string; args: string[] } {
  return { command: process.execPath, args: [compileFixture(name), ...args] };
}

/** Starts a fixture server on a free port of 127.0.0.1. */
export async function startFixture(name: FixtureName, options: FixtureOptions = {}): Promise<Fixture> {
  const started = await startProcess({
    ...fixtureCommand(name, options.args),
    cwd: root,
    env: { PORT: '0', ...options.env },
    ready: (line) => /^listening (http:\S+)$/.exec(line)?.[1],
  });
  return {
    url: started.ready,
    pid: started.pid,
    signal: started.signal,
    async [Symbol.asyncDispose]() {
      await started.stop(0);
    },
  };
}
