import type { Endpoint } from '../load/request.ts';
import type { Running } from '../processes.ts';

export const targetNames = ['direct', 'floor', 'toolbus', 'synced', 'unaudited'] as const;
export type TargetName = (typeof targetNames)[number];

/** An upstream server that a target is to put its gateway in front of. */
export interface ServerSpec {
  readonly name: string;
  /** Tools in its catalog. */
  readonly tools: number;
  /** Calls in flight per worker. */
  readonly concurrency: number;
}

/** One target, freshly started, in front of its upstreams. */
export interface Target {
  readonly name: TargetName;
  /** The gateway's own processes, those that CPU and memory are counted of. Upstreams are not among them. */
  readonly processes: readonly Running[];
  endpoint(server: string): Endpoint;
  /** Adds a worker of that server; absent where there are no workers. */
  addWorker?(server: string): Promise<void>;
  stop(): Promise<void>;
}

export type StartTarget = (servers: readonly ServerSpec[]) => Promise<Target>;
