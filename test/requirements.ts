/**
 * What toolbus promises, as a list that tests cite. `requirements.test.ts` is red while an id is cited by no test.
 * To promise something new: add a row here, and a test that says `verifies('the:id')`.
 */
export const requirements = {
  'start:ready-line': {
    behavior: '`up --json` prints one ready line with endpoint, admin, NATS, pid, key and servers.',
  },
  'start:bundled-example': { behavior: '`up` without a config file runs the four bundled servers.' },
  'start:failed-server': {
    behavior: 'A server that cannot start never stops the others and is named in the ready line.',
  },
  'package:lock': { behavior: 'The lock file installs the nats-server binary on Node 20 and names no registry.' },
  'package:tarball': { behavior: 'A packed tarball installs and runs outside the checkout.' },
  'stop:graceful': { behavior: 'SIGINT and SIGTERM let calls in flight finish, exit 0 and leave no process behind.' },
  'stop:sigkill-leaves-nothing': {
    behavior: 'SIGKILL of `up` leaves neither nats-server nor a stdio child after 2 s.',
  },
  'nats:restart-after-crash': { behavior: 'After a SIGKILL, `up` starts again on the same data directory.' },
  'nats:cluster-survives-node': { behavior: 'In a cluster of three, calls go on when one nats-server is killed.' },
  'cli:exit-codes': { behavior: 'Exit codes are those of the contract: 0, 2, 4, 5.' },
  'cli:check': { behavior: '`check` validates the config, prints what would run and starts nothing.' },
  'cli:tools': { behavior: '`tools ls`, `inspect` and `call` show and try the catalog.' },
  'cli:servers': { behavior: '`servers` lists servers with their workers and breaker states.' },
  'config:invalid': { behavior: 'A bad config exits 2, naming file:line:col, the key and the nearest valid key.' },
  'config:live-reload': { behavior: 'Added, changed and removed servers apply live; nothing in flight is lost.' },
  'config:broken-reload': { behavior: 'A broken config file is refused and the running configuration stays.' },
  'upstream:stdio': {
    behavior: 'A stdio server is reached, with exactly the configured environment, and restarted when it dies.',
  },
  'upstream:http': { behavior: 'Streamable HTTP servers are reached, modern and legacy with sessions.' },
  'upstream:garbage': { behavior: 'Garbage on stdout of a stdio server is not fatal.' },
  'upstream:several-urls': { behavior: 'Several URLs of one server are several instances.' },
  'agent:modern': {
    behavior: '2026-07-28: requests without session, discover, cache hints, errors with their statuses.',
  },
  'agent:legacy': { behavior: '2025-11-25 to 2025-03-26: initialize, sessions, batches where the revision has them.' },
  'agent:http-sse': { behavior: '2024-11-05 HTTP+SSE is served on /sse and /messages.' },
  'agent:sdk-v1': { behavior: 'The client of SDK v1 lists, calls, gets progress, cancels and answers questions.' },
  'agent:sdk-v2': { behavior: 'The client of SDK v2 does the same: legacy, auto and pinned to 2026-07-28.' },
  'agent:inspector': { behavior: 'The Inspector CLI lists and calls tools.' },
  'agent:origin-host': { behavior: 'A foreign Host or Origin is answered 403.' },
  'agent:authentication': { behavior: 'Without a valid key the answer is 401.' },
  'call:prefix': { behavior: 'On /mcp tools are named server__tool, on /mcp/NAME they keep their own names.' },
  'call:progress': { behavior: 'Progress reaches the agent before the answer, with the agent’s own token.' },
  'call:cancel': { behavior: 'A cancelled call is cancelled at the upstream, by the rule of each era.' },
  'call:questions': { behavior: 'Elicitation and sampling reach the agent whatever the eras of agent and upstream.' },
  'call:large-result': { behavior: 'A result larger than one NATS message arrives unchanged.' },
  'call:server-timing': { behavior: 'Every answer to a call carries Server-Timing with gateway and upstream.' },
  'error:unknown-tool': { behavior: 'Unknown and forbidden tools answer −32602.' },
  'error:shape': { behavior: 'Errors of toolbus carry code, callId, reason and executed.' },
  'error:upstream-timeout': { behavior: 'A call beyond its deadline answers upstream_timeout, executed unknown.' },
  'error:upstream-lost': { behavior: 'A call whose upstream dies answers upstream_lost within 3.5 s.' },
  'catalog:list-changed': { behavior: 'A changed tool list reaches agents that listen, and the next list.' },
  'catalog:dead-server-stays-listed': { behavior: 'A dead server neither empties nor delays the list.' },
  'bus:discovery': { behavior: 'Workers answer $SRV discovery (ADR-32), so that `nats service` shows them.' },
  'bus:workers-share-load': { behavior: 'Two workers of one server both get calls.' },
  'bus:worker-killed': {
    behavior: 'A worker killed under load loses no call that had not started; the others are upstream_lost.',
  },
  'bus:no-double-execution': { behavior: 'No call runs twice, whatever dies.' },
  'breaker:hang-opens': { behavior: 'A server that hangs opens its breaker; calls are answered circuit_open at once.' },
  'breaker:comes-back': { behavior: 'When the server answers again, a probe closes the breaker.' },
  'breaker:others-unharmed': { behavior: 'While one server hangs, calls to others and lists go on.' },
  'admin:health': { behavior: '/livez and /readyz answer, the latter with reasons.' },
  'admin:metrics': { behavior: '/metrics is Prometheus text with the MCP duration and gateway overhead histograms.' },
  'conformance:modern': { behavior: 'Every scored scenario of 2026-07-28 passes through the gateway.' },
  'conformance:legacy': { behavior: 'Every scored scenario of 2025-11-25 passes through the gateway.' },
  'conformance:no-affinity': { behavior: '2026-07-28 passes with two ingresses and no sticky sessions.' },
} as const satisfies Readonly<Record<string, { readonly behavior: string }>>;

export type RequirementId = keyof typeof requirements;

/** Says which promises the test at hand holds. Throws for an id that is not in the list. */
export function verifies(...ids: readonly RequirementId[]): void {
  for (const id of ids) {
    if (!Object.hasOwn(requirements, id)) throw new Error(`no such requirement: ${id}`);
  }
}
