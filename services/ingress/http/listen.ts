import type { FastifyInstance } from 'fastify';
import { exitCode, OperatorError } from '../../../shared/errors.ts';

/** Listens and returns the port that was given (`port` itself, or the free one for 0). Throws an OperatorError that names the flag to change. */
export async function listen(
  app: FastifyInstance,
  host: string,
  port: number,
  flag: '--port' | '--admin-port',
): Promise<number> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const why = code === 'EADDRINUSE' ? 'the port is in use' : error instanceof Error ? error.message : String(error);
    throw new OperatorError(exitCode.unexpected, `cannot listen on ${host}:${port}: ${why}`, {
      cause: error,
      hint: `choose another with ${flag}; ${flag} 0 takes any free one`,
    });
  }
  const address = app.server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}
