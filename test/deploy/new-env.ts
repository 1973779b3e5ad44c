import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from './compose-file.ts';

/** The variables that deploy/compose/new-env.js makes, by running it. */
export function newEnv(): Record<string, string> {
  const text = execFileSync(process.execPath, [join(root, 'deploy/compose/new-env.js')], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}
