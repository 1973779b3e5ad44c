/**
 * Slots that came free and belong to an ingress whose offer was refused before, until it comes for them. Without that, the ingress whose call
 * ended is always nearer: it hears of the end and offers its next call before the others have heard of the slot.
 */
export interface PromisedSlots {
  promise(ingress: string): void;
  /** Slots that are free and not for this ingress. */
  keptFrom(ingress: string): number;
  /** It came, and was accepted. */
  taken(ingress: string): void;
  /** Forgets promises that nobody came for; true when there were some. */
  expire(): boolean;
}

/** Long enough for a word there and an offer back, also between busy processes. Milliseconds. */
const keptMs = 50;

export function createPromisedSlots(now: () => number = () => performance.now()): PromisedSlots {
  const promises: { readonly ingress: string; readonly until: number }[] = [];

  function expire(): boolean {
    const before = promises.length;
    const at = now();
    while (promises[0] !== undefined && promises[0].until < at) promises.shift();
    return promises.length < before;
  }

  return {
    promise(ingress) {
      promises.push({ ingress, until: now() + keptMs });
    },
    keptFrom(ingress) {
      if (promises.length === 0) return 0;
      const at = now();
      return promises.reduce((count, each) => count + (each.ingress !== ingress && each.until >= at ? 1 : 0), 0);
    },
    taken(ingress) {
      const at = promises.findIndex((each) => each.ingress === ingress);
      if (at !== -1) promises.splice(at, 1);
    },
    expire,
  };
}
