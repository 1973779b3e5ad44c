import { isIPv4 } from 'node:net';
import { LRUCache } from 'lru-cache';
import type { Config } from '../../../shared/config/schema.ts';
import { GatewayError } from '../../../shared/errors.ts';
import type { Principal } from '../../../shared/mcp/call.ts';
import { rateOf } from './rules.ts';
import { createTokenBucket, type Rate, type TokenBucket } from './token-bucket.ts';

/** Limits of HTTP requests at the door of one ingress, before a body is read: of agents and of addresses, of which there may be any number. */
export interface DoorLimits {
  /**
   * Of an address that has proven no credential while it used up its attempts: it is refused before anybody looks at what it brings
   * now. Undefined when it may knock.
   */
  beforeLooking(address: string): GatewayError | undefined;
  /** The address had no valid credential. The refusal takes the place of the 401; undefined while attempts are left. */
  failed(address: string): GatewayError | undefined;
  /** Who came in. Undefined when this agent (without a name: this address) may make a request now. */
  entered(principal: Principal, address: string): GatewayError | undefined;
  /** Refusals so far. */
  readonly refusals: { readonly unauthenticated: number; readonly requests: number };
}

interface Stranger {
  readonly bucket: TokenBucket;
  /** When somebody with a valid credential came from there, by the clock of this process. */
  provenAt: number;
}

/** Addresses and agents that are remembered at most; the one that was silent longest is forgotten first. */
const remembered = 10_000;
/** For so long after a valid credential an address is shared by good and bad: each one's credential is looked at. Milliseconds. */
const provenMs = 600_000;

/** `now` is in milliseconds of a monotonic clock. */
export function createDoorLimits(config: () => Config, now: () => number = () => performance.now()): DoorLimits {
  const strangers = new LRUCache<string, Stranger>({ max: remembered });
  const callers = new LRUCache<string, TokenBucket>({ max: remembered });
  const refusals = { unauthenticated: 0, requests: 0 };
  let inForce: Config | undefined;
  let ofStrangers: Rate | undefined;
  let ofCallers: Rate | undefined;

  function readConfig(): void {
    const next = config();
    if (next === inForce) return;
    inForce = next;
    const { unauthenticated, requests } = next.limits;
    ofStrangers = unauthenticated.rate === undefined ? undefined : rateOf(unauthenticated.rate, unauthenticated.burst);
    ofCallers = requests.rate === undefined ? undefined : rateOf(requests.rate, requests.burst);
    if (ofStrangers) for (const { bucket } of strangers.values()) bucket.setRate(now(), ofStrangers, 1);
    if (ofCallers) for (const bucket of callers.values()) bucket.setRate(now(), ofCallers, 1);
  }

  function refuseStranger(retryAfterMs: number): GatewayError {
    refusals.unauthenticated += 1;
    return new GatewayError('rate_limited', 'too many requests without a valid credential from this address', {
      retryAfterMs,
    });
  }

  return {
    refusals,
    beforeLooking(address) {
      if (strangers.size === 0) return undefined;
      readConfig();
      const stranger = strangers.get(networkOf(address));
      if (stranger === undefined || ofStrangers === undefined) return undefined;
      const at = now();
      const waitMs = stranger.bucket.waitMs(at);
      if (waitMs === 0 || at - stranger.provenAt < provenMs) return undefined;
      return refuseStranger(waitMs);
    },
    failed(address) {
      readConfig();
      if (ofStrangers === undefined) return undefined;
      const at = now();
      const network = networkOf(address);
      let stranger = strangers.get(network);
      if (stranger === undefined) {
        stranger = { bucket: createTokenBucket(ofStrangers, at), provenAt: Number.NEGATIVE_INFINITY };
        strangers.set(network, stranger);
      }
      const waitMs = stranger.bucket.waitMs(at);
      if (waitMs > 0) return refuseStranger(waitMs);
      stranger.bucket.take(at, 1);
      return undefined;
    },
    entered(principal, address) {
      readConfig();
      const at = now();
      if (strangers.size > 0) {
        const stranger = strangers.get(networkOf(address));
        if (stranger !== undefined) stranger.provenAt = at;
      }
      if (ofCallers === undefined) return undefined;
      const key = principal.method === 'none' ? `address ${networkOf(address)}` : `agent ${principal.id}`;
      let bucket = callers.get(key);
      if (bucket === undefined) {
        bucket = createTokenBucket(ofCallers, at);
        callers.set(key, bucket);
      }
      const retryAfterMs = bucket.waitMs(at);
      if (retryAfterMs > 0) {
        refusals.requests += 1;
        return new GatewayError('rate_limited', 'too many requests (limits.requests)', { retryAfterMs });
      }
      bucket.take(at, 1);
      return undefined;
    },
  };
}

/** What one household or host can have many addresses of counts as one: the /64 of an IPv6 address. `address` is canonical. */
export function networkOf(address: string): string {
  return isIPv4(address) ? address : address.split(':', 4).join(':');
}
