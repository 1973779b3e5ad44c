import { type FixtureName, fixtureCommand, startFixture } from '../helpers/fixture.ts';
import { startNats } from '../helpers/nats.ts';
import { type RoundRobinProxy, startRoundRobinProxy } from '../helpers/round-robin-proxy.ts';
import { startIngress, startWorker } from '../helpers/toolbus.ts';

/** A server as the gateway meets it. */
export interface Upstream {
  readonly name: string;
  readonly fixture: FixtureName;
  readonly transport: 'http' | 'stdio';
  /** The fixture speaks the older revisions alone. */
  readonly legacy?: boolean;
}

/** Every kind of server that an agent of either era may find behind the gateway. */
export const upstreams: readonly Upstream[] = [
  { name: 'modern HTTP', fixture: 'conformance-v2', transport: 'http' },
  { name: 'modern stdio', fixture: 'conformance-v2', transport: 'stdio' },
  { name: 'legacy HTTP', fixture: 'conformance-v2', transport: 'http', legacy: true },
  { name: 'legacy stdio', fixture: 'conformance-v2', transport: 'stdio', legacy: true },
  { name: 'SDK v1 HTTP', fixture: 'conformance-v1', transport: 'http' },
  { name: 'SDK v1 stdio', fixture: 'conformance-v1', transport: 'stdio' },
];

/** Servers behind two ingresses, of which no two requests in a row meet the same one. */
export interface Grid extends AsyncDisposable {
  readonly proxy: RoundRobinProxy;
  /** Endpoint of a server in its own names. The suite forges Host and Origin and therefore wants a URL that names localhost. */
  endpoint(upstream: Upstream): string;
}

/** Starts every server with a worker, and two ingresses behind a proxy. */
export async function startGrid(served: readonly Upstream[]): Promise<Grid> {
  const started: AsyncDisposable[] = [];
  const use = <T extends AsyncDisposable>(one: T): T => {
    started.unshift(one);
    return one;
  };
  const close = async () => {
    for (const one of started.splice(0)) await one[Symbol.asyncDispose]();
  };
  try {
    const fixtures = served.filter(({ transport }) => transport === 'http');
    const urls = new Map(
      await Promise.all(
        fixtures.map(async (upstream): Promise<[Upstream, string]> => {
          const args = upstream.legacy ? ['--legacy'] : [];
          return [upstream, use(await startFixture(upstream.fixture, { args })).url];
        }),
      ),
    );
    const servers = Object.fromEntries(
      served.map((upstream) => {
        const args = ['--stdio', ...(upstream.legacy ? ['--legacy'] : [])];
        const url = urls.get(upstream);
        // The suite walks away from questions: what waits for an answer is given up soon.
        return [
          serverName(upstream),
          { ...(url === undefined ? fixtureCommand(upstream.fixture, args) : { url }), timeoutMs: 3_000 },
        ];
      }),
    );
    // The suite sends no credentials, so the gateway asks for none; all sit on loopback.
    const config = {
      servers,
      auth: { mode: 'none' },
      audit: { mode: 'best-effort' },
      cluster: { secret: 'conformance-conformance-conformance' },
    };
    const nats = use(await startNats());
    for (const name of Object.keys(servers)) use(await startWorker(name, nats.url, { config }));
    const first = use(await startIngress(nats.url, { config }));
    const second = use(await startIngress(nats.url, { config }));
    const origins = [first, second].map(({ ready }) => new URL(ready.mcp).origin);
    const proxy = use(await startRoundRobinProxy(origins));
    return {
      proxy,
      endpoint: (upstream) => `${proxy.origin}/mcp/${serverName(upstream)}`,
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function serverName({ name }: Upstream): string {
  return name.toLowerCase().replaceAll(' ', '-');
}
