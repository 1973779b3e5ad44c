import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { createLimits, type Limits, type Pass } from '../../services/ingress/limits/limits.ts';
import { connectBus } from '../../shared/bus/connect.ts';
import { createLimitShares } from '../../shared/bus/limit-shares.ts';
import { subjectsOf } from '../../shared/bus/subjects.ts';
import { type Config, configSchema } from '../../shared/config/schema.ts';
import { GatewayError } from '../../shared/errors.ts';
import { startBroker } from '../chaos/broker.ts';
import { undisturbed } from '../helpers/standstill.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

const log = pino({ level: 'silent' });
const ann = { id: 'ann', method: 'key' } as const;

/** The limits of one ingress on a connection of its own. */
interface Node {
  readonly limits: Limits;
  /** Gone without a word, as by SIGKILL. */
  die(): Promise<void>;
  close(): Promise<void>;
}

/** Nodes that end with the test, also when it fails: a connection that comes back again and again keeps the process. */
async function startNodes(url: string, names: readonly string[], config: Config) {
  const nodes = await Promise.all(names.map((name) => startNode(url, name, config)));
  const close = async (): Promise<void> => void (await Promise.all(nodes.map((node) => node.close())));
  return Object.assign(nodes, { [Symbol.asyncDispose]: close });
}

async function startNode(url: string, name: string, config: Config): Promise<Node> {
  const nc = await connectBus({ url, name, log });
  const limits = createLimits({
    config: () => config,
    join: (listener) => createLimitShares({ nc, subjects: subjectsOf(), ingress: name, log }, listener),
  });
  await nc.flush();
  return {
    limits,
    die: () => nc.close(),
    async close() {
      limits.close();
      await nc.close();
    },
  };
}

function enter(limits: Limits): Pass | undefined {
  try {
    return limits.admit(ann);
  } catch (error) {
    assert.ok(error instanceof GatewayError);
    return undefined;
  }
}

/** Offers `perSecond` calls to a node for a while, and counts those that came through. */
async function offer(node: Node, perSecond: number, forMs: number): Promise<number> {
  const startedAt = performance.now();
  let offered = 0;
  let admitted = 0;
  for (;;) {
    const elapsed = performance.now() - startedAt;
    for (; offered < (Math.min(elapsed, forMs) * perSecond) / 1000; offered += 1) {
      const pass = enter(node.limits);
      if (pass === undefined) continue;
      admitted += 1;
      pass.leave();
    }
    if (elapsed >= forMs) return admitted;
    await delay(2);
  }
}

/** A node keeps its part of the bucket for so long, at least; what is offered after a longer pause finds it full, and is lost. */
const allowedMs = 80;

/** More than a limit allows is never right. Less is, where this process, and so what it offers, stood still. */
function assertRate(said: (text: string) => void, what: string, sum: number, wanted: number, stoodMs: number): void {
  if (stoodMs <= allowedMs) {
    assertNear(said, what, sum, wanted);
    return;
  }
  said(`${what}: ${sum} for ${Math.round(wanted)}, of a process that stood still for ${Math.round(stoodMs)} ms`);
  assert.ok(sum > 0 && sum <= wanted * 1.1, `${what}: ${sum}, expected at most ${Math.round(wanted)}`);
}

function assertNear(said: (text: string) => void, what: string, got: number, wanted: number): void {
  said(`${what}: ${got} for ${Math.round(wanted)} (${((got / wanted - 1) * 100).toFixed(1)} %)`);
  assert.ok(got <= wanted * 1.1 && got >= wanted * 0.9, `${what}: ${got}, expected ${Math.round(wanted)} within 10 %`);
}

const limited = (limits: object) => configSchema.parse({ agents: { ann: { limits } } });

test('shared limits - three ingresses together give the rate of one, however the calls are spread', async (t) => {
  verifies('limits:shared');
  await using broker = await startBroker();
  const config = limited({ rate: '400/s', burst: 100 });
  await using nodes = await startNodes(broker.url, ['A', 'B', 'C'], config);
  await delay(100);
  const say = (text: string) => t.diagnostic(text);
  for (const [name, shares] of [
    ['evenly', [800, 800, 800]],
    ['90 to 10', [1800, 100, 100]],
    ['one alone', [2000, 0, 0]],
  ] as const) {
    const round = async () => {
      // The bucket is full again before each round.
      await delay(600);
      const startedAt = performance.now();
      const admitted = await Promise.all(nodes.map((node, at) => offer(node, shares[at] ?? 0, 4_000)));
      return { admitted, seconds: (performance.now() - startedAt) / 1000 };
    };
    const { value, stoodMs } = await undisturbed(round, { allowedMs });
    const sum = value.admitted.reduce((total, each) => total + each, 0);
    say(`${name}: ${value.admitted.join(' + ')}`);
    assertRate(say, name, sum, 100 + 400 * value.seconds, stoodMs);
  }
});

test('shared limits - a small rate that comes all at once, and a newcomer, bring no second burst', async (t) => {
  await using broker = await startBroker();
  const config = limited({ rate: '5/s', burst: 60 });
  await using pair = await startNodes(broker.url, ['A', 'B'], config);
  const [first, second] = pair;
  assert.ok(first && second);
  await delay(100);
  const startedAt = performance.now();
  const early = await Promise.all([offer(first, 3_000, 500), offer(second, 3_000, 500)]);
  await using late = await startNodes(broker.url, ['C'], config);
  await delay(200);
  const afterwards = await Promise.all([...pair, ...late].map((node) => offer(node, 300, 8_000)));
  const seconds = (performance.now() - startedAt) / 1000;
  const sum = [...early, ...afterwards].reduce((total, each) => total + each, 0);
  t.diagnostic(`${early.join(' + ')}, then ${afterwards.join(' + ')}`);
  assertNear((text) => t.diagnostic(text), 'small rate', sum, 60 + 5 * seconds);
});

test('shared limits - calls in flight are counted together', async (t) => {
  await using broker = await startBroker();
  const config = limited({ concurrency: 30 });
  await using nodes = await startNodes(broker.url, ['A', 'B', 'C'], config);
  await delay(100);
  let inFlight = 0;
  let over = false;
  const work = async (node: Node): Promise<void> => {
    while (!over) {
      const pass = enter(node.limits);
      if (pass === undefined) {
        await delay(5 + Math.random() * 10);
        continue;
      }
      inFlight += 1;
      await delay(40 + Math.random() * 40);
      inFlight -= 1;
      pass.leave();
    }
  };
  const workers = nodes.flatMap((node) => Array.from({ length: 25 }, () => work(node)));
  await delay(500);
  const samples: number[] = [];
  for (let count = 0; count < 300; count += 1) {
    await delay(10);
    samples.push(inFlight);
  }
  over = true;
  await Promise.all(workers);
  const mean = samples.reduce((total, each) => total + each, 0) / samples.length;
  t.diagnostic(`in flight: mean ${mean.toFixed(1)}, most ${Math.max(...samples)}, of 30`);
  assert.ok(mean <= 33 && mean >= 27, `in flight: ${mean}`);
});

test('shared limits - slots of an ingress that says goodbye are free at once, of one that dies soon', async () => {
  await using broker = await startBroker();
  const config = limited({ concurrency: 20 });
  await using nodes = await startNodes(broker.url, ['A', 'B', 'C'], config);
  const [stays, dies, leaves] = nodes;
  assert.ok(stays && dies && leaves);
  await delay(100);
  const room = (): number => {
    const passes = Array.from({ length: 25 }, () => enter(stays.limits)).filter((pass) => pass !== undefined);
    for (const pass of passes) pass.leave();
    return passes.length;
  };
  for (let count = 0; count < 12; count += 1) enter(dies.limits);
  for (let count = 0; count < 5; count += 1) enter(leaves.limits);
  await until('both are counted', () => room() === 3);
  await leaves.close();
  await until('the goodbye is heard', () => room() === 8, 3_000);
  // Longer than the time after which a silent ingress is given up: it lives.
  await delay(4_500);
  assert.equal(room(), 8);
  await dies.die();
  await until('the dead one is noticed', () => room() === 20, 8_000);
});

test('shared limits - while NATS is away each ingress has its part, and afterwards they share again', async (t) => {
  await using broker = await startBroker();
  const config = limited({ rate: '300/s', burst: 30 });
  await using nodes = await startNodes(broker.url, ['A', 'B', 'C'], config);
  await delay(100);
  const all = async (perSecond: number, forMs: number): Promise<number> => {
    const admitted = await Promise.all(nodes.map((node) => offer(node, perSecond, forMs)));
    return admitted.reduce((total, each) => total + each, 0);
  };
  await all(600, 1_000);
  await broker.kill();
  await delay(500);
  const away = await all(600, 3_000);
  t.diagnostic(`without NATS: ${away} for ${300 * 3} and at most a burst`);
  // A machine that stands still loses what a bucket of 30 cannot hold, so only the upper bound is close.
  assert.ok(away <= (300 * 3 + 30) * 1.1 && away >= 300 * 3 * 0.25, `${away}`);
  await broker.restart();
  await delay(2_500);
  await all(600, 500);
  const { value, stoodMs } = await undisturbed(
    async () => {
      const startedAt = performance.now();
      const back = await all(600, 3_000);
      return { back, wanted: (300 * (performance.now() - startedAt)) / 1000 };
    },
    { allowedMs },
  );
  assertRate((text) => t.diagnostic(text), 'with NATS again', value.back, value.wanted, stoodMs);
});

test('shared limits - nothing is said while nothing happens', async () => {
  await using broker = await startBroker();
  const config = limited({ rate: '100/s', concurrency: 10 });
  await using nodes = await startNodes(broker.url, ['A', 'B'], config);
  const listener = await connectBus({ url: broker.url, name: 'listener', log });
  await using _listener = { [Symbol.asyncDispose]: () => listener.close() };
  let messages = 0;
  listener.subscribe(subjectsOf().limits(), {
    callback() {
      messages += 1;
    },
  });
  await listener.flush();
  const [first] = nodes;
  assert.ok(first);
  enter(first.limits)?.leave();
  await until('the call is told of', () => messages > 0);
  await delay(2_500);
  const said = messages;
  await delay(3_000);
  assert.equal(messages, said);
});
