import { fileURLToPath } from 'node:url';
import type { Era } from '../../../shared/mcp/revisions.ts';
import type { Processes } from '../processes.ts';
import type { Job, Order, Outcome, Report } from './job.ts';
import type { Endpoint } from './request.ts';

/** The load process, seen from the benchmark. One job at a time. */
export interface Load {
  readonly pid: number;
  /** Rejects when the job could not run, or takes a minute and more. */
  run(endpoint: Endpoint, job: Job): Promise<Outcome>;
  stop(): Promise<void>;
}

const reportWithinMs = 60_000;

export async function startLoad(processes: Processes, era: Era): Promise<Load> {
  const process = await processes.start({
    name: 'load',
    command: globalThis.process.execPath,
    args: [fileURLToPath(new URL('./main.js', import.meta.url)), era],
    ipc: true,
  });
  const { child } = process;
  let lastId = 0;
  return {
    pid: process.pid,
    stop: () => process.stop(),
    run(endpoint, job) {
      const order: Order = { id: ++lastId, job, endpoint };
      return new Promise((resolve, reject) => {
        if (!child.connected) return reject(new Error('the load process has ended'));
        const settle = () => {
          clearTimeout(timer);
          child.off('message', onReport);
          child.off('exit', onExit);
        };
        const fail = (why: string) => {
          settle();
          reject(new Error(why));
        };
        const onExit = () => fail('the load process ended');
        const onReport = (report: Report) => {
          if (report.id !== order.id) return;
          if ('failed' in report) return fail(report.failed);
          settle();
          resolve(report.outcome);
        };
        const timer = setTimeout(
          () => fail(`the load process did not report within ${reportWithinMs / 1000} s`),
          reportWithinMs,
        );
        child.on('message', onReport);
        child.on('exit', onExit);
        child.send(order, (error) => error !== null && fail(error.message));
      });
    },
  };
}
