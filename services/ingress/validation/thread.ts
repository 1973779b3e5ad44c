import { Worker, type WorkerOptions } from 'node:worker_threads';
import type { Job, JobResult, ThreadMessage } from './jobs.ts';

/** `overrun`: it took too long, or too much memory, and was ended. `busy`: too many wait, or the thread does not start. `closed`: the ingress ends. */
export type Outcome = JobResult | { readonly kind: 'overrun' | 'busy' | 'closed' };

/** A thread that does one job at a time, each within its budget. It starts with the first job. */
export interface ValidationThread {
  /** Never rejects. `budgetMs` is processor time of this process, counted from when the job's turn has come. */
  run(job: Job, budgetMs: number): Promise<Outcome>;
  /** Times that it was ended because a job took too long. */
  readonly overruns: number;
  close(): Promise<void>;
}

interface Waiting {
  readonly job: Job;
  readonly budgetMs: number;
  readonly resolve: (outcome: Outcome) => void;
}

const maxWaiting = 64;
/** A thread that is not ready by then will never be, in milliseconds. */
const startMs = 30_000;
/** A job that gets no processor ends after so many times its budget. */
const longestWait = 20;

/** Beside this file, in the sources as in the build. */
const program = new URL(`./validation-thread${import.meta.url.slice(-3)}`, import.meta.url);

function startWorker(): Worker {
  const options: WorkerOptions = { resourceLimits: { maxOldGenerationSizeMb: 256 } };
  if (!program.pathname.endsWith('.ts')) return new Worker(program, options);
  // A checkout that was never built runs its sources; the loader of the main thread does not reach into this one.
  const [loader, file] = [import.meta.resolve('tsx/esm/api'), program.href].map((url) => JSON.stringify(url));
  const boot = `import(${loader}).then(({ register }) => { register(); return import(${file}); })`;
  return new Worker(boot, { ...options, eval: true });
}

/** `onFailure` hears why a thread ended by itself. */
export function createValidationThread(onFailure: (error: Error) => void = () => {}): ValidationThread {
  const queue: Waiting[] = [];
  let worker: Worker | undefined;
  let ready = false;
  let current: (Waiting & { readonly id: number }) | undefined;
  let timer: NodeJS.Timeout | undefined;
  let lastId = 0;
  let overruns = 0;
  let closed = false;

  function start(): Worker {
    const started = startWorker();
    started.on('message', (message: ThreadMessage) => {
      if (worker !== started) return;
      if (message.kind === 'ready') {
        clearTimeout(timer);
        ready = true;
        next();
      } else if (message.id === current?.id) settle(message.result);
    });
    // Out of memory, or it could not be loaded: the job at hand fails, the next one gets a new thread.
    started.on('error', (error) => {
      onFailure(error);
      replace(started);
    });
    started.on('exit', () => replace(started));
    timer = setTimeout(() => replace(started), startMs).unref();
    return started;
  }

  function replace(gone: Worker): void {
    if (worker !== gone) return;
    clearTimeout(timer);
    worker = undefined;
    const wasReady = ready;
    ready = false;
    void gone.terminate();
    if (current !== undefined) settle({ kind: 'overrun' });
    else if (!wasReady) for (const { resolve } of queue.splice(0)) resolve({ kind: 'busy' });
    else next();
  }

  function settle(outcome: Outcome): void {
    clearTimeout(timer);
    const done = current;
    current = undefined;
    done?.resolve(outcome);
    next();
  }

  function next(): void {
    if (closed || current !== undefined || queue.length === 0) {
      if (current === undefined) worker?.unref();
      return;
    }
    if (worker === undefined) {
      worker = start();
      return;
    }
    if (!ready) return;
    const waiting = queue.shift();
    if (waiting === undefined) return;
    lastId += 1;
    current = { ...waiting, id: lastId };
    watch(worker, waiting.budgetMs);
    worker.ref();
    worker.postMessage({ id: lastId, job: waiting.job });
  }

  /** Ends the thread when the budget is spent. A busy machine is not the job's fault, so what counts is processor time. */
  function watch(watched: Worker, budgetMs: number): void {
    const begun = performance.now();
    const before = process.cpuUsage();
    const look = (): void => {
      const { user, system } = process.cpuUsage(before);
      const left = budgetMs - (user + system) / 1_000;
      if (left > 1 && performance.now() - begun < budgetMs * longestWait) {
        timer = setTimeout(look, Math.max(left, 5));
        return;
      }
      overruns += 1;
      replace(watched);
    };
    timer = setTimeout(look, budgetMs);
  }

  return {
    run(job, budgetMs) {
      if (closed) return Promise.resolve({ kind: 'closed' });
      if (queue.length >= maxWaiting) return Promise.resolve({ kind: 'busy' });
      return new Promise((resolve) => {
        queue.push({ job, budgetMs, resolve });
        next();
      });
    },
    get overruns() {
      return overruns;
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      const ending = worker;
      worker = undefined;
      for (const { resolve } of [...(current === undefined ? [] : [current]), ...queue.splice(0)])
        resolve({ kind: 'closed' });
      current = undefined;
      await ending?.terminate();
    },
  };
}
