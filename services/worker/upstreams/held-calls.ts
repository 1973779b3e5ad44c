import { randomBytes } from 'node:crypto';
import { type Call, identityOf } from '../../../shared/mcp/call.ts';
import { isJsonObject } from '../../../shared/mcp/json.ts';
import { rpcCode } from '../../../shared/mcp/json-rpc.ts';
import type { LegacyCall } from './legacy-call.ts';
import type { UpstreamAnswer, UpstreamCallOptions } from './upstream.ts';

/**
 * The calls of one upstream that wait for their agents. They outlive the session they were made in, so that an agent whose server died
 * meanwhile is told so. A name is good for one answer: each time a call is held it gets another one.
 */
export class HeldCalls {
  private readonly byPark = new Map<string, LegacyCall>();

  /** Calls that the upstream is still busy with. */
  get open(): number {
    let open = 0;
    for (const call of this.byPark.values()) if (!call.isDone) open += 1;
    return open;
  }

  /** Keeps a call; returns the name it can be resumed under. */
  hold(call: LegacyCall): string {
    const park = randomBytes(12).toString('base64url');
    this.byPark.set(park, call);
    return park;
  }

  drop(park: string): void {
    this.byPark.delete(park);
  }

  abandon(park: string): void {
    this.byPark.get(park)?.abandon();
  }

  /** Hands the agent's answers to the call that `call.park` names. `-32602` when it is over, was resumed already or is another agent's. */
  resume(call: Call, options: UpstreamCallOptions): Promise<UpstreamAnswer> {
    const { park = '' } = call;
    const held = this.byPark.get(park);
    if (held === undefined || identityOf(held.call.principal) !== identityOf(call.principal)) {
      const message = 'The call that asked is over or was answered already; call again without requestState';
      return Promise.resolve({ kind: 'error', error: { code: rpcCode.invalidParams, message } });
    }
    this.byPark.delete(park);
    const responses = call.params['inputResponses'];
    return new Promise((resolve, reject) => {
      held.resume(call, { options, resolve, reject }, isJsonObject(responses) ? responses : {});
    });
  }
}
