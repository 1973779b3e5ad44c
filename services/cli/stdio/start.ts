import { exitCode, OperatorError } from '../../../shared/errors.ts';
import { openKey } from './key.ts';
import { runShim, type ShimOutcome } from './shim.ts';

export interface StartShimOptions {
  readonly url: string;
  readonly keyFile?: string | undefined;
  /** How many seconds a request waits for a gateway that cannot be reached; default 15. */
  readonly wait?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
}

const codes: Readonly<Record<ShimOutcome, number>> = {
  ok: exitCode.ok,
  unauthorized: exitCode.unauthorized,
  unreachable: exitCode.unreachable,
};

/**
 * Runs the shim on this process' stdin and stdout until stdin ends or a signal comes; resolves with the exit code. Throws OperatorError
 * for a bad URL or key. Needs nothing but Node, so that the .mcpb bundle can be this and no more.
 */
export async function startShim({ url: text, keyFile, wait, env }: StartShimOptions): Promise<number> {
  const url = endpointOf(text);
  const patienceMs = patienceOf(wait);
  const key = openKey(keyFile, env['TOOLBUS_API_KEY']);
  const say = (line: string) => void process.stderr.write(`toolbus stdio: ${line}\n`);
  if (url.protocol === 'http:' && key.current() !== undefined && !isLoopback(url.hostname)) {
    say(`the key travels to ${url.host} in clear text; use https`);
  }
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stop.abort());
  const { stdin, stdout } = process;
  return codes[await runShim({ url, key, stdin, stdout, say, patienceMs, stop: stop.signal })];
}

function endpointOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new OperatorError(exitCode.usage, 'the URL of toolbus must begin with http:// or https://', {
      hint: 'for example: toolbus stdio --url http://127.0.0.1:8080/mcp',
    });
  }
  if (url.username !== '' || url.password !== '') {
    throw new OperatorError(exitCode.usage, 'the URL of toolbus must not hold a password', {
      hint: 'the key comes from TOOLBUS_API_KEY or --key-file',
    });
  }
  if (url.pathname === '/') url.pathname = '/mcp';
  return url;
}

function patienceOf(seconds: string | undefined): number | undefined {
  if (seconds === undefined) return undefined;
  if (/^\d{1,5}(\.\d{1,3})?$/.test(seconds)) return Number(seconds) * 1000;
  throw new OperatorError(exitCode.usage, '--wait must be a number of seconds');
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}
