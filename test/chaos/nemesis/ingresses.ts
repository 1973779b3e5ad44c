import { startIngress, type Toolbus } from '../../helpers/toolbus.ts';

/** Ingress processes of which one after another is killed and started again. */
export interface Ingresses {
  /** Origins of those that are ready. */
  readonly origins: () => readonly string[];
  /** SIGKILL to one of them, and a new one in its place; false while fewer than two are ready, since one must live. */
  killOne(): boolean;
  readonly kills: number;
  /** Resolves when all are ready again. */
  settled(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function startIngresses(count: number, nats: string, config: object): Promise<Ingresses> {
  const start = () => startIngress(nats, { config });
  const living = await Promise.all(Array.from({ length: count }, start));
  const starting = new Set<Promise<void>>();
  const dead: Toolbus[] = [];
  let kills = 0;

  const replace = async (victim: Toolbus): Promise<void> => {
    victim.signal('SIGKILL');
    await victim.exited;
    dead.push(victim);
    living.push(await start());
  };

  return {
    origins: () => living.map(({ ready }) => new URL(ready.mcp).origin),
    killOne() {
      if (living.length < 2) return false;
      const victim = living.shift();
      if (victim === undefined) return false;
      kills += 1;
      const replacing = replace(victim).finally(() => starting.delete(replacing));
      starting.add(replacing);
      return true;
    },
    get kills() {
      return kills;
    },
    async settled() {
      await Promise.all(starting);
    },
    async [Symbol.asyncDispose]() {
      await Promise.allSettled(starting);
      await Promise.allSettled([...living, ...dead].map((one) => one[Symbol.asyncDispose]()));
    },
  };
}
