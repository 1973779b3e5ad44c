import { setTimeout as delay } from 'node:timers/promises';
import type { CallPlan } from './oracle.ts';
import { type AgentOptions, callWithinMs, type World } from './world.ts';

export interface WorkloadOptions {
  /** One call; false when its connection broke and nothing is left to come back to. */
  call(deadline: number): Promise<boolean>;
  /** A promise was broken. */
  broken(what: string): void;
}

/** Something that an agent wants done, again and again, with pauses as people make them, until there were enough calls. */
export async function work(
  { verdicts, enough, over, thinkMs }: World,
  { random }: AgentOptions,
  { call, broken }: WorkloadOptions,
): Promise<void> {
  /** A call that was lost on the way is asked again as a new one. */
  const once = async (): Promise<void> => {
    const deadline = Date.now() + callWithinMs;
    while (!(await call(deadline)) && !over.aborted) {
      if (Date.now() > deadline) return broken('something it asked for again and again was never answered');
      await pause(random);
    }
    verdicts.count('answered');
  };
  while (!enough.aborted) {
    await delay(random.between(...thinkMs), undefined, { signal: enough }).catch(() => undefined);
    if (!enough.aborted) await once();
  }
}

/** Before a broken connection is made again. */
export function pause(random: AgentOptions['random']): Promise<void> {
  return delay(random.between(50, 300));
}

/** Steps of up to a second altogether, with a question to the agent in two calls of five. */
export function planCall(id: string, random: AgentOptions['random']): CallPlan {
  return {
    id,
    steps: Math.floor(random.between(0, 5)),
    stepMs: Math.floor(random.between(5, 200)),
    ask: random.next() < 0.4,
  };
}
