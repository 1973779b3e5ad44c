import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Random } from './random.ts';

/** A reverse proxy that sends each request to any of the targets there are, and knows no session. */
export interface RandomProxy {
  /** `http://localhost:PORT/mcp` */
  readonly mcp: string;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * A target that refuses the connection gets no request, so another is tried, as load balancers do. Whatever breaks later breaks for
 * the agent too. With no target left the answer is 502.
 */
export async function startRandomProxy(targets: () => readonly string[], random: Random): Promise<RandomProxy> {
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => void chunks.push(chunk));
    req.on('end', () => attempt([...targets()], Buffer.concat(chunks)));

    const attempt = (left: string[], body: Buffer): void => {
      const target = random.pick(left);
      if (target === undefined) return void res.writeHead(502).end();
      const others = left.filter((other) => other !== target);
      const url = new URL(req.url ?? '/', target);
      const forwarded = request(url, { method: req.method, headers: req.headers, agent: false }, (answer) => {
        res.writeHead(answer.statusCode ?? 502, answer.headers);
        res.flushHeaders();
        answer.pipe(res);
        answer.once('error', () => res.destroy());
      });
      forwarded.once('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ECONNREFUSED' && !res.headersSent) attempt(others, body);
        else res.destroy();
      });
      res.once('close', () => forwarded.destroy());
      forwarded.end(body);
    };
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    mcp: `http://localhost:${port}/mcp`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
