import type { ServerConfig } from './schema.ts';

export const masked = '***';

/** A server's entry as it may be shown. */
export interface ShownServer {
  readonly transport: 'stdio' | 'http' | 'sse';
  readonly command?: string;
  readonly args?: readonly string[];
  readonly urls?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Transport and address of a server with every value of env and headers, every secret and every password in a URL masked. */
export function showServer(server: ServerConfig, secrets: readonly string[]): ShownServer {
  if (server.command !== undefined) {
    return {
      transport: 'stdio',
      command: maskText(server.command, secrets),
      args: maskArgs(server.args, secrets),
      ...(Object.keys(server.env).length > 0 && { env: maskValues(server.env) }),
    };
  }
  return {
    transport: server.type === 'sse' ? 'sse' : 'http',
    urls: [server.url ?? []].flat().map((url) => maskUrl(url, secrets)),
    ...(Object.keys(server.headers).length > 0 && { headers: maskValues(server.headers) }),
  };
}

/** The same names, no values. */
export function maskValues(record: Readonly<Record<string, string>>): Record<string, string> {
  const result: Record<string, string> = Object.create(null);
  for (const name of Object.keys(record)) result[name] = masked;
  return result;
}

/** Every occurrence of a secret replaced. `secrets`: longest first, as `loadConfig` has them. */
export function maskText(text: string, secrets: readonly string[]): string {
  return secrets.reduce((result, secret) => (secret === '' ? result : result.replaceAll(secret, masked)), text);
}

/** User name, password and values of the query masked; several addresses may stand with commas. */
export function maskUrl(text: string, secrets: readonly string[]): string {
  return maskText(text, secrets)
    .replace(/(^|\/\/|,)[^/?#,\s]*@/g, `$1${masked}@`)
    .replace(/([?&][^=&#]*)=[^&#]*/g, `$1=${masked}`);
}

const secretFlag = /^--?[\w-]*(?:key|token|secret|passw|credential|auth|bearer)[\w-]*/i;

function maskArgs(args: readonly string[], secrets: readonly string[]): string[] {
  return args.map((arg, index) => {
    const flag = secretFlag.exec(arg)?.[0];
    if (flag !== undefined) return arg.startsWith('=', flag.length) ? `${flag}=${masked}` : maskText(arg, secrets);
    const previous = args[index - 1];
    if (previous !== undefined && secretFlag.exec(previous)?.[0] === previous && !arg.startsWith('-')) return masked;
    return arg.includes('://') ? maskUrl(arg, secrets) : maskText(arg, secrets);
  });
}
