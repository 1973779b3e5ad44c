/** How one server stands when `up` is ready. */
export interface ServerReport {
  readonly name: string;
  readonly status: 'ready' | 'failed' | 'starting';
  readonly transport?: string | undefined;
  readonly tools?: number | undefined;
  readonly workers?: number | undefined;
  readonly error?: string | undefined;
  readonly hint?: string | undefined;
}

export interface Ready {
  readonly mcp: string;
  readonly admin: string;
  readonly nats: string;
  readonly key?: string | undefined;
  readonly servers: readonly ServerReport[];
}

/** The one line that `--json` prints when a long-running command is ready (CONTRACT §2). */
export function readyLine(ready: Ready): string {
  const { mcp, admin, nats, key, servers } = ready;
  return `${JSON.stringify({
    event: 'ready',
    mcp,
    admin,
    nats,
    pid: process.pid,
    key,
    servers: servers.map(({ name, status, tools, error, hint }) => ({ name, status, tools, error, hint })),
  })}\n`;
}
