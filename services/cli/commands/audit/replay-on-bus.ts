import { setTimeout as sleep } from 'node:timers/promises';
import { replayMetaKey } from '../../../../shared/audit/meta.ts';
import { GatewayError } from '../../../../shared/errors.ts';
import { createCallId } from '../../../../shared/ids.ts';
import type { Principal } from '../../../../shared/mcp/call.ts';
import { latestLegacy, supportedRevisions } from '../../../../shared/mcp/revisions.ts';
import { toolbusVersion } from '../../../../shared/version.ts';
import type { Answer } from '../../../audit/replay/compare.ts';
import type { RecordedCall } from '../../../audit/replay/recorded-call.ts';
import type { Core } from '../../../ingress/core.ts';
import type { AgentReply } from '../../../ingress/request.ts';
import { createReplayRetries } from './replay-retries.ts';
import { paramsOf, type ReplayTarget } from './replay-target.ts';

/** Whoever has the bus' credentials operates it; the audit names the replay as what it is. */
const principal: Principal = { id: 'replay', method: 'none' };

export interface BusTargetOptions {
  readonly core: Core;
  readonly run: string;
  /** Recorded server → server that is asked; others go to themselves. */
  readonly instead: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** The servers that run on this bus, asked through the same path as any agent's call: policy, limits, audit. */
export function replayOnBus({ core, run, instead, signal }: BusTargetOptions): ReplayTarget {
  const serverFor = (server: string): string | undefined => {
    const wanted = Object.hasOwn(instead, server) ? (instead[server] ?? server) : server;
    return core.catalog.manifest(wanted) === undefined ? undefined : wanted;
  };

  const retries = createReplayRetries();

  async function issue(call: RecordedCall, server: string): Promise<Answer> {
    for (let tries = 1; ; tries += 1) {
      try {
        const reply = await once(call, server);
        retries.taken(server);
        return answerOf(reply);
      } catch (error) {
        if (!(error instanceof GatewayError)) return { kind: 'failed', reason: String(error) };
        const { reason, executed, retryAfterMs } = error;
        if (executed !== 'no') retries.taken(server);
        const pauseMs = executed === 'no' ? retries.pause(server, reason, tries, retryAfterMs) : undefined;
        if (pauseMs === undefined || signal.aborted) return { kind: 'failed', reason };
        await sleep(pauseMs);
      }
    }
  }

  function once(call: RecordedCall, server: string): Promise<AgentReply> {
    return core.handle({
      callId: createCallId(),
      method: call.method,
      params: paramsOf(call, { [replayMetaKey]: { run, of: call.call } }),
      endpoint: { kind: 'server', name: server },
      principal,
      agent: {
        // Its era decides how the server is spoken to.
        protocolVersion: supportedRevisions.includes(call.protocol) ? call.protocol : latestLegacy,
        capabilities: {},
        clientInfo: { name: 'toolbus-replay', version: toolbusVersion() },
      },
      wantsProgress: false,
      clientAddress: '127.0.0.1',
      headers: {},
      signal: new AbortController().signal,
      receivedAt: performance.now(),
      onNotification: () => undefined,
    });
  }

  return {
    name:
      Object.keys(instead).length === 0
        ? 'the running servers'
        : Object.entries(instead)
            .map(([recorded, asked]) => (recorded === asked ? asked : `${recorded}=${asked}`))
            .join(', '),
    serverFor,
    tool: (server, tool) => core.catalog.manifest(server)?.tools.find(({ name }) => name === tool),
    tools: (server) => core.catalog.manifest(server)?.tools ?? [],
    issue,
    close: async () => undefined,
  };
}

function answerOf(reply: AgentReply): Answer {
  if (reply.kind === 'error') return { kind: 'error', code: reply.error.code, message: reply.error.message };
  if (reply.resultType === 'input_required' || reply.resultType === 'task') {
    reply.held?.abandon();
    return { kind: 'other', outcome: reply.resultType };
  }
  const body = typeof reply.body === 'string' ? Buffer.from(reply.body) : reply.body;
  return { kind: 'result', outcome: reply.isError === true ? 'tool_error' : 'ok', body };
}
