import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import type { RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import { createSecureContext } from 'node:tls';
import type { Config } from '../../../shared/config/schema.ts';
import { exitCode, OperatorError } from '../../../shared/errors.ts';
import type { Logger } from '../../../shared/log.ts';

export type TlsFiles = NonNullable<Config['tls']>;

/** The certificate of the listener: read at start, and again when its files or their names change. */
export interface Certificate {
  /** An HTTPS server that always has the newest certificate. Durations in milliseconds. */
  server(handler: RequestListener, timeouts: ServerTimeouts): Server;
  /** Takes other files from now on. */
  use(files: TlsFiles): void;
  close(): void;
}

export interface ServerTimeouts {
  readonly requestMs: number;
  readonly headersMs: number;
  readonly keepAliveMs: number;
  /** Bytes of request line and headers together. */
  readonly maxHeaderSize: number;
}

interface Pem {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Looking is cheap, and sees what tools do that swap a symbolic link or write over a network file system. */
const lookMs = 2_000;

/** Throws an OperatorError when the files cannot be read or do not fit together. A later pair that does not is logged, and the old one stays. */
export function openCertificate(initial: TlsFiles, log: Logger): Certificate {
  const servers = new Set<Server>();
  let files = initial;
  let pem = read(files);

  const renew = () => {
    try {
      const next = read(files);
      if (next.cert.equals(pem.cert) && next.key.equals(pem.key)) return;
      for (const server of servers) server.setSecureContext({ ...secure, ...next });
      pem = next;
      log.info('the TLS certificate was renewed');
    } catch (error) {
      log.error({ err: error }, 'the changed TLS certificate is refused; the old one stays');
    }
  };
  const watch = () => {
    for (const file of [files.cert, files.key]) watchFile(file, { interval: lookMs, persistent: false }, renew);
  };
  const unwatch = () => {
    for (const file of [files.cert, files.key]) unwatchFile(file, renew);
  };
  watch();

  return {
    server(handler, { requestMs, headersMs, keepAliveMs, maxHeaderSize }) {
      const server = createServer(
        {
          ...secure,
          ...pem,
          requestTimeout: requestMs,
          headersTimeout: headersMs,
          keepAliveTimeout: keepAliveMs,
          maxHeaderSize,
          connectionsCheckingInterval: 1_000,
        },
        handler,
      );
      servers.add(server);
      return server;
    },
    use(next) {
      if (next.cert === files.cert && next.key === files.key) return;
      unwatch();
      files = next;
      watch();
      renew();
    },
    close: unwatch,
  };
}

const secure = { minVersion: 'TLSv1.2' } as const;

function read(files: TlsFiles): Pem {
  const pem = { cert: readPem('tls.cert', files.cert), key: readPem('tls.key', files.key) };
  try {
    createSecureContext(pem);
  } catch (error) {
    throw new OperatorError(exitCode.usage, 'tls: the certificate and the key cannot be used together', {
      cause: error,
    });
  }
  return pem;
}

function readPem(setting: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : 'unknown cause';
    throw new OperatorError(exitCode.usage, `${setting}: cannot be read: ${why}`, { cause: error });
  }
}
