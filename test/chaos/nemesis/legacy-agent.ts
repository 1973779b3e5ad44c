import { setTimeout as delay } from 'node:timers/promises';
import type { RpcMessage } from '../../helpers/rpc.ts';
import { type Exchanged, exchange } from './exchange.ts';
import { witnessCall } from './oracle.ts';
import { pause, planCall, work } from './workload.ts';
import type { AgentOptions, World } from './world.ts';

/** An agent of 2025-11-25: a session, a standalone stream, a subscription, and calls one after another. */
export interface LegacyAgent {
  /** Revisions of the note that it was told, in order. */
  readonly told: readonly number[];
  /** Rejects when it could not open its session or subscribe. */
  open(): Promise<void>;
  /** Calls until there were enough. */
  run(): Promise<void>;
  /** Whether the session is still there, on every path. */
  assertAlive(): Promise<void>;
  readonly closed: Promise<void>;
}

const version = '2025-11-25';
const mostTries = 200;

export function createLegacyAgent(world: World, options: AgentOptions): LegacyAgent {
  const { name, key, note, random } = options;
  const { mcp, verdicts, over } = world;
  const told: number[] = [];
  let session = '';
  let calls = 0;
  let streaming: Promise<void> = Promise.resolve();

  const headers = (): Record<string, string> => ({
    authorization: `Bearer ${key}`,
    'mcp-protocol-version': version,
    ...(session !== '' && { 'mcp-session-id': session }),
  });
  const broken = (text: string) => verdicts.violation(`legacy ${name}: ${text}`);

  /** For what may be sent again: tries until it is answered. */
  async function insist(body: object, onMessage: (message: RpcMessage) => void = () => {}): Promise<Exchanged> {
    for (let tries = 0; tries < mostTries; tries += 1) {
      const sent = await exchange(mcp, { method: 'POST', headers: headers(), body, signal: over, onMessage });
      if (sent.complete && sent.status < 500) return sent;
      if (over.aborted) break;
      await pause(random);
    }
    throw new Error(`legacy ${name}: no answer after ${mostTries} tries`);
  }

  async function request(method: string, params: object): Promise<RpcMessage | undefined> {
    calls += 1;
    let answer: RpcMessage | undefined;
    // A repeated request needs an id of its own: the first may still be running where it was cut off.
    const { status } = await insist({ jsonrpc: '2.0', id: `${name}.r${calls}`, method, params }, (message) => {
      if (message.method === undefined) answer = message;
    });
    if (status === 404) broken(`${method}: the session is lost`);
    return answer;
  }

  /** The lists stay as they are for the whole run, so that nothing but the note may be told of. */
  function takeNotice({ method, params }: RpcMessage): void {
    if (method === 'notifications/resources/updated' && params?.['uri'] === note) {
      const { revision } = params['_meta'] as { readonly revision: number };
      told.push(revision);
    } else broken(`its standalone stream got ${method} ${String(params?.['uri'] ?? '')}`);
  }

  async function keepStream(): Promise<void> {
    let lastId: string | undefined;
    while (!over.aborted) {
      const opened = await exchange(mcp, {
        method: 'GET',
        headers: {
          ...headers(),
          accept: 'text/event-stream',
          ...(lastId !== undefined && { 'last-event-id': lastId }),
        },
        signal: over,
        onMessage: takeNotice,
        onEventId(id) {
          lastId = id;
        },
      });
      if (over.aborted) return;
      verdicts.count(opened.status === 200 ? 'standalone stream broken' : `standalone stream refused ${opened.status}`);
      // 409: its first stream was lost before it had an id, and nobody has noticed yet.
      if (![0, 200, 409, 502, 503].includes(opened.status)) broken(`its standalone stream got ${opened.status}`);
      await pause(random);
    }
  }

  /** One call; false when its connection broke and nothing is left to come back to. */
  async function call(deadline: number): Promise<boolean> {
    calls += 1;
    const id = `${name}.c${calls}`;
    const plan = planCall(id, random);
    const witness = witnessCall(plan, id, verdicts);
    let lastId: string | undefined;
    const common = {
      signal: over,
      onMessage(message: RpcMessage) {
        const question = witness.take(message);
        if (question !== undefined) void answerQuestion(question, id);
      },
      onEventId(eventId: string) {
        lastId = eventId;
      },
    };
    const params = { name: 'notebook__work', arguments: plan, _meta: { progressToken: id } };
    const sent = await exchange(mcp, {
      ...common,
      method: 'POST',
      headers: headers(),
      body: { jsonrpc: '2.0', id, method: 'tools/call', params },
    });
    if (sent.status === 404) broken(`${id}: the session is lost`);
    if (witness.answer === undefined && lastId === undefined) {
      // Nothing to come back with.
      if (sent.complete && sent.status !== 502) broken(`${id}: ended with ${sent.status} and no answer`);
      verdicts.count('legacy call lost before its first event');
      return false;
    }
    for (let broke = 0; witness.answer === undefined && !over.aborted; broke += 1) {
      if (broke === 0) verdicts.count('legacy call resumed');
      if (Date.now() > deadline) break;
      await pause(random);
      const resumed = await exchange(mcp, {
        ...common,
        method: 'GET',
        headers: { ...headers(), accept: 'text/event-stream', 'last-event-id': lastId ?? '' },
      });
      if ([0, 200, 502, 503].includes(resumed.status)) continue;
      broken(`${id}: resuming got ${resumed.status}`);
      return true;
    }
    witness.judge();
    return true;
  }

  async function answerQuestion({ id }: RpcMessage, echo: string): Promise<void> {
    await delay(random.between(0, 100));
    await insist({ jsonrpc: '2.0', id, result: { action: 'accept', content: { echo } } }).catch(() => undefined);
  }

  return {
    told,
    async open() {
      const params = {
        protocolVersion: version,
        capabilities: { elicitation: {} },
        clientInfo: { name, version: '1' },
      };
      const opened = await insist({ jsonrpc: '2.0', id: 0, method: 'initialize', params });
      session = String(opened.headers['mcp-session-id'] ?? '');
      if (session === '') throw new Error(`legacy ${name}: no session (${opened.status})`);
      streaming = keepStream();
      const answer = await request('resources/subscribe', { uri: note });
      if (answer?.result === undefined) throw new Error(`legacy ${name}: not subscribed: ${JSON.stringify(answer)}`);
    },
    run: () => work(world, options, { call, broken }),
    async assertAlive() {
      const answer = await request('ping', {});
      if (answer?.result === undefined) broken('its session does not answer any more');
    },
    get closed() {
      return streaming;
    },
  };
}
