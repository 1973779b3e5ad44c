import { access } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { exitCode, OperatorError } from '../errors.ts';
import { toolbusRoot } from './packages.ts';

export interface Located {
  /** Absolute. */
  readonly file: string;
  /** It is the example that comes with toolbus. */
  readonly bundled: boolean;
}

export interface LocateOptions {
  readonly file?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly forUp: boolean;
}

/** The example that `toolbus up` runs when there is no configuration. */
export function bundledExample(): string {
  return join(toolbusRoot(), 'deploy', 'examples', 'laptop', 'toolbus.yaml');
}

/** Finds the configuration file in the order of CONTRACT §2. A file that was asked for is not looked for elsewhere. */
export async function locateConfig({ file, env, cwd, forUp }: LocateOptions): Promise<Located> {
  const asked = file ?? (env['TOOLBUS_CONFIG'] || undefined);
  if (asked !== undefined) return { file: resolve(cwd, asked), bundled: false };
  const places = [join(cwd, 'toolbus.yaml'), join(configHome(env), 'toolbus', 'toolbus.yaml')];
  for (const place of places) if (await exists(place)) return { file: place, bundled: false };
  if (forUp) return { file: bundledExample(), bundled: true };
  throw new OperatorError(exitCode.usage, `no configuration: looked for ${places.join(' and ')}`, {
    hint: 'name one with --config FILE; `toolbus up` alone runs a bundled example',
  });
}

function configHome(env: NodeJS.ProcessEnv): string {
  // The XDG specification says to ignore a relative path.
  const home = env['XDG_CONFIG_HOME'];
  return home?.startsWith('/') === true ? home : join(env['HOME'] || homedir(), '.config');
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
