/** Calls that other ingresses have in flight, by limit and by ingress: what each said last. */
export interface PeerUsage {
  /** Sum over all others. */
  inFlight(key: string): number;
  set(ingress: string, key: string, inFlight: number): void;
  /** Everything that this ingress has in flight; what is not named is nothing. */
  replace(ingress: string, entries: Iterable<readonly [key: string, inFlight: number]>): void;
  /** True for one that has calls in flight, as far as it said. */
  isBusy(ingress: string): boolean;
  drop(ingress: string): void;
}

/** More limits in use than this are not believed of one ingress. */
const maxKeys = 20_000;

export function createPeerUsage(): PeerUsage {
  const totals = new Map<string, number>();
  const byIngress = new Map<string, Map<string, number>>();

  function add(key: string, calls: number): void {
    const total = (totals.get(key) ?? 0) + calls;
    if (total > 0) totals.set(key, total);
    else totals.delete(key);
  }

  function set(ingress: string, key: string, inFlight: number): void {
    let own = byIngress.get(ingress);
    if (own === undefined) {
      own = new Map();
      byIngress.set(ingress, own);
    }
    const before = own.get(key) ?? 0;
    if (before === 0 && own.size >= maxKeys) return;
    add(key, inFlight - before);
    if (inFlight > 0) own.set(key, inFlight);
    else own.delete(key);
  }

  function drop(ingress: string): void {
    for (const [key, inFlight] of byIngress.get(ingress) ?? []) add(key, -inFlight);
    byIngress.delete(ingress);
  }

  return {
    inFlight: (key) => (totals.size === 0 ? 0 : (totals.get(key) ?? 0)),
    set,
    replace(ingress, entries) {
      drop(ingress);
      for (const [key, inFlight] of entries) set(ingress, key, inFlight);
    },
    isBusy: (ingress) => (byIngress.get(ingress)?.size ?? 0) > 0,
    drop,
  };
}
