import { attempt, type Context, order } from '../suites/suite.ts';
import type { ServerSpec, Target } from '../targets/target.ts';

/**
 * Starts all targets of the suite, primes each, hands those that are ready to `measure`, and stops them. One that does not start or
 * cannot be primed is a fault and left out.
 */
export async function sideBySide(
  context: Context,
  servers: readonly ServerSpec[],
  prepare: (target: Target) => Promise<void>,
  measure: (targets: readonly Target[]) => Promise<void>,
): Promise<void> {
  const started: Target[] = [];
  const ready: Target[] = [];
  try {
    for (const name of context.targets) {
      await attempt(context, name, async () => void started.push(await context.start(name, servers)));
    }
    for (const target of started) {
      if (await attempt(context, target.name, () => prepare(target))) ready.push(target);
    }
    await measure(ready);
  } finally {
    await Promise.all(started.map((target) => target.stop()));
  }
}

/** The code of a target is compiled after so many calls, not after so much time; but a slow machine is not waited for longer than this. */
const priming = { calls: 15_000, atMostMs: 20_000 };
const quickPriming = { calls: 4_000, atMostMs: 5_000 };

/** Load before anything is measured, so that code is compiled. */
export async function prime(context: Context, target: Target, server: string): Promise<void> {
  const job = { kind: 'closed', agents: 64, work: { tool: 'echo' }, window: context.window } as const;
  const enough = context.quick ? quickPriming : priming;
  const until = performance.now() + enough.atMostMs;
  let calls = 0;
  do {
    const outcome = await order(context, target, server, job);
    calls += outcome.answered;
  } while (calls < enough.calls && performance.now() < until);
}
