import { setTimeout as delay } from 'node:timers/promises';
import { modernVersion, type RpcMessage } from '../../helpers/rpc.ts';
import { type Exchanged, exchange } from './exchange.ts';
import { witnessCall } from './oracle.ts';
import { pause, planCall, work } from './workload.ts';
import type { AgentOptions, World } from './world.ts';

/** An agent of 2026-07-28: a listen stream, opened again when it breaks, and calls one after another. */
export interface ModernAgent {
  /** Resolves with the first acknowledgement. */
  open(): Promise<void>;
  run(): Promise<void>;
  readonly closed: Promise<void>;
}

const meta = (name: string, more: object = {}) => ({
  'io.modelcontextprotocol/protocolVersion': modernVersion,
  'io.modelcontextprotocol/clientInfo': { name, version: '1' },
  'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} } },
  ...more,
});
const subscriptionId = 'io.modelcontextprotocol/subscriptionId';

export function createModernAgent(world: World, options: AgentOptions): ModernAgent {
  const { name, key, note, random } = options;
  const { mcp, verdicts, over } = world;
  let calls = 0;
  let streaming: Promise<void> = Promise.resolve();
  const broken = (text: string) => verdicts.violation(`modern ${name}: ${text}`);

  function headers(method: string, target?: string): Record<string, string> {
    return {
      authorization: `Bearer ${key}`,
      'mcp-protocol-version': modernVersion,
      'mcp-method': method,
      ...(target !== undefined && { 'mcp-name': target }),
    };
  }

  async function keepListening(acknowledged: () => void): Promise<void> {
    for (let n = 1; !over.aborted; n += 1) {
      const id = `${name}.l${n}`;
      let newest = 0;
      let first = true;
      const opened = await exchange(mcp, {
        method: 'POST',
        headers: headers('subscriptions/listen'),
        body: {
          jsonrpc: '2.0',
          id,
          method: 'subscriptions/listen',
          params: { notifications: { resourceSubscriptions: [note] }, _meta: meta(name) },
        },
        signal: over,
        onMessage({ method, params, result }) {
          const said = (params?.['_meta'] ?? result?.['_meta'] ?? {}) as Readonly<Record<string, unknown>>;
          if (result === undefined && said[subscriptionId] !== id)
            return broken(`${id} got a message of ${String(said[subscriptionId])}`);
          if (first && method !== 'notifications/subscriptions/acknowledged' && result === undefined)
            return broken(`${id} got ${String(method)} before the acknowledgement`);
          first = false;
          if (method === 'notifications/subscriptions/acknowledged') return acknowledged();
          if (method !== 'notifications/resources/updated') return;
          if (params?.['uri'] !== note) return broken(`was told of ${String(params?.['uri'])}`);
          const { revision } = said as { readonly revision: number };
          if (revision <= newest) broken(`was told of revision ${revision} after ${newest}`);
          newest = revision;
          verdicts.count('modern updates');
        },
      });
      if (over.aborted) return;
      if (![0, 200, 502, 503].includes(opened.status)) broken(`listening got ${opened.status}`);
      verdicts.count('listen broken');
      await pause(random);
    }
  }

  /** One call; false when its connection broke and nothing is left to come back to. */
  async function call(deadline: number): Promise<boolean> {
    calls += 1;
    const id = `${name}.c${calls}`;
    const plan = planCall(id, random);
    let more: object = {};
    const witness = witnessCall(plan, id, verdicts);
    for (let round = 1; round <= 3; round += 1) {
      const requestId = `${id}.${round}`;
      let answer: RpcMessage | undefined;
      const sent: Exchanged = await exchange(mcp, {
        method: 'POST',
        headers: headers('tools/call', 'notebook__work'),
        body: {
          jsonrpc: '2.0',
          id: requestId,
          method: 'tools/call',
          params: {
            name: 'notebook__work',
            arguments: plan,
            ...more,
            _meta: meta(name, { progressToken: id, 'io.modelcontextprotocol/logLevel': 'debug' }),
          },
        },
        signal: AbortSignal.any([over, AbortSignal.timeout(Math.max(1_000, deadline - Date.now()))]),
        onMessage(message) {
          if (message.method !== undefined) witness.take(message);
          else if (message.id === requestId) answer = message;
          else broken(`${requestId} got the answer to ${String(message.id)}`);
        },
      });
      if (answer === undefined) {
        const ended = sent.complete && sent.status !== 502;
        if (ended && !over.aborted) broken(`${id}: ended with ${sent.status} and no answer`);
        verdicts.count('modern connection lost');
        return false;
      }
      if (answer.result?.['resultType'] !== 'input_required') {
        witness.take({ ...answer, id });
        witness.judge();
        return true;
      }
      const questions = Object.entries((answer.result['inputRequests'] ?? {}) as Record<string, RpcMessage>);
      for (const [, question] of questions) witness.take(question);
      more = {
        requestState: answer.result['requestState'],
        inputResponses: Object.fromEntries(
          questions.map(([question]) => [question, { action: 'accept', content: { echo: id } }]),
        ),
      };
      await delay(random.between(0, 100));
    }
    broken(`${id}: was asked again and again`);
    return true;
  }

  return {
    open: () =>
      new Promise((resolve) => {
        streaming = keepListening(resolve);
      }),
    run: () => work(world, options, { call, broken }),
    get closed() {
      return streaming;
    },
  };
}
