import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';

/** A call that reached an upstream. */
export interface ReachedCall {
  readonly id: string | number;
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
  /** All of `params`, as it came. */
  readonly params: Readonly<Record<string, unknown>>;
  readonly headers: IncomingHttpHeaders;
}

/** A server of 2026-07-28 on 127.0.0.1, written by hand so that it can say what no library would. */
export interface AnsweringUpstream extends AsyncDisposable {
  readonly url: string;
  /** Calls that reached it, oldest first. */
  readonly calls: ReachedCall[];
}

export interface AnsweringOptions {
  readonly tools: readonly object[];
  /** Result of a call, or a function that writes another HTTP answer. Default: the arguments as text. */
  answer?(call: ReachedCall): object | ((res: ServerResponse) => void);
  /** Milliseconds before an answer. */
  delayMs?(): number;
}

interface Request {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
}

export const textResult = (said: string): object => ({
  resultType: 'complete',
  content: [{ type: 'text', text: said }],
});

export async function startAnsweringUpstream(options: AnsweringOptions): Promise<AnsweringUpstream> {
  const calls: ReachedCall[] = [];
  const discovered = {
    resultType: 'complete',
    supportedVersions: ['2026-07-28'],
    capabilities: { tools: {} },
    ttlMs: 60_000,
    cacheScope: 'public',
    _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'answering', version: '1.0.0' } },
  };
  const listed = { resultType: 'complete', tools: options.tools, ttlMs: 60_000, cacheScope: 'public' };
  const http = createServer(async (req, res) => {
    if (req.method !== 'POST') return void res.writeHead(405).end();
    const { id, method, params = {} } = JSON.parse(await text(req)) as Request;
    if (id === undefined) return void res.writeHead(202).end();
    const say = (body: object): void => {
      res.writeHead('error' in body ? 404 : 200, { 'content-type': 'application/json' });
      res.end(JSON.stringify({ jsonrpc: '2.0', id, ...body }));
    };
    if (method === 'server/discover') return say({ result: discovered });
    if (method === 'tools/list') return say({ result: listed });
    if (method !== 'tools/call') return say({ error: { code: -32601, message: 'Method not found' } });
    const args = (params['arguments'] ?? {}) as ReachedCall['args'];
    const call: ReachedCall = { id, name: String(params['name']), args, params, headers: req.headers };
    calls.push(call);
    const delayMs = options.delayMs?.() ?? 0;
    if (delayMs > 0) await delay(delayMs);
    const answer = options.answer?.(call) ?? textResult(JSON.stringify(args));
    if (typeof answer === 'function') answer(res);
    else say({ result: answer });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`,
    calls,
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}
