import { parentPort } from 'node:worker_threads';
import type { Job } from './jobs.ts';
import { createWork } from './work.ts';

/** The thread in which hostile schemas are compiled and expensive arguments checked; thread.ts starts it, and ends it when it takes too long. */
const work = createWork();
const warm = {
  hash: '',
  dialect: '2020-12',
  schema: { type: 'object', properties: { a: { type: 'string' } } },
} as const;
// The engine's own code is compiled now, so that the first schema's time is its own.
work({ kind: 'compile', schema: warm });
work({ kind: 'explain', schema: warm, value: { a: 1 } });

parentPort?.on('message', ({ id, job }: { id: number; job: Job }) => {
  parentPort?.postMessage({ kind: 'result', id, result: work(job) });
});
parentPort?.postMessage({ kind: 'ready' });
