import type { LimitLevel, LimitShares, LimitSharesListener, LimitUse } from '../../../shared/bus/limit-shares.ts';
import type { Limit } from './limit.ts';
import type { LimitTable } from './limit-table.ts';
import type { PeerUsage } from './peer-usage.ts';

/**
 * Keeps the limits of this ingress in step with those of the others. Every ingress has each bucket whole, so one alone has the full
 * rate at once; each tells the others what it spent, and theirs run that much lower, below zero too. In the time that a word takes,
 * several may spend the same token: such a debt is paid back out of the refill, so over some seconds the sum is right.
 */
export interface Sharing {
  /** A limit was taken from, or given back to. */
  used(limit: Limit): void;
  close(): void;
}

export interface SharingOptions {
  readonly table: LimitTable;
  readonly usage: PeerUsage;
  join?: ((listener: LimitSharesListener) => LimitShares) | undefined;
  now(): number;
}

/** Use is reported this often while there is any, in milliseconds. */
const reportMs = 100;
/** Much use is reported sooner, but not more often than this. */
const urgentMs = 4;
/** An ingress with calls in flight says so this often. */
const beatMs = 1_000;
/** Calls of an ingress that was silent for so long are no longer counted: it died with them. */
const silentMs = 3_500;
/** An ingress that was heard within this time has a part of the limits when NATS is away. */
const rememberedMs = 600_000;
/** Other ingresses that are remembered at most. */
const maxPeers = 256;

export function createSharing({ table, usage, join, now }: SharingOptions): Sharing {
  const peers = new Map<string, number>();
  const unreported = new Set<Limit>();
  let reportTimer: NodeJS.Timeout | undefined;
  let urgent = false;
  let lastReport = now() - reportMs;
  let beatTimer: NodeJS.Timeout | undefined;
  let closed = false;

  const shares = join?.({
    onUse(from, use, complete) {
      heard(from);
      const at = now();
      for (const [key, spent, inFlight] of use) {
        if (spent > 0) table.byKey(key)?.spentElsewhere(at, spent);
        if (!complete) usage.set(from, key, inFlight);
      }
      if (complete) usage.replace(from, inFlightOf(use));
      if (usage.isBusy(from)) startBeat();
    },
    onHello(from) {
      heard(from);
      // What is in the levels must not be reported to the newcomer once more.
      report();
      shares?.tellLevels(from, levels());
    },
    onLevels(from, given) {
      heard(from);
      const at = now();
      for (const [key, missing] of given) if (missing > 0) table.byKey(key)?.atLeastMissing(at, missing);
      usage.replace(from, inFlightOf(given));
      if (usage.isBusy(from)) startBeat();
    },
    onBye(from) {
      peers.delete(from);
      usage.drop(from);
    },
    onConnection(connected) {
      if (connected) {
        table.setParts(1);
        shares?.hello();
        return;
      }
      for (const peer of peers.keys()) usage.drop(peer);
      table.setParts(1 + recentPeers());
    },
  });
  shares?.hello();

  function heard(from: string): void {
    // What was spent alone stands in the levels that a newcomer is told.
    if (peers.size === 0) for (const limit of table.all()) limit.report();
    peers.delete(from);
    peers.set(from, now());
    const oldest = peers.size > maxPeers ? peers.keys().next().value : undefined;
    if (oldest === undefined) return;
    peers.delete(oldest);
    usage.drop(oldest);
  }

  function recentPeers(): number {
    const since = now() - rememberedMs;
    let count = 0;
    for (const heardAt of peers.values()) if (heardAt > since) count += 1;
    return count;
  }

  function used(limit: Limit): void {
    if (peers.size === 0 || closed) return;
    unreported.add(limit);
    if (limit.isUrgent ? urgent : reportTimer !== undefined) return;
    urgent = limit.isUrgent;
    clearTimeout(reportTimer);
    const dueMs = urgent ? lastReport + urgentMs - now() : reportMs;
    reportTimer = setTimeout(report, Math.max(0, dueMs));
    reportTimer.unref();
  }

  function report(): void {
    clearTimeout(reportTimer);
    reportTimer = undefined;
    urgent = false;
    lastReport = now();
    const use: LimitUse[] = [];
    for (const limit of unreported) {
      const news = limit.report();
      if (news !== undefined) use.push([limit.key, news.spent, news.inFlight]);
    }
    unreported.clear();
    if (use.length === 0) return;
    shares?.tellUse(use, false);
    startBeat();
  }

  function levels(): LimitLevel[] {
    const at = now();
    const given: LimitLevel[] = [];
    for (const limit of table.all()) {
      const missing = limit.missing(at);
      const inFlight = limit.concurrency === undefined ? 0 : limit.inFlight;
      if (missing > 0 || inFlight > 0) given.push([limit.key, missing, inFlight]);
    }
    return given;
  }

  /** Runs while anybody has calls in flight. */
  function startBeat(): void {
    if (closed) return;
    beatTimer ??= setInterval(beat, beatMs).unref();
  }

  function beat(): void {
    const silentSince = now() - silentMs;
    let busy = false;
    for (const [peer, heardAt] of peers) {
      if (!usage.isBusy(peer)) continue;
      if (heardAt > silentSince) busy = true;
      else {
        usage.drop(peer);
        peers.delete(peer);
      }
    }
    report();
    const use = inFlightHere();
    if (peers.size > 0) shares?.tellUse(use, true);
    if (busy || use.length > 0) return;
    clearInterval(beatTimer);
    beatTimer = undefined;
  }

  function inFlightHere(): LimitUse[] {
    const use: LimitUse[] = [];
    for (const limit of table.all()) {
      if (limit.concurrency !== undefined && limit.inFlight > 0) use.push([limit.key, 0, limit.inFlight]);
    }
    return use;
  }

  return {
    used,
    close() {
      if (closed) return;
      report();
      closed = true;
      clearInterval(beatTimer);
      shares?.close();
    },
  };
}

function* inFlightOf(entries: readonly LimitUse[]): Generator<readonly [string, number]> {
  for (const [key, , inFlight] of entries) if (inFlight > 0) yield [key, inFlight];
}
