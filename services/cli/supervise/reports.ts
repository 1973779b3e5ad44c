import type { InstanceStatus } from '../../../shared/mcp/manifest.ts';
import type { ServerReport } from '../output/ready.ts';

/** How a server stands, by what the worker processes with these ids (all, where none are given) say of themselves. */
export function reportServer(
  name: string,
  instances: readonly InstanceStatus[],
  pids?: readonly number[],
): ServerReport {
  const ours = pids === undefined ? instances : instances.filter((status) => pids.includes(status.pid));
  const ready = ours.filter((status) => status.state === 'ready');
  const first = ready[0];
  if (first !== undefined) {
    return { name, status: 'ready', transport: first.transport, tools: first.tools, workers: ready.length };
  }
  const failed = ours.find((status) => status.state === 'failed');
  if (failed !== undefined) {
    const { transport, lastError, hint } = failed;
    return {
      name,
      status: 'failed',
      transport,
      workers: 0,
      error: lastError ?? 'the upstream server is not running',
      hint,
    };
  }
  return { name, status: 'starting', workers: 0 };
}
