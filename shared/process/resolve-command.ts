import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, extname, isAbsolute, join, resolve } from 'node:path';
import { exitCode, OperatorError } from '../errors.ts';

export interface CommandLookup {
  readonly command: string;
  /** The child's environment: its PATH counts, not ours. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string | undefined;
}

/**
 * The absolute path of the program that `command` starts: as `execvp` finds it, on the child's PATH and from its directory.
 * Throws an `OperatorError` that says where was looked, so that nobody has to read a bare ENOENT.
 */
export function resolveCommand({ command, env, cwd }: CommandLookup): string {
  const directory = resolve(cwd ?? '.');
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
    throw new OperatorError(exitCode.unreachable, `the working directory ${directory} does not exist`);
  }
  const isPath = command.includes('/') || (process.platform === 'win32' && command.includes('\\'));
  const searched = isPath ? [directory] : searchPath(env);
  let refused: string | undefined;
  for (const folder of searched) {
    for (const candidate of spellings(isAbsolute(command) ? command : resolve(directory, folder, command), env)) {
      const found = inspect(candidate);
      if (found === 'runs') return candidate;
      if (found === 'refused') refused ??= candidate;
    }
  }
  if (refused !== undefined) {
    throw new OperatorError(exitCode.unreachable, `${refused} is not executable`, { hint: `chmod +x ${refused}` });
  }
  throw new OperatorError(exitCode.unreachable, `command not found: ${command}`, {
    hint: isPath ? `looked from ${directory}` : `looked on PATH: ${searched.join(delimiter)}`,
  });
}

function searchPath(env: Readonly<Record<string, string>>): string[] {
  // The default of execvp for a child without PATH.
  const path = env['PATH'] ?? env['Path'] ?? (process.platform === 'win32' ? '' : '/usr/bin:/bin');
  // An empty entry means the current directory (POSIX); nobody intends it, but the exec would find it there.
  return path.split(delimiter).map((entry) => entry || '.');
}

function spellings(path: string, env: Readonly<Record<string, string>>): string[] {
  if (process.platform !== 'win32' || extname(path) !== '') return [path];
  return (env['PATHEXT'] ?? '.COM;.EXE;.BAT;.CMD').split(';').map((extension) => join(`${path}${extension}`));
}

function inspect(path: string): 'runs' | 'refused' | 'absent' {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return 'absent';
  try {
    accessSync(path, constants.X_OK);
    return 'runs';
  } catch {
    return 'refused';
  }
}
