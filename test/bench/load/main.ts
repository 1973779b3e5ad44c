import { type Hold, startHold } from './hold.ts';
import type { Job, Order, Outcome, Report } from './job.ts';
import { runClosed, runList, runOpen } from './loops.ts';
import { createAgentPool } from './pool.ts';
import type { Endpoint } from './request.ts';

/** The load process: takes one order at a time from its parent and reports the outcome. The first argument is the era it speaks. */
const pool = createAgentPool(process.argv[2] === 'modern' ? 'modern' : 'legacy');
const holds = new Map<number, Hold>();
const none: Outcome = {
  calls: 0,
  answered: 0,
  wrong: 0,
  firstFault: undefined,
  seconds: 0,
  latencies: new Float64Array(),
};

async function carryOut(job: Job, endpoint: Endpoint): Promise<Outcome> {
  switch (job.kind) {
    case 'closed':
      return runClosed(job, await pool.take(endpoint, job.agents));
    case 'open':
      return runOpen(job, await pool.take(endpoint, job.agents));
    case 'list':
      return runList(job, (await pool.take(endpoint, 1))[0]!);
    case 'connect':
      await pool.take(endpoint, job.agents);
      return none;
    case 'hold':
      holds.set(endpoint.port, startHold(await pool.take(endpoint, job.agents), job.work));
      return none;
    case 'settle': {
      const { answered = 0, faults = [] } = (await holds.get(endpoint.port)?.settle()) ?? {};
      return { ...none, answered, wrong: faults.length, firstFault: faults[0] };
    }
    case 'release':
      pool.release(endpoint);
      return none;
  }
}

async function report({ id, job, endpoint }: Order): Promise<Report> {
  try {
    const outcome = await carryOut(job, endpoint);
    // What is broken or still waits for an answer is not used again.
    if (outcome.firstFault !== undefined) pool.release(endpoint);
    return { id, outcome };
  } catch (error) {
    pool.release(endpoint);
    return { id, failed: error instanceof Error ? error.message : String(error) };
  }
}

process.on('message', (order: Order) => void report(order).then((said) => process.send?.(said)));
process.on('disconnect', () => process.exit(0));
process.stdout.write('{"event":"ready"}\n');
