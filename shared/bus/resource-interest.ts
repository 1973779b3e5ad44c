import { createHash } from 'node:crypto';
import type { JsonObject } from '../mcp/json.ts';
import type { Buckets } from './buckets.ts';
import { followInterest, type Interest, type InterestOptions, type Watch } from './interest.ts';
import { updatedEvent } from './resource-events.ts';
import { token } from './subjects.ts';

/**
 * Who wants updates of which resource (interest.ts). The server's workers subscribe upstream; what the upstream then tells goes to every
 * ingress (resource-events.ts).
 */

/** The ingress' side. */
export interface ResourceInterest {
  watch(server: string, uri: string): Watch;
}

export function createResourceInterest(interest: Pick<Interest, 'watch'>): ResourceInterest {
  return { watch: (server, uri) => interest.watch(server, digest(uri), { uri }) };
}

/** The worker's side. */
export interface WantedResources {
  /** Tells every ingress that a resource changed. `params` are the upstream's own. */
  updated(params: JsonObject): void;
  /** Resolves when `uris` knows what was wanted at the start. */
  readonly caughtUp: Promise<void>;
  /** What somebody wants now. */
  uris(): ReadonlySet<string>;
  /** The upstream was away for a while: each of these may have changed unseen, which every ingress is told. */
  missed(uris: ReadonlySet<string>): void;
  close(): void;
}

export interface FollowWantedOptions extends InterestOptions {
  readonly server: string;
  readonly instance: string;
  /** Resolves when the upstream is subscribed to these and to no others. */
  onChange(uris: ReadonlySet<string>): Promise<void>;
}

/** Calls `onChange` with the set of the server's URIs that somebody wants, now and whenever it changes. */
export function followWantedResources(options: FollowWantedOptions): WantedResources {
  const { nc, subjects, server, instance } = options;
  const updated = (params: JsonObject) => {
    if (!nc.isClosed()) nc.publish(subjects.event(server, updatedEvent), JSON.stringify({ server, instance, params }));
  };
  const followed = followInterest({
    ...options,
    filter: '>',
    read: ({ uri }) => (typeof uri === 'string' ? uri : undefined),
    nameOf: digest,
  });
  return {
    updated,
    caughtUp: followed.caughtUp,
    uris: followed.wanted,
    missed(uris) {
      void followed.settled().then(() => {
        for (const uri of uris) if (followed.wanted().has(uri)) updated({ uri });
      });
    },
    close: followed.close,
  };
}

/** Other instances beat every second; one that did not for this long, in the time of NATS, is gone. */
const aliveMs = 1_500;

/** True when no other instance of the server has beaten lately: what its upstream told meanwhile nobody heard. */
export async function isAlone(
  { workers }: Pick<Buckets, 'workers'>,
  server: string,
  instance: string,
): Promise<boolean> {
  const own = `${token(server)}.${token(instance)}`;
  const mine = await workers.get(own);
  if (mine === null) return false;
  const keys: string[] = [];
  for await (const key of await workers.keys(`${token(server)}.>`)) if (key !== own) keys.push(key);
  const others = await Promise.all(keys.map((key) => workers.get(key)));
  return others.every(
    (other) => other?.operation !== 'PUT' || mine.created.getTime() - other.created.getTime() > aliveMs,
  );
}

function digest(uri: string): string {
  return createHash('sha256').update(uri).digest('base64url').slice(0, 22);
}
