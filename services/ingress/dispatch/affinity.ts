import { createHash } from 'node:crypto';
import type { AffinityRecord, AffinityRecords, Incarnation } from '../../../shared/bus/affinity-records.ts';
import { GatewayError } from '../../../shared/errors.ts';
import type { InstanceStatus } from '../../../shared/mcp/manifest.ts';
import type { Dispatch } from '../methods/dispatch.ts';
import type { AgentRequest } from '../request.ts';
import { canServe } from './balance.ts';

/** For whom a server keeps state by connection (`affinity` of its configuration). */
export type Affinity = 'none' | 'session' | 'agent';

/** What the calls of one agent, or of one of its sessions, have in common; undefined where calls may go anywhere. Agents without sessions are one. */
export function affinityKey(affinity: Affinity, { principal, session }: AgentRequest): string | undefined {
  if (affinity === 'none') return undefined;
  const whose = affinity === 'session' && session !== undefined ? [principal.id, session] : [principal.id];
  return createHash('sha256').update(JSON.stringify(whose)).digest('base64url').slice(0, 22);
}

export interface AffinityOptions {
  readonly dispatch: Dispatch;
  readonly records: Pick<AffinityRecords, 'get' | 'counts' | 'replace'>;
  instances(server: string): readonly InstanceStatus[];
  now?(): number;
}

/** Records expire when nobody has used them for a week; those in use are written again every day. */
const renewMs = 24 * 3_600_000;
const maxTries = 5;

/**
 * Dispatches calls with an affinity key: the first to any instance, the rest to the same one, from whatever ingress. When that is
 * gone, one call fails with `no_worker`, so that the agent knows that its state is lost; the next begins afresh.
 */
export function withAffinity({ dispatch, records, instances, now = Date.now }: AffinityOptions): Dispatch {
  return async (call, options) => {
    const { affinity: key, server } = call;
    if (key === undefined || call.instance !== undefined) return dispatch(call, options);
    const place = await find(server, key);
    if (place?.at === undefined) return dispatch(call, options);
    const { at } = place;
    try {
      return await dispatch({ ...call, instance: at.instance }, options);
    } catch (error) {
      if (!(error instanceof GatewayError) || !isLoss(error, server, at)) throw error;
      await forget(server, key, place, at);
      throw error.reason === 'no_worker' ? stateLost() : error;
    }
  };

  /** The record for a call. Undefined where nobody can serve, which is the dispatcher's to tell. Throws `no_worker` for a state that was lost. */
  async function find(server: string, key: string): Promise<AffinityRecord | undefined> {
    let record = records.get(server, key);
    for (let tries = 0; tries < maxTries; tries += 1) {
      if (record?.at === undefined) {
        const chosen = choose(server, record?.gone);
        if (chosen === undefined) return undefined;
        const { record: inForce } = await replace(server, key, record, { at: chosen });
        record = inForce;
        continue;
      }
      if (!isGone(server, record.at)) {
        if (now() - record.writtenAt > renewMs) void replace(server, key, record, { at: record.at }).catch(() => {});
        return record;
      }
      const { record: inForce, mine } = await replace(server, key, record, { at: undefined, gone: record.at });
      if (mine) throw stateLost();
      record = inForce;
    }
    throw new GatewayError('overloaded', `the instances of ${server} change too fast`, { retryAfterMs: 1_000 });
  }

  async function forget(server: string, key: string, record: AffinityRecord, gone: Incarnation): Promise<void> {
    await replace(server, key, record, { at: undefined, gone }).catch(() => undefined);
  }

  async function replace(...args: Parameters<AffinityRecords['replace']>): ReturnType<AffinityRecords['replace']> {
    try {
      return await records.replace(...args);
    } catch (error) {
      const message = 'the message bus cannot store where this call belongs';
      throw new GatewayError('broker_unavailable', message, { cause: error, retryAfterMs: 1_000 });
    }
  }

  /** Heartbeats name the living. With none at all nothing is known. */
  function isGone(server: string, { instance, restarts }: Incarnation): boolean {
    const live = instances(server);
    if (live.length === 0) return false;
    const status = live.find((one) => one.instance === instance);
    if (status === undefined || status.state === 'draining') return true;
    return status.transport === 'stdio' && status.restarts > restarts;
  }

  /** Whether this error tells the agent that its state is lost. A remote server that lost one call has not lost its session. */
  function isLoss({ reason }: GatewayError, server: string, { instance }: Incarnation): boolean {
    if (reason === 'no_worker') return true;
    const transport = instances(server).find((one) => one.instance === instance)?.transport;
    return reason === 'upstream_lost' && (transport === undefined || transport === 'stdio');
  }

  /** The one with the fewest keys that can serve. */
  function choose(server: string, gone: Incarnation | undefined): Incarnation | undefined {
    const counts = records.counts(server);
    let best: InstanceStatus | undefined;
    for (const status of instances(server)) {
      if (!canServe(status) || (status.instance === gone?.instance && status.restarts <= gone.restarts)) continue;
      const fewer = best === undefined ? 1 : (counts.get(best.instance) ?? 0) - (counts.get(status.instance) ?? 0);
      if (fewer > 0 || (fewer === 0 && Math.random() < 0.5)) best = status;
    }
    return best === undefined ? undefined : { instance: best.instance, restarts: best.restarts };
  }
}

function stateLost(): GatewayError {
  const message = 'the instance that kept the state of this agent is gone; the next call begins afresh at another one';
  return new GatewayError('no_worker', message, { retryAfterMs: 0 });
}
