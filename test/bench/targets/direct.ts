import type { Processes } from '../processes.ts';
import type { StartTarget } from './target.ts';
import { startUpstreams } from './upstreams.ts';

/** No gateway at all: the load generator talks to the upstream. */
export function directTarget(processes: Processes): StartTarget {
  return async (servers) => {
    const upstreams = await startUpstreams(processes, servers);
    return {
      name: 'direct',
      processes: [],
      endpoint: (server) => ({ port: upstreams.port(server), path: '/mcp', headers: {} }),
      stop: () => upstreams.stop(),
    };
  };
}
