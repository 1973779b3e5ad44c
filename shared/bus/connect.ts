import { readFile } from 'node:fs/promises';
import { connect, credsAuthenticator, type NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import { exitCode, OperatorError } from '../errors.ts';
import { inboxOf } from './roles.ts';

export interface BusAddress {
  /** What this NATS is called in files that outlive its address; absent: its hosts. */
  readonly alias?: string | undefined;
  /** `nats://host:port`, several separated by commas; user and password may stand in the URL. */
  readonly url: string;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** Path of a NATS .creds file. */
  readonly credentials?: string | undefined;
  /** First tokens of the subjects at which answers come; NATS permissions may ask for a certain one. Default: `inboxOf` the user. */
  readonly inboxPrefix?: string | undefined;
  readonly tls?: BusTls | undefined;
}

/** Paths of PEM files. `ca`: who signed the server's certificate; `cert` and `key`: who we are. */
export interface BusTls {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

export interface ConnectOptions extends BusAddress {
  /** Shown by `nats server report connections`: `toolbus ingress ab12… calls`. */
  readonly name: string;
  readonly log: Logger;
}

/** How long the first connection may take before the start fails, in milliseconds. */
const firstConnectMs = 5_000;

/**
 * A NATS connection that never gives up: pings every 2 s notice a dead peer in 6 s, reconnects go on for ever with jitter.
 * Throws OperatorError (exit code 4) when the first connection fails.
 */
export async function connectBus(options: ConnectOptions): Promise<NatsConnection> {
  const { servers, user, password } = splitUrls(options);
  // A server without TLS must not make the client go on in the clear.
  const wantsTls = options.tls !== undefined || servers.some((server) => server.startsWith('tls:'));
  const inboxPrefix = options.inboxPrefix ?? (user === undefined ? undefined : inboxOf(user));
  const credentials = options.credentials === undefined ? undefined : await readFile(options.credentials);
  try {
    const nc = await within(
      firstConnectMs,
      connect({
        servers,
        ...(user === undefined ? {} : { user, pass: password ?? '' }),
        ...(credentials === undefined ? {} : { authenticator: credsAuthenticator(credentials) }),
        ...(inboxPrefix === undefined ? {} : { inboxPrefix }),
        ...(wantsTls ? { tls: tlsOf(options.tls ?? {}) } : {}),
        name: options.name,
        timeout: firstConnectMs,
        pingInterval: 2_000,
        maxPingOut: 2,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 200,
        reconnectJitter: 300,
        ignoreAuthErrorAbort: true,
        // Without this the client builds an Error with a stack for every request (a third of the ingress' CPU).
        noAsyncTraces: true,
      }),
    );
    follow(nc, options);
    return nc;
  } catch (error) {
    throw new OperatorError(
      exitCode.unreachable,
      `cannot reach NATS at ${withoutUserInfo(servers)}: ${messageOf(error)}`,
      {
        cause: error,
        hint: 'check --nats / NATS_URL and its credentials, or leave both out to let toolbus start its own nats-server',
      },
    );
  }
}

/** The files are read again by the client at each reconnection, so a renewed certificate needs no restart. */
function tlsOf({ ca, cert, key }: BusTls) {
  return {
    ...(ca === undefined ? {} : { caFile: ca }),
    ...(cert === undefined ? {} : { certFile: cert }),
    ...(key === undefined ? {} : { keyFile: key }),
  };
}

/** A cluster that refuses our credentials makes the client try its members for ever. */
async function within(ms: number, connecting: Promise<NatsConnection>): Promise<NatsConnection> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no connection within ${ms / 1000} s`));
      connecting.then((nc) => nc.close()).catch(() => undefined);
    }, ms);
  });
  return Promise.race([connecting, late]).finally(() => clearTimeout(timer));
}

/** Messages, never credentials: a URL may carry them. */
function withoutUserInfo(servers: readonly string[]): string {
  return servers.map((server) => server.replace(/\/\/[^@/]*@/, '//')).join(', ');
}

function splitUrls(address: BusAddress): { servers: string[]; user: string | undefined; password: string | undefined } {
  let { user, password } = address;
  const servers: string[] = [];
  for (const part of address.url.split(',').map((text) => text.trim())) {
    if (part === '') continue;
    let url: URL;
    try {
      url = new URL(part.includes('://') ? part : `nats://${part}`);
    } catch {
      throw new OperatorError(exitCode.usage, `not a NATS URL: ${withoutUserInfo([part])}`, {
        hint: 'expected nats://host:port',
      });
    }
    if (url.username !== '') {
      user ??= decodeURIComponent(url.username);
      password ??= decodeURIComponent(url.password);
    }
    servers.push(`${url.protocol}//${url.host}`);
  }
  if (servers.length === 0)
    throw new OperatorError(exitCode.usage, 'the NATS URL is empty', { hint: 'expected nats://host:port' });
  return { servers, user, password };
}

function follow(nc: NatsConnection, options: ConnectOptions): void {
  void (async () => {
    for await (const status of nc.status()) {
      if (
        status.type === 'disconnect' ||
        status.type === 'reconnect' ||
        status.type === 'error' ||
        status.type === 'staleConnection'
      ) {
        options.log.warn({ connection: options.name, status: status.type }, 'nats connection status');
      }
    }
  })();
}

/** Names a NATS by its alias or by its hosts, never by credentials. */
export function nameOfBus(address: BusAddress): string {
  return address.alias ?? [...splitUrls(address).servers].sort().join(',');
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export type { NatsConnection };
