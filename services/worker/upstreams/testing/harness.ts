import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { type ServerConfig, serverSchema } from '../../../../shared/config/schema.ts';
import type { AgentContext, Call, CallNotification } from '../../../../shared/mcp/call.ts';
import type { JsonObject } from '../../../../shared/mcp/json.ts';
import type { Manifest } from '../../../../shared/mcp/manifest.ts';
import { latestLegacy, latestModern } from '../../../../shared/mcp/revisions.ts';
import { type OpenUpstreamOptions, openUpstream } from '../open-upstream.ts';
import type { Upstream, UpstreamAnswer, UpstreamState } from '../upstream.ts';

/** A config as the config loader would give it. */
export function configOf(partial: Record<string, unknown>): ServerConfig {
  return serverSchema.parse(partial);
}

export const fixture = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Arguments that make `node` run a fixture written in TypeScript. */
export const nodeArgs = (name: string, ...args: string[]): string[] => ['--import', 'tsx', fixture(name), ...args];

/** An upstream under test with everything it said. */
export interface TestUpstream extends AsyncDisposable {
  readonly upstream: Upstream;
  readonly manifests: Manifest[];
  readonly states: UpstreamState[];
  readonly updated: JsonObject[];
  /** Ids of watched tasks that changed. */
  readonly changedTasks: string[];
  /** Resolves with the first manifest that satisfies the condition, past ones included. */
  manifest(condition?: (manifest: Manifest) => boolean): Promise<Manifest>;
  state(wanted: UpstreamState['state'], after?: number): Promise<UpstreamState>;
  until<T>(look: () => T | undefined): Promise<T>;
}

export async function openTestUpstream(
  config: Record<string, unknown>,
  options: Partial<Pick<OpenUpstreamOptions, 'eraCache' | 'url'>> = {},
): Promise<TestUpstream> {
  const manifests: Manifest[] = [];
  const states: UpstreamState[] = [];
  const updated: JsonObject[] = [];
  const changedTasks: string[] = [];
  const looks = new Set<() => void>();
  const tell =
    <T>(list: T[]) =>
    (item: T) => {
      list.push(item);
      for (const look of looks) look();
    };
  const upstream = await openUpstream({
    name: 'test',
    config: configOf(config),
    env: process.env,
    log: pino({ level: process.env['TEST_LOG'] ?? 'silent' }),
    events: {
      onManifest: tell(manifests),
      onState: tell(states),
      onResourceUpdated: tell(updated),
      onTaskChanged: tell(changedTasks),
    },
    ...options,
  });
  function until<T>(look: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        looks.delete(check);
        reject(new Error(`did not happen in 20 s; states: ${JSON.stringify(states)}`));
      }, 20_000);
      const check = () => {
        const found = look();
        if (found === undefined) return;
        clearTimeout(timer);
        looks.delete(check);
        resolve(found);
      };
      looks.add(check);
      check();
    });
  }
  return {
    upstream,
    manifests,
    states,
    updated,
    changedTasks,
    until,
    manifest: (condition = () => true) => until(() => manifests.find(condition)),
    state: (wanted, after = 0) => until(() => states.slice(after).find(({ state }) => state === wanted)),
    [Symbol.asyncDispose]: () => upstream.close(),
  };
}

export const legacyAgent: AgentContext = {
  protocolVersion: latestLegacy,
  capabilities: { elicitation: { form: {} }, roots: {} },
};
export const modernAgent: AgentContext = {
  protocolVersion: latestModern,
  capabilities: { elicitation: { form: {} }, roots: {} },
  clientInfo: { name: 'agent', version: '1' },
};

let callCount = 0;

/** A tool call as the ingress makes it. */
export function callOf(tool: string, more: Partial<Call> = {}, args: JsonObject = {}): Call {
  callCount += 1;
  return {
    id: `call-${callCount}`,
    server: 'test',
    method: 'tools/call',
    target: tool,
    params: { name: tool, arguments: args },
    agent: modernAgent,
    principal: { id: 'tester', method: 'key' },
    wantsProgress: false,
    timeoutMs: 10_000,
    headers: {},
    ...more,
  };
}

export interface Ran {
  readonly answer: UpstreamAnswer;
  readonly notifications: CallNotification[];
}

export async function run(upstream: Upstream, call: Call, signal = AbortSignal.timeout(15_000)): Promise<Ran> {
  const notifications: CallNotification[] = [];
  const options = { signal, onNotification: (one: CallNotification) => void notifications.push(one) };
  const answer = await (call.park === undefined ? upstream.call(call, options) : upstream.resume(call, options));
  return { answer, notifications };
}

/** The text of a tool's first content block. */
export function textOf(answer: UpstreamAnswer): string {
  if (answer.kind === 'error') throw new Error(`error ${answer.error.code}: ${answer.error.message}`);
  const content = answer.result['content'] as { text: string }[] | undefined;
  return content?.[0]?.text ?? JSON.stringify(answer.result);
}

export interface TestServer extends AsyncDisposable {
  readonly url: string;
  readonly child: ChildProcess;
}

/** Starts a server that prints its URL on the first line of stdout. */
export async function startServer(args: readonly string[], env: Record<string, string> = {}): Promise<TestServer> {
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  const lines = createInterface({ input: child.stdout });
  const [url] = (await once(lines, 'line', { signal: AbortSignal.timeout(20_000) })) as [string];
  return {
    url,
    child,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}
