import { ShortLivedMap } from '../short-lived.ts';
import { busLimits } from './limits.ts';

interface Keyed {
  readonly key: string;
}

/** The worker processes that run calls of this ingress, and when each was last heard of. */
export interface Peers<Item extends Keyed> {
  /** The process took a call. */
  add(instance: string, server: string, item: Item): void;
  remove(instance: string, item: Item): void;
  /** Something came from the process. */
  seen(instance: string): void;
  /** What the process runs, as far as this ingress knows. */
  items(instance: string): Iterable<Item>;
  /** Nobody listens under its name: dead, or between two connections. It is asked soon instead of after the usual silence. */
  doubt(instance: string): void;
  /** Takes the process out and returns what it was running. */
  lose(instance: string): readonly Item[];
  /** Asks those that have been silent for a while, gives up those that stay silent. */
  watch(now: number): void;
  /** Time in which nothing could be heard does not count. */
  forgive(ms: number): void;
  /** Starts counting anew: the connection is back. */
  forgiveAll(): void;
}

interface Peer<Item extends Keyed> {
  readonly server: string;
  readonly items: ShortLivedMap<string, Item>;
  lastSeen: number;
  probed: boolean;
}

/** A process without calls is forgotten after this time, in milliseconds. */
const idleMs = 60_000;

export function createPeers<Item extends Keyed>(
  probe: (server: string, instance: string) => void,
  onLost: (instance: string) => void,
): Peers<Item> {
  const peers = new Map<string, Peer<Item>>();

  function watchOne(instance: string, peer: Peer<Item>, now: number): void {
    const silent = now - peer.lastSeen;
    if (peer.items.size === 0) {
      if (silent > idleMs) peers.delete(instance);
    } else if (silent > busLimits.lostMs) {
      onLost(instance);
    } else if (silent > busLimits.probeMs && !peer.probed) {
      peer.probed = true;
      probe(peer.server, instance);
    }
  }

  return {
    add(instance, server, item) {
      let peer = peers.get(instance);
      if (peer === undefined) {
        peer = { server, items: new ShortLivedMap(), lastSeen: 0, probed: false };
        peers.set(instance, peer);
      }
      peer.items.set(item.key, item);
      peer.lastSeen = performance.now();
      peer.probed = false;
    },
    remove(instance, item) {
      peers.get(instance)?.items.delete(item.key);
    },
    seen(instance) {
      const peer = peers.get(instance);
      if (peer === undefined) return;
      peer.lastSeen = performance.now();
      peer.probed = false;
    },
    items: (instance) => peers.get(instance)?.items.values() ?? [],
    doubt(instance) {
      const peer = peers.get(instance);
      if (peer === undefined || peer.probed) return;
      peer.lastSeen = Math.min(peer.lastSeen, performance.now() - busLimits.probeMs + busLimits.doubtMs);
    },
    lose(instance) {
      const peer = peers.get(instance);
      peers.delete(instance);
      return peer === undefined ? [] : [...peer.items.values()];
    },
    watch(now) {
      for (const [instance, peer] of peers) watchOne(instance, peer, now);
    },
    forgive(ms) {
      for (const peer of peers.values()) peer.lastSeen += ms;
    },
    forgiveAll() {
      const now = performance.now();
      for (const peer of peers.values()) peer.lastSeen = now;
    },
  };
}
