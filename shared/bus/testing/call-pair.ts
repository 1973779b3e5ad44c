import pino from 'pino';
import type { Call } from '../../mcp/call.ts';
import { callKeyOf } from '../call-proof.ts';
import { type CalleeOptions, createCallee } from '../callee.ts';
import { type AttemptOptions, createCaller } from '../caller.ts';
import { connectBus } from '../connect.ts';
import { subjectsOf } from '../subjects.ts';

export const silentLog = pino({ level: 'silent' });
export const testSubjects = subjectsOf('test');

let nextId = 0;

export function callOf(tool: string, params: Call['params'] = { name: tool }, timeoutMs = 5_000): Call {
  nextId += 1;
  return {
    id: `call-${nextId}`,
    server: 'srv',
    method: 'tools/call',
    target: tool,
    params,
    agent: { protocolVersion: '2026-07-28', capabilities: {} },
    principal: { id: 'tester', method: 'key' },
    wantsProgress: false,
    timeoutMs,
    headers: {},
  };
}

/** Signs the calls of the server `srv`. */
export const testCallKey = callKeyOf('a secret of this test', 'srv');

/** An ingress' caller `i1` and a worker's callee `w1` of the server `srv`, each on its own connection to that NATS. */
export async function openCallPair(
  t: { after(fn: () => unknown): void },
  url: string,
  options: Pick<CalleeOptions, 'run'> & Partial<Pick<CalleeOptions, 'admit' | 'line'>>,
) {
  const workerConnection = await connectBus({ url, name: 'worker', log: silentLog });
  const ingressConnection = await connectBus({ url, name: 'ingress', log: silentLog });
  const callee = createCallee({
    nc: workerConnection,
    subjects: testSubjects,
    server: 'srv',
    instance: 'w1',
    log: silentLog,
    callKeys: () => [testCallKey],
    admit: () => ({ ok: true }),
    ...options,
  });
  callee.join(['echo', 'a.b>*']);
  await workerConnection.flush();
  const caller = createCaller({
    nc: ingressConnection,
    subjects: testSubjects,
    ingress: 'i1',
    log: silentLog,
    callKeyOf: () => testCallKey,
  });
  t.after(async () => {
    caller.close();
    await callee.drain(0);
    await Promise.all([workerConnection.close(), ingressConnection.close()]);
  });
  const attempt = (call: Call, given: Partial<AttemptOptions> = {}) =>
    caller.attempt(call, { signal: new AbortController().signal, onNotification: () => {}, ...given });
  return { caller, callee, attempt, workerConnection, ingressConnection };
}
