import type { Sealer } from '../../../shared/seal.ts';

/** A task of an upstream, as its agent names it: any ingress can tell from the id where the task lives. */
export interface TaskAddress {
  readonly server: string;
  readonly instance: string;
  /** The upstream's own id. */
  readonly id: string;
}

const purpose = 'task';

/** The id for the agent; only the same principal can use it. */
export function sealTaskId(sealer: Sealer, principal: string, { server, instance, id }: TaskAddress): string {
  return sealer.seal(purpose, { server, instance, id }, principal);
}

/** Undefined when the id is not ours or belongs to another principal. */
export function openTaskId(sealer: Sealer, principal: string, text: string): TaskAddress | undefined {
  const opened = sealer.open(purpose, text, principal);
  if (!opened) return undefined;
  const { server, instance, id } = opened;
  if (typeof server !== 'string' || typeof instance !== 'string' || typeof id !== 'string') return undefined;
  return { server, instance, id };
}
