import { spawn } from 'node:child_process';
import { conformanceSuite, node24 } from '../helpers/external-tools.ts';

export interface SuiteRun {
  /** −1 when it was ended because it took too long. */
  readonly code: number;
  /** What it wrote to stdout and stderr. */
  readonly text: string;
}

/** Runs the MCP conformance suite to its end, or for `timeoutMs`. Rejects only when it could not be started. */
export async function runSuite(args: readonly string[], timeoutMs: number): Promise<SuiteRun> {
  const [node, suite] = await Promise.all([node24(), conformanceSuite()]);
  return new Promise((resolve, reject) => {
    const child = spawn(node, [suite, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? -1, text: Buffer.concat(chunks).toString('utf8') }));
  });
}
