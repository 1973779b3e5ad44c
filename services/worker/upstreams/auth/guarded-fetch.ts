import { type LookupAddress, type LookupOptions, lookup as systemLookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { Agent, type Dispatcher, fetch as undiciFetch } from 'undici';
import { createIsPublic } from './public-address.ts';
import { EgressRefused } from './refusal-of.ts';

/** What the SDK's OAuth functions take as their `fetchFn`. */
export type FetchLike = (url: string | URL, init?: RequestInit) => Promise<Response>;

export interface GuardedFetch {
  readonly fetch: FetchLike;
  close(): Promise<void>;
}

export interface GuardedFetchOptions {
  /** Origins that the configuration names. They may be anywhere, and without TLS where the configuration says so. */
  readonly trusted: ReadonlySet<string>;
  /** As `dns.lookup`; for tests. */
  readonly lookup?: LookupFunction | undefined;
}

const timeoutMs = 5_000;
const maxBytes = 1 << 20;

/**
 * A fetch for addresses that a server may have named (OAuth metadata): https only, resolved once, connected to only if every answer
 * is an address of the internet, no redirect, 1 MiB in 5 s. A server could otherwise make us ask things of our own network for it (SSRF).
 * Rejects with an Error whose message holds nothing of the answer.
 */
export function createGuardedFetch({ trusted, lookup = systemLookup }: GuardedFetchOptions): GuardedFetch {
  const isPublic = createIsPublic();
  const limits = { headersTimeout: timeoutMs, bodyTimeout: timeoutMs };
  const anywhere = new Agent({ ...limits, connect: { timeout: timeoutMs, lookup } });
  const outside = new Agent({ ...limits, connect: { timeout: timeoutMs, lookup: publicOnly(lookup, isPublic) } });

  function route(url: URL): Dispatcher {
    if (url.username !== '' || url.password !== '') throw new EgressRefused('an address with a user name');
    if (trusted.has(url.origin)) return anywhere;
    if (url.protocol !== 'https:') throw new EgressRefused('an address that is not https');
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
    // Literal addresses are connected to without a lookup.
    if (isIP(host) !== 0 && !isPublic(host)) throw new EgressRefused('an address that is not public');
    return outside;
  }

  return {
    async fetch(given, init = {}) {
      const url = new URL(given);
      const response = await undiciFetch(url, {
        method: init.method ?? 'GET',
        headers: Object.fromEntries(new Headers(init.headers)),
        body: bodyOf(init.body),
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMs),
        dispatcher: route(url),
      });
      if (response.status >= 300 && response.status < 400) {
        await response.body?.cancel();
        throw new EgressRefused('a redirect, which is refused');
      }
      const chunks: Uint8Array[] = [];
      let size = 0;
      for await (const chunk of response.body ?? []) {
        size += chunk.byteLength;
        if (size > maxBytes) throw new EgressRefused('an answer of more than 1 MiB');
        chunks.push(chunk);
      }
      const { status } = response;
      const body = status === 204 || status === 304 ? null : Buffer.concat(chunks);
      return new Response(body, { status, headers: [...response.headers] });
    },
    async close() {
      await Promise.all([anywhere.destroy(), outside.destroy()]);
    },
  };
}

/** The OAuth functions send forms. */
function bodyOf(body: unknown): string | null {
  if (body === undefined || body === null) return null;
  if (typeof body === 'string') return body;
  if (body instanceof URLSearchParams) return body.toString();
  throw new EgressRefused('a body that is no form');
}

/** The addresses that were checked are those that are connected to: a name that changes its mind in between gains nothing. */
function publicOnly(lookup: LookupFunction, isPublic: (address: string) => boolean): LookupFunction {
  return (hostname, options: LookupOptions, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, '', 0);
      const addresses = found as LookupAddress[] | string;
      const list = typeof addresses === 'string' ? [{ address: addresses, family: isIP(addresses) }] : addresses;
      const [first] = list;
      if (first === undefined || !list.every(({ address }) => isPublic(address))) {
        return callback(new EgressRefused('a name that leads to an address which is not public'), '', 0);
      }
      if (options.all === true) callback(null, list);
      else callback(null, first.address, first.family);
    });
  };
}
