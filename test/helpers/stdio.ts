import { type ChildProcess, spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { StdioClientTransport as StdioV2 } from '@modelcontextprotocol/client/stdio';
import { StdioClientTransport as StdioV1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { type Agent, openV1, openV2On } from './agents.ts';
import type { Exit } from './processes.ts';
import type { RpcMessage } from './rpc.ts';

const bin = fileURLToPath(new URL('../../bin/toolbus.js', import.meta.url));

export interface ShimFlags {
  readonly url: string;
  readonly key?: string | undefined;
  readonly args?: readonly string[];
  /** The program, when it is not `toolbus stdio`. */
  readonly program?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

function commandOf({ url, args = [], program }: ShimFlags): string[] {
  return [...(program ?? [bin, 'stdio', '--url', url]), ...args];
}

/** As clients start a server: a short safe list of variables, and those of the entry. */
function serverOf(flags: ShimFlags) {
  const env = { ...(flags.key === undefined ? {} : { TOOLBUS_API_KEY: flags.key }), ...flags.env };
  return { command: process.execPath, args: commandOf(flags), env, cwd: tmpdir(), stderr: 'ignore' as const };
}

/** Real clients that start the shim themselves. */
export const stdioAgents: ReadonlyArray<{
  readonly name: string;
  open(flags: ShimFlags): Promise<Agent>;
}> = [
  { name: 'SDK v1', open: (flags) => openV1(new StdioV1(serverOf(flags)) as Transport) },
  { name: 'SDK v2 legacy', open: (flags) => openV2On(new StdioV2(serverOf(flags)), 'legacy') },
  { name: 'SDK v2 auto', open: (flags) => openV2On(new StdioV2(serverOf(flags)), 'auto') },
  {
    name: 'SDK v2 pinned',
    open: (flags) => openV2On(new StdioV2(serverOf(flags)), { pin: '2026-07-28' }),
  },
];

/** The shim with nothing between it and the test. */
export interface RawShim {
  readonly child: ChildProcess;
  /** Every line of stdout so far, parsed; a line that is not JSON fails the test that reads it. */
  readonly messages: readonly RpcMessage[];
  readonly logs: readonly string[];
  readonly exited: Promise<Exit>;
  write(line: string | object): void;
  /** Sends a request and waits for its response. */
  request(method: string, params?: object, id?: string | number): Promise<RpcMessage>;
  /** The response to this id. */
  response(id: string | number): Promise<RpcMessage>;
  /** initialize and initialized of 2025-11-25. */
  initialize(capabilities?: object): Promise<RpcMessage>;
  /** Closes stdin; resolves with how it ended. */
  end(): Promise<Exit>;
  [Symbol.asyncDispose](): Promise<void>;
}

export function startShim(flags: ShimFlags): RawShim {
  const server = serverOf(flags);
  const child = spawn(server.command, server.args, {
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...server.env },
    cwd: server.cwd,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const messages: RpcMessage[] = [];
  const logs: string[] = [];
  const waiting = new Map<string, (message: RpcMessage) => void>();
  const exited = new Promise<Exit>((resolve) => child.once('close', (code, signal) => resolve({ code, signal })));
  createInterface({ input: child.stdout }).on('line', (line) => {
    const message = JSON.parse(line) as RpcMessage;
    messages.push(message);
    if (message.method === undefined) waiting.get(JSON.stringify(message.id))?.(message);
  });
  createInterface({ input: child.stderr }).on('line', (line) => void logs.push(line));
  let next = 1000;
  const shim: RawShim = {
    child,
    messages,
    logs,
    exited,
    write: (line) => void child.stdin.write(`${typeof line === 'string' ? line : JSON.stringify(line)}\n`),
    response(id) {
      const known = messages.find((message) => message.method === undefined && message.id === id);
      if (known !== undefined) return Promise.resolve(known);
      return new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`no answer to ${id}\n${logs.join('\n')}\n${JSON.stringify(messages.slice(-5))}`)),
          30_000,
        );
        waiting.set(JSON.stringify(id), (message) => {
          clearTimeout(timer);
          resolve(message);
        });
      });
    },
    request(method, params = {}, id = next++) {
      const response = shim.response(id);
      shim.write({ jsonrpc: '2.0', id, method, params });
      return response;
    },
    async initialize(capabilities = {}) {
      const clientInfo = { name: 'raw', version: '1' };
      const params = { protocolVersion: '2025-11-25', capabilities, clientInfo };
      const answer = await shim.request('initialize', params, 0);
      shim.write({ jsonrpc: '2.0', method: 'notifications/initialized' });
      return answer;
    },
    end() {
      child.stdin.end();
      return exited;
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
    },
  };
  return shim;
}

/** A request of 2026-07-28 as a line. */
export function modernLine(id: string | number, method: string, params: object = {}): object {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  return { jsonrpc: '2.0', id, method, params: { ...params, _meta } };
}
