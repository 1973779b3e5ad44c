import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { startFixture } from '../../helpers/fixture.ts';
import { agentWithKey } from '../../helpers/keys.ts';
import { startWorker } from '../../helpers/toolbus.ts';
import { until } from '../../helpers/until.ts';
import { startBroker } from '../broker.ts';
import { startIngresses } from './ingresses.ts';
import { createLegacyAgent, type LegacyAgent } from './legacy-agent.ts';
import { createModernAgent } from './modern-agent.ts';
import { createTally } from './oracle.ts';
import { createRandom } from './random.ts';
import { startRandomProxy } from './random-proxy.ts';
import type { World } from './world.ts';

export interface NemesisOptions {
  readonly seed: number;
  readonly seconds: number;
  /** Milliseconds between two kills. */
  readonly killEveryMs: number;
  readonly legacyAgents: number;
  readonly modernAgents: number;
  readonly thinkMs: readonly [number, number];
  readonly ingresses?: number;
  readonly workers?: number;
}

export interface NemesisReport {
  readonly seed: number;
  readonly kills: number;
  readonly touches: number;
  readonly seconds: number;
  /** How often what happened. */
  readonly counts: Readonly<Record<string, number>>;
  readonly violations: readonly string[];
}

const notes = 20;
/** Workers that share a server tell of one change twice within half a second; two changes of a note are further apart. */
const touchEveryMs = 2_000;
const settleMs = 60_000;

/** Runs agents of both eras through a proxy that never sticks while ingresses are killed, and judges what they have seen. */
export async function runNemesis(options: NemesisOptions): Promise<NemesisReport> {
  const random = createRandom(options.seed);
  const tally = createTally();
  const agents = Array.from({ length: 4 }, () => agentWithKey());
  await using broker = await startBroker();
  await using notebook = await startFixture('notebook');
  const config = {
    servers: { notebook: { url: notebook.url, era: 'legacy', concurrency: 256, timeoutMs: 60_000 } },
    agents: Object.fromEntries(agents.map(({ agent }, at) => [`agent${at}`, agent])),
    audit: { mode: 'best-effort' },
    cluster: { secret: 'nemesis-nemesis-nemesis-nemesis-nemesis' },
  };
  const workers = await Promise.all(
    Array.from({ length: options.workers ?? 2 }, () => startWorker('notebook', broker.url, { config })),
  );
  try {
    await using ingresses = await startIngresses(options.ingresses ?? 3, broker.url, config);
    await using proxy = await startRandomProxy(ingresses.origins, random.fork('proxy'));
    const enough = new AbortController();
    const over = new AbortController();
    // Every exchange of every agent listens to them.
    setMaxListeners(0, enough.signal, over.signal);
    const world: World = {
      mcp: proxy.mcp,
      verdicts: tally,
      enough: enough.signal,
      over: over.signal,
      thinkMs: options.thinkMs,
    };
    const agentOptions = (kind: string, at: number) => ({
      name: `${kind}${at}`,
      key: agents[at % agents.length]?.key ?? '',
      note: `note://${at % notes}`,
      random: random.fork(`${kind}${at}`),
    });
    const legacy = Array.from({ length: options.legacyAgents }, (_, at) =>
      createLegacyAgent(world, agentOptions('L', at)),
    );
    const modern = Array.from({ length: options.modernAgents }, (_, at) =>
      createModernAgent(world, agentOptions('M', at)),
    );
    const everybody = [...legacy, ...modern];
    await Promise.all(everybody.map((agent) => agent.open()));

    const begun = performance.now();
    const touched = Array.from({ length: notes }, () => 0);
    const running = Promise.all(everybody.map((agent) => agent.run()));
    const touching = touchNotes(notebook.url, touched, enough.signal);
    while (performance.now() - begun < options.seconds * 1_000) {
      await delay(options.killEveryMs);
      if (!ingresses.killOne()) tally.count('kill put off: one ingress must live');
    }
    enough.abort();
    await Promise.all([running, touching]);
    await ingresses.settled();
    await until(
      'every change is told',
      () => legacy.every((agent, at) => hasHeard(agent, touched[at % notes] ?? 0)),
      settleMs,
    ).catch(() => undefined);
    legacy.forEach((agent, at) => {
      const expected = Array.from({ length: touched[at % notes] ?? 0 }, (_, n) => n + 1).join();
      if (agent.told.join() !== expected) tally.violation(`legacy L${at} was told ${agent.told.join()} of ${expected}`);
    });
    await Promise.all(legacy.map((agent) => agent.assertAlive()));
    over.abort();
    await Promise.all(everybody.map((agent) => agent.closed));
    return {
      seed: options.seed,
      kills: ingresses.kills,
      touches: touched.reduce((sum, count) => sum + count, 0),
      seconds: Math.round((performance.now() - begun) / 1_000),
      counts: tally.counts,
      violations: tally.violations,
    };
  } finally {
    await Promise.allSettled(workers.map((worker) => worker[Symbol.asyncDispose]()));
  }
}

function hasHeard(agent: LegacyAgent, revision: number): boolean {
  return revision === 0 || agent.told.includes(revision);
}

/** Changes one note after another. */
async function touchNotes(url: string, touched: number[], enough: AbortSignal): Promise<void> {
  for (let turn = 0; !enough.aborted; turn += 1) {
    const note = turn % touched.length;
    const answer = await fetch(new URL(`/touch?note=${note}`, url), { method: 'POST' });
    const { revision } = (await answer.json()) as { readonly revision: number };
    touched[note] = revision;
    await delay(touchEveryMs / 10, undefined, { signal: enough }).catch(() => undefined);
  }
}
