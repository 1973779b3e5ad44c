import assert from 'node:assert/strict';
import { pino } from 'pino';
import { type Core, openCore } from '../../services/ingress/core.ts';
import { requestOf } from '../../services/ingress/methods/testing/harness.ts';
import { startWorker } from '../../services/worker/main.ts';
import { type Config, configSchema } from '../../shared/config/schema.ts';
import { GatewayError } from '../../shared/errors.ts';
import { fixtureCommand } from './fixture.ts';
import { startNats } from './nats.ts';
import { until } from './until.ts';

/** Several ingresses without their listeners, in this process, on a real NATS, in front of one real worker with the scripted upstream. */
export interface Cores extends AsyncDisposable {
  readonly cores: readonly Core[];
  readonly first: Core;
  config(): Config;
  /** Puts it in force at all of them. */
  setConfig(config: Config): void;
}

export interface CoresOptions {
  /** More of the server's configuration. */
  readonly server?: object;
  /** Configurations of agents by name, besides that they may use everything. */
  readonly agents: Readonly<Record<string, object>>;
  readonly limits?: object;
}

const log = pino({ level: 'silent' });

export async function startCores(count: number, options: CoresOptions): Promise<Cores> {
  const scripted = {
    ...fixtureCommand('scripted-upstream', ['--stdio']),
    era: 'legacy',
    concurrency: 64,
    ...options.server,
  };
  const agents = Object.fromEntries(
    Object.entries(options.agents).map(([name, agent]) => [name, { allow: ['*'], ...agent }]),
  );
  let config = configSchema.parse({ servers: { scripted }, agents, ...(options.limits && { limits: options.limits }) });
  const own = config.servers['scripted'];
  assert.ok(own);
  const nats = await startNats();
  const common = { bus: { url: nats.url }, tenant: 'default', log };
  const cores = await Promise.all(Array.from({ length: count }, () => openCore({ ...common, config: () => config })));
  const callKeys = Promise.resolve(cores[0]?.callKeysOf('scripted') ?? []);
  const worker = await startWorker({ ...common, server: 'scripted', config: own, callKeys });
  await worker.settled;
  const [first] = cores;
  assert.ok(first);
  await until('the tool is known', () => cores.every(({ catalog }) => catalog.manifest('scripted') !== undefined));
  return {
    cores,
    first,
    config: () => config,
    setConfig(next) {
      config = next;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(cores.map((core) => core.close()));
      await worker.close(500);
      await nats[Symbol.asyncDispose]();
    },
  };
}

export interface Asked {
  readonly agent: string;
  readonly tool?: string;
  readonly delayMs?: number;
  readonly signal?: AbortSignal;
  readonly method?: string;
}

/** One call of the scripted tool: `ok`, the reason of a refusal, `cancelled`, or the code of an error. Never rejects. */
export async function ask(
  core: Core,
  { agent, tool = 'scripted__run', delayMs, signal, method }: Asked,
): Promise<string> {
  const params = { name: tool, arguments: { id: 'any', ...(delayMs && { delayMs }) } };
  const request = requestOf(method ?? 'tools/call', params, {
    principal: { id: agent, method: 'key' },
    receivedAt: performance.now(),
    ...(signal && { signal }),
  });
  try {
    const reply = await core.handle(request);
    return reply.kind === 'result' ? 'ok' : String(reply.error.code);
  } catch (error) {
    return error instanceof GatewayError ? error.reason : 'cancelled';
  }
}
