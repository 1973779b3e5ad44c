import { type Agent, closeAgents, openAgents } from './agent.ts';
import type { Order, Outcome, Report } from './job.ts';
import { runClosed, runList, runOpen, startHold } from './loops.ts';

/** The load process: takes one order at a time from its parent and reports the outcome. */
const held: Agent[] = [];
/** Answers that came to calls that were to hang. */
const early: string[] = [];
const say = (report: Report): void => {
  process.send?.(report);
};
const onMeasuring = (): void => say({ say: 'measuring' });

async function carryOut(order: Order): Promise<Outcome> {
  const { job } = order;
  switch (job.kind) {
    case 'closed':
      return runClosed(job, order, onMeasuring);
    case 'open':
      return runOpen(job, order, onMeasuring);
    case 'list':
      return runList(job, order, onMeasuring);
    case 'hold':
      held.push(...(await startHold(job, order, (fault) => early.push(fault))));
      return waiting(job.agents);
    case 'sessions':
      held.push(...(await openAgents(order.endpoint, order.era, job.agents)));
      return waiting(job.agents);
    case 'release': {
      const faults = early.splice(0);
      closeAgents(held.splice(0));
      return { ...waiting(0), wrong: faults.length, firstFault: faults[0] };
    }
  }
}

function waiting(calls: number): Outcome {
  const none = Number.NaN;
  return {
    calls,
    wrong: 0,
    firstFault: undefined,
    seconds: 0,
    latency: { p50: none, p90: none, p99: none, max: none },
  };
}

process.on('message', (order: Order) => {
  carryOut(order).then(
    (outcome) => say({ say: 'done', outcome }),
    (error: unknown) => say({ say: 'failed', message: error instanceof Error ? error.message : String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
process.stdout.write('{"event":"ready"}\n');
