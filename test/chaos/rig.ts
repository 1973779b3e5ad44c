import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { InstanceStatus } from '../../shared/mcp/manifest.ts';
import { type Entry, readJournal } from '../fixtures/scripted/journal.ts';
import type { Program } from '../fixtures/scripted/program.ts';
import { compileFixture } from '../helpers/compiled-fixture.ts';
import { agentWithKey } from '../helpers/keys.ts';
import { callTool, type RpcAnswer, textOf } from '../helpers/rpc.ts';
import { startIngress, startWorker, type Toolbus, type WorkerReadyLine } from '../helpers/toolbus.ts';
import { until } from '../helpers/until.ts';
import { type Broker, startBroker } from './broker.ts';
import { type CallRecord, judge } from './oracle.ts';

export type Worker = Toolbus<WorkerReadyLine>;

/** What the upstream's tool `run` is told. */
export interface RunArguments extends Omit<Program, 'id'> {
  /** Ignored by the upstream. */
  readonly padding?: string;
  /** Likewise; the audit must not hold it. */
  readonly password?: string;
}

export interface RigOptions {
  readonly workers?: number;
  /** Of each worker. */
  readonly concurrency?: number;
  readonly timeoutMs?: number;
  /** More of the server's configuration. */
  readonly server?: object;
  readonly limits?: object;
  readonly audit?: object;
  /** Agents beside the one that `call` is made as. */
  readonly agents?: readonly string[];
  /** Without a secret in the configuration: the ingress mints one. */
  readonly mintsSecret?: boolean;
  /** Directory of nats-server's streams, and that of the ingress with its spool; temporary ones without them. */
  readonly store?: string;
  readonly ingressDir?: string;
}

/** A call whose tool is done when the test says so. */
export interface HeldCall {
  readonly record: Promise<CallRecord>;
  release(): void;
}

export interface CallOptions {
  /** Name of another agent. */
  readonly agent?: string;
  /** Another tool than `scripted__run`. */
  readonly tool?: string;
  readonly signal?: AbortSignal;
  /** Another ingress than that of the start. */
  readonly at?: Toolbus;
}

/** What a rig needs of its NATS. */
export type RigBroker = Pick<Broker, 'url' | 'signal' | typeof Symbol.asyncDispose>;

/** nats-server, ingress and workers as separate processes, in front of upstreams that write down what they do. */
export interface Rig<Nats extends RigBroker = Broker> {
  readonly broker: Nats;
  readonly ingress: Toolbus;
  /** The file that ingress and workers were started with. */
  readonly config: object;
  /** The workers of the start and those added since. */
  readonly workers: readonly Worker[];
  /** Every call so far. */
  readonly records: readonly CallRecord[];
  /** What the ingress knows of the workers. */
  instances(): Promise<readonly InstanceStatus[]>;
  addWorker(): Promise<Worker>;
  /** Another ingress of the same configuration. */
  addIngress(): Promise<Toolbus>;
  /** Key of an agent; without a name, of the one that `call` is made as. */
  keyOf(agent?: string): string;
  /** Calls the upstream's tool `run`. Never rejects. */
  call(program?: RunArguments, options?: CallOptions): Promise<CallRecord>;
  /** The same, and what came over the wire. */
  ask(program?: RunArguments, options?: CallOptions): Promise<{ record: CallRecord; answer: RpcAnswer | undefined }>;
  holdCall(): HeldCall;
  journal(): Entry[];
  /** What the oracle has to say about all calls. */
  violations(): string[];
  [Symbol.asyncDispose](): Promise<void>;
}

const secret = 'chaos-chaos-chaos-chaos-chaos-chaos';

export async function openRig(options: RigOptions = {}): Promise<Rig> {
  return openRigOn(await startBroker({ store: options.store }), options);
}

/** The same on a NATS that was started before; the rig ends it. */
export async function openRigOn<Nats extends RigBroker>(broker: Nats, options: RigOptions): Promise<Rig<Nats>> {
  const { timeoutMs = 5_000, concurrency = 8 } = options;
  const dir = mkdtempSync(join(tmpdir(), 'toolbus-chaos-'));
  const journalFile = join(dir, 'journal');
  const upstream = compileFixture('scripted-upstream');
  const keys = new Map<string, string>();
  const agents: Record<string, object> = {};
  for (const name of ['tester', ...(options.agents ?? [])]) {
    const { key, agent } = agentWithKey();
    keys.set(name, key);
    agents[name] = agent;
  }
  const scripted = {
    command: process.execPath,
    args: [upstream, '--stdio'],
    env: { JOURNAL: journalFile },
    // The probe for the newer era costs a start of the upstream, and the scripted one is legacy.
    era: 'legacy',
    concurrency,
    timeoutMs,
    ...options.server,
  };
  const config = {
    servers: { scripted },
    agents,
    ...(options.mintsSecret !== true && { cluster: { secret } }),
    ...(options.limits && { limits: options.limits }),
    ...(options.audit && { audit: options.audit }),
  };
  const workers: Worker[] = [];
  const ingresses: Toolbus[] = [];
  const records: CallRecord[] = [];
  let next = 0;

  const addWorker = async (): Promise<Worker> => {
    const worker = await startWorker('scripted', broker.url, { config });
    workers.push(worker);
    return worker;
  };
  const addIngress = async (dir?: string): Promise<Toolbus> => {
    const started = await startIngress(broker.url, { config, ...(dir !== undefined && { dir }) });
    ingresses.push(started);
    return started;
  };
  const ingress = await addIngress(options.ingressDir);
  for (let count = 0; count < (options.workers ?? 1); count += 1) await addWorker();

  async function ask(
    program: RunArguments = {},
    { agent = 'tester', tool = 'scripted__run', signal, at = ingress }: CallOptions = {},
  ) {
    next += 1;
    const id = `n${next}`;
    const startedAt = performance.now();
    let answer: RpcAnswer | undefined;
    let message: string | undefined;
    try {
      answer = await callTool(
        at.ready.mcp,
        tool,
        { ...program, id },
        { key: keys.get(agent), ...(signal && { signal }) },
      );
    } catch (error) {
      message = error instanceof Error ? `${error.message}: ${String(error.cause ?? '')}` : String(error);
    }
    const record = recordOf(id, startedAt, answer, { message, cancelled: signal?.aborted === true });
    records.push(record);
    return { record, answer };
  }

  const call = async (program?: RunArguments, callOptions?: CallOptions) => (await ask(program, callOptions)).record;

  function holdCall(): HeldCall {
    const awaitFile = join(dir, `release-${next}`);
    return { record: call({ awaitFile }), release: () => writeFileSync(awaitFile, '') };
  }

  const instances = async (): Promise<readonly InstanceStatus[]> => {
    const { servers } = (await (await fetch(`${ingress.ready.admin}/api/servers`)).json()) as {
      servers: ReadonlyArray<{ readonly name: string; readonly instances: readonly InstanceStatus[] }>;
    };
    return servers.find(({ name }) => name === 'scripted')?.instances ?? [];
  };
  await until('the ingress knows every worker', async () => {
    const ready = (await instances()).filter(({ state }) => state === 'ready');
    return ready.length === workers.length;
  });

  return {
    broker,
    ingress,
    config,
    workers,
    records,
    instances,
    addWorker,
    addIngress: () => addIngress(),
    keyOf: (agent = 'tester') => keys.get(agent) ?? '',
    ask,
    call,
    holdCall,
    journal: () => readJournal(journalFile),
    violations: () => judge(records, readJournal(journalFile), { timeoutMs }),
    async [Symbol.asyncDispose]() {
      for (const worker of workers) worker.signal('SIGCONT');
      for (const each of ingresses) each.signal('SIGCONT');
      // A frozen broker would keep them from saying goodbye.
      broker.signal('SIGCONT');
      await Promise.allSettled([...ingresses, ...workers].map((toolbus) => toolbus[Symbol.asyncDispose]()));
      await broker[Symbol.asyncDispose]();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function recordOf(
  id: string,
  startedAt: number,
  answer: RpcAnswer | undefined,
  { message, cancelled }: { message: string | undefined; cancelled: boolean },
): CallRecord {
  const endedAt = performance.now();
  const common = { id, startedAt, endedAt };
  if (answer?.response === undefined) {
    const outcome = cancelled ? 'cancelled' : 'connection_lost';
    return { ...common, status: answer?.status ?? 0, responses: 0, outcome, text: answer?.text ?? '', message };
  }
  const { response, before, status } = answer;
  const responses = 1 + before.filter(({ method }) => method === undefined).length;
  if (response.error === undefined) return { ...common, status, responses, outcome: 'ok', text: textOf(answer) };
  const { data, message: said } = response.error;
  const word = (value: unknown) => (typeof value === 'string' ? value : undefined);
  return {
    ...common,
    status,
    responses,
    outcome: 'error',
    text: '',
    message: said,
    reason: word(data?.['reason']),
    executed: word(data?.['executed']),
  };
}
