import { exitCode, OperatorError } from '../../../shared/errors.ts';
import type { CommonFlags } from '../flags.ts';
import { runningMcp } from '../running.ts';
import { startShim } from '../stdio/start.ts';

export interface StdioFlags extends CommonFlags {
  readonly url?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly wait?: string | undefined;
}

/** `toolbus stdio`: an MCP server on stdin and stdout that is an ingress elsewhere. Exit code 3 or 4 when it never let us in. */
export async function runStdio(flags: StdioFlags): Promise<number> {
  const url = flags.url ?? (process.env['TOOLBUS_URL'] || undefined) ?? (await runningMcp(flags, process.env));
  if (url === undefined) {
    throw new OperatorError(exitCode.usage, 'which toolbus? Give --url', {
      hint: 'for example: toolbus stdio --url http://127.0.0.1:8080/mcp',
    });
  }
  return startShim({ url, keyFile: flags.keyFile, wait: flags.wait, env: process.env });
}
