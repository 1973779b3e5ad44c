import { fileURLToPath } from 'node:url';
import type { Era } from '../../../shared/mcp/revisions.ts';
import type { Processes } from '../processes.ts';
import type { Job, Order, Outcome, Report } from './job.ts';
import type { Endpoint } from './request.ts';

/** The load process, seen from the benchmark. One job at a time. */
export interface Load {
  readonly pid: number;
  /** `onMeasuring` is called when the warm-up of the job is over. Rejects when the job could not run. */
  run(endpoint: Endpoint, job: Job, onMeasuring?: () => void): Promise<Outcome>;
  stop(): Promise<void>;
}

export async function startLoad(processes: Processes, era: Era): Promise<Load> {
  const process = await processes.start({
    name: 'load',
    command: globalThis.process.execPath,
    args: [fileURLToPath(new URL('./main.js', import.meta.url))],
    ipc: true,
  });
  const { child } = process;
  return {
    pid: process.pid,
    stop: () => process.stop(),
    run: (endpoint, job, onMeasuring) =>
      new Promise((resolve, reject) => {
        const settle = () => {
          child.off('message', onReport);
          child.off('exit', onExit);
        };
        const onExit = () => {
          settle();
          reject(new Error('the load process ended'));
        };
        const onReport = (report: Report) => {
          if (report.say === 'measuring') return onMeasuring?.();
          settle();
          if (report.say === 'done') resolve(report.outcome);
          else reject(new Error(report.message));
        };
        child.on('message', onReport);
        child.on('exit', onExit);
        const order: Order = { job, endpoint, era };
        child.send(order);
      }),
  };
}
