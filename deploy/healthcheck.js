// The health check of the image. Exit code 0: healthy.
//   admin   the ingress in this container answers on /livez
//   bus     this container has a connection to NATS: what a worker, which listens on no port, can be asked
import { readFileSync } from 'node:fs';

const established = '01';

/** Ports of the servers in NATS_URL, as /proc/net/tcp writes them. */
function natsPorts() {
  const servers = (process.env.NATS_URL ?? 'nats://127.0.0.1:4222').split(',');
  return servers.map((server) => {
    const port = Number(/:(\d+)$/.exec(server.trim())?.[1] ?? 4222);
    return port.toString(16).toUpperCase().padStart(4, '0');
  });
}

async function isLive() {
  const port = process.env.TOOLBUS_ADMIN_PORT ?? '8081';
  const answer = await fetch(`http://127.0.0.1:${port}/livez`, { signal: AbortSignal.timeout(2_000) });
  return answer.ok;
}

function isJoined() {
  const ports = natsPorts();
  // Columns of /proc/net/tcp: number, local address:port, remote address:port, state, …
  return ['/proc/net/tcp', '/proc/net/tcp6'].some((file) =>
    readFileSync(file, 'latin1')
      .split('\n')
      .some((line) => {
        const [, , remote, state] = line.trim().split(/\s+/);
        return state === established && ports.some((port) => remote?.endsWith(`:${port}`));
      }),
  );
}

const checks = { admin: isLive, bus: isJoined };
const check = checks[process.argv[2] ?? 'admin'];
try {
  if (check === undefined) throw new Error('usage: healthcheck.js admin|bus');
  if (!(await check())) throw new Error('not healthy');
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
