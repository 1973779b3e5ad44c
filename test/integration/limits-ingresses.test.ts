import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { type Core, openCore } from '../../services/ingress/core.ts';
import { requestOf } from '../../services/ingress/methods/testing/harness.ts';
import { startWorker } from '../../services/worker/main.ts';
import { type Config, configSchema } from '../../shared/config/schema.ts';
import { GatewayError } from '../../shared/errors.ts';
import type { Principal } from '../../shared/mcp/call.ts';
import { compileUpstream } from '../chaos/compiled-upstream.ts';
import { startNats } from '../helpers/nats.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

const log = pino({ level: 'silent' });

/** Several ingresses without their listeners, on a real NATS, in front of one real worker with the scripted upstream. */
async function startCores(
  count: number,
  limited: { readonly server?: object; readonly agent?: object; readonly limits?: object },
) {
  const scripted = {
    command: process.execPath,
    args: [await compileUpstream(), '--stdio'],
    era: 'legacy',
    concurrency: 64,
    ...limited.server,
  };
  const agents = { ann: { allow: ['*'], ...limited.agent }, bob: { allow: ['*'] } };
  let config = configSchema.parse({ servers: { scripted }, agents, ...(limited.limits && { limits: limited.limits }) });
  const nats = await startNats();
  const bus = { url: nats.url };
  const own = config.servers['scripted'];
  assert.ok(own);
  const worker = await startWorker({ server: 'scripted', config: own, bus, tenant: 'default', log });
  const cores = await Promise.all(
    Array.from({ length: count }, () => openCore({ bus, tenant: 'default', log, config: () => config })),
  );
  await worker.settled;
  const [first] = cores;
  assert.ok(first);
  await until('the tool is known', () => cores.every(({ catalog }) => catalog.manifest('scripted') !== undefined));
  return {
    cores,
    first,
    setConfig: (next: Config) => void (config = next),
    config: () => config,
    async [Symbol.asyncDispose]() {
      await Promise.all(cores.map((core) => core.close()));
      await worker.close(500);
      await nats[Symbol.asyncDispose]();
    },
  };
}

interface Asked {
  readonly agent?: string;
  readonly tool?: string;
  readonly delayMs?: number;
  readonly signal?: AbortSignal;
  readonly method?: string;
}

let calls = 0;

/** `ok`, the reason of a refusal, or the code of an error. */
async function ask(
  core: Core,
  { agent = 'ann', tool = 'scripted__run', delayMs, signal, method }: Asked = {},
): Promise<string> {
  calls += 1;
  const principal: Principal = { id: agent, method: 'key' };
  const params = { name: tool, arguments: { id: `c${calls}`, ...(delayMs && { delayMs }) } };
  const request = requestOf(method ?? 'tools/call', params, {
    callId: `c${calls}`,
    principal,
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

function tallyOf(outcomes: readonly string[]): Record<string, number> {
  const tally: Record<string, number> = {};
  for (const outcome of outcomes) tally[outcome] = (tally[outcome] ?? 0) + 1;
  return tally;
}

test('limits of ingresses - three of them run as many calls of a server as one would', async (t) => {
  verifies('limits:shared');
  await using rig = await startCores(3, { server: { limits: { rate: '60/s', burst: 90 } } });
  // The first call of each ingress compiles the tool's schema.
  for (const core of rig.cores) assert.equal(await ask(core), 'ok');
  await delay(500);
  const startedAt = performance.now();
  const outcomes: Promise<string>[] = [];
  // Three times the rate, made up for where this process was held up.
  for (let offered = 0, elapsedMs = 0; elapsedMs < 5_000; elapsedMs = performance.now() - startedAt) {
    for (; offered < (elapsedMs * 180) / 1000; offered += 1) {
      const core = rig.cores[offered % 3];
      if (core) outcomes.push(ask(core));
    }
    await delay(5);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  const tally = tallyOf(await Promise.all(outcomes));
  const wanted = 90 + 60 * seconds;
  t.diagnostic(`${JSON.stringify(tally)}, expected ${Math.round(wanted)}`);
  assert.deepEqual(Object.keys(tally).sort(), ['ok', 'rate_limited']);
  const ok = tally['ok'] ?? 0;
  assert.ok(ok >= wanted * 0.9 && ok <= wanted * 1.1, `${ok} for ${wanted}`);
});

test('limits of ingresses - nothing leaks, however calls end', async () => {
  verifies('limits:no-leak');
  await using rig = await startCores(1, {
    server: { limits: { concurrency: 4 }, timeoutMs: 400 },
    agent: { limits: { concurrency: 4 } },
    limits: { concurrency: 6 },
  });
  const gone = new AbortController();
  const ends = [
    ask(rig.first),
    ask(rig.first, { delayMs: 5_000, signal: gone.signal }),
    ask(rig.first, { delayMs: 5_000 }),
    ask(rig.first, { tool: 'scripted__no_such_tool' }),
    ask(rig.first, { agent: 'bob', method: 'prompts/get', tool: 'nothing' }),
  ];
  await delay(100);
  gone.abort(new Error('gone'));
  assert.deepEqual(await Promise.all(ends), ['ok', 'cancelled', 'upstream_timeout', '-32602', '-32602']);
  await until('all is given back', () => [...rig.first.limits.states()].every(({ inFlight }) => inFlight === 0));
  const four = await Promise.all(Array.from({ length: 5 }, () => ask(rig.first, { delayMs: 100 })));
  assert.deepEqual(tallyOf(four), { ok: 4, rate_limited: 1 });
});

test('limits of ingresses - unknown names count, lists do not, and a changed limit applies at once', async () => {
  verifies('limits:reload');
  await using rig = await startCores(1, { agent: { limits: { rate: '1/m', burst: 5 } } });
  const unknown = await Promise.all(Array.from({ length: 8 }, () => ask(rig.first, { tool: 'guess' })));
  assert.deepEqual(tallyOf(unknown), { '-32602': 5, rate_limited: 3 });
  assert.equal(await ask(rig.first, { method: 'tools/list' }), 'ok');
  assert.equal(await ask(rig.first, { agent: 'bob' }), 'ok');
  const before = rig.config();
  rig.setConfig(
    configSchema.parse({
      ...before,
      agents: { ...before.agents, ann: { allow: ['*'], limits: { rate: '1/m', burst: 7 } } },
    }),
  );
  const more = await Promise.all(Array.from({ length: 4 }, () => ask(rig.first)));
  assert.deepEqual(tallyOf(more), { ok: 2, rate_limited: 2 });
});
