import assert from 'node:assert/strict';
import type { Call, Reply } from '../../../../shared/mcp/call.ts';
import type { JsonObject } from '../../../../shared/mcp/json.ts';
import type { RpcError } from '../../../../shared/mcp/json-rpc.ts';
import type { Manifest } from '../../../../shared/mcp/manifest.ts';
import type { LiveCatalog } from '../../catalog/create.ts';
import { catalogOf, configOf, everyone, sealer } from '../../catalog/testing/fixtures.ts';
import type { AgentReply, AgentRequest, Handle } from '../../request.ts';
import type { DispatchOptions } from '../dispatch.ts';
import { createHandle } from '../index.ts';

/** The methods over a catalog, with a `dispatch` that records calls and answers as told. */
export interface Harness {
  readonly handle: Handle;
  readonly catalog: LiveCatalog;
  readonly calls: Call[];
  /** How the next calls are answered. */
  answer: (call: Call, options: DispatchOptions) => Reply;
  /** Epoch milliseconds. */
  now: number;
}

export function harnessOf(config: object, manifests: readonly Manifest[]): Harness {
  const catalog = catalogOf(config, manifests);
  const harness: Harness = {
    catalog,
    calls: [],
    answer: () => resultOf({}),
    now: 0,
    handle: createHandle({
      catalog,
      sealer,
      config: () => configOf(config),
      now: () => harness.now,
      dispatch: async (call, options) => {
        harness.calls.push(call);
        return harness.answer(call, options);
      },
    }),
  };
  return harness;
}

export function resultOf(result: JsonObject, parts: Partial<Extract<Reply, { kind: 'result' }>> = {}): Reply {
  return {
    kind: 'result',
    resultType: typeof result.resultType === 'string' ? result.resultType : 'complete',
    body: Buffer.from(JSON.stringify(result)),
    isError: false,
    instance: 'one',
    timing: { totalMs: 2, upstreamMs: 1 },
    ...parts,
  };
}

export function errorOf(error: RpcError): Reply {
  return { kind: 'error', error, instance: 'one', timing: { totalMs: 2, upstreamMs: 1 } };
}

export function requestOf(method: string, params: JsonObject = {}, parts: Partial<AgentRequest> = {}): AgentRequest {
  return {
    callId: 'call-1',
    method,
    params,
    endpoint: { kind: 'all' },
    principal: everyone,
    agent: { protocolVersion: '2026-07-28', capabilities: {} },
    wantsProgress: false,
    clientAddress: '127.0.0.1',
    headers: {},
    signal: new AbortController().signal,
    receivedAt: 0,
    onNotification: () => undefined,
    ...parts,
  };
}

/** The result object of a reply that is one. */
export function resultIn(reply: AgentReply): JsonObject {
  assert.equal(reply.kind, 'result');
  return JSON.parse(Buffer.from(reply.body).toString('utf8'));
}

/** The error of a reply that is one. */
export function errorIn(reply: AgentReply): RpcError {
  assert.equal(reply.kind, 'error');
  return reply.error;
}
